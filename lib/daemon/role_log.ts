import type { Log, LogFields } from "../core/log.ts";
import type { Role } from "../config/roles.ts";

/** Returns a log whose lines name a role, for a daemon in which several roles run at once. */
export function roleLog(log: Log, role: Role): Log {
  const named = (level: "debug" | "info" | "warn" | "error") => (message: string, fields?: LogFields) =>
    log[level](`${role}: ${message}`, { ...fields, role });
  return {
    debug: named("debug"),
    info: named("info"),
    warn: named("warn"),
    error: named("error"),
    progress: (label, doneBytes, totalBytes) => log.progress(`${role}: ${label}`, doneBytes, totalBytes),
  };
}
