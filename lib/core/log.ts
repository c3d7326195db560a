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

/** As many as fit on a screen with the error that follows them. */
const LINES_MAX = 20;

/** A line says what happened; a longer one quotes what a server sent. */
const LINE_CHARS_MAX = 300;

export interface LogTail {
  /** Passes everything on. */
  readonly log: Log;
  /** The last lines, oldest first, as `warn: the disk is slow`; none for debugging. */
  readonly lines: readonly string[];
}

/** Returns a log that keeps its last lines. */
export function logTail(log: Log): LogTail {
  const lines: string[] = [];
  const keep = (level: LogLevel, message: string) => {
    lines.push(`${level}: ${message.slice(0, LINE_CHARS_MAX)}`);
    if (lines.length > LINES_MAX) lines.shift();
  };
  const kept = (level: "info" | "warn" | "error") => (message: string, fields?: LogFields) => {
    keep(level, message);
    log[level](message, fields);
  };
  return {
    log: {
      debug: (message, fields) => log.debug(message, fields),
      info: kept("info"),
      warn: kept("warn"),
      error: kept("error"),
      progress: (label, doneBytes, totalBytes) => log.progress(label, doneBytes, totalBytes),
    },
    lines,
  };
}
