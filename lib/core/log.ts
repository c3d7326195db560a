/** The log of a run. Messages are sentences without secrets. `fields` are for programs. */
export interface Log {
  debug(message: string, fields?: LogFields): void;
  /** One line for each step of a run. */
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /**
   * Reports the bytes moved in the current step. `totalBytes` is undefined while it is unknown. Zero bytes of an
   * unknown total mean a step without a byte count. Called often.
   */
  progress(label: string, doneBytes: number, totalBytes: number | undefined): void;
}

export type LogFields = Readonly<Record<string, string | number | boolean | null | undefined>>;

export const LOG_LEVELS = ["debug", "info", "warn", "error"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** As many as fit on a screen together with the error. */
const LINES_MAX = 20;

/** Longer lines quote a server's answer, whose end is not needed. */
const LINE_CHARS_MAX = 300;

export interface LogTail {
  /** Forwards everything to the original log. */
  readonly log: Log;
  /** The last lines, oldest first, without debug messages: `warn: the disk is slow`. */
  readonly lines: readonly string[];
}

/** Returns a log that also keeps its last lines. */
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
