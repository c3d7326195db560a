/** Where a run tells what it does. Messages are sentences without secrets; `fields` are for machines. */
export interface Log {
  debug(message: string, fields?: LogFields): void;
  /** One line for each step of a run. */
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /**
   * Bytes moved within the current step; `totalBytes` is undefined while it is not known. No bytes of an unknown total
   * mean that only the time is known that the step has taken. Called often.
   */
  progress(label: string, doneBytes: number, totalBytes: number | undefined): void;
}

export type LogFields = Readonly<Record<string, string | number | boolean | null | undefined>>;

export const LOG_LEVELS = ["debug", "info", "warn", "error"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];
