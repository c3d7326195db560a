import { systemClock } from "../lib/core/clock.ts";
import type { Context } from "../lib/core/context.ts";
import { type Log, LOG_LEVELS, type LogLevel } from "../lib/core/log.ts";
import { spawnProcess } from "../lib/core/subprocess.ts";

/** What a hosted dashboard logs: a platform keeps each line, and bills some for it. */
const LEVELS: readonly LogLevel[] = LOG_LEVELS.slice(LOG_LEVELS.indexOf("info"));

/** Returns the outside world of a dashboard that a platform runs: no configuration file, no store, no programs. */
export function platformContext(): Context {
  return {
    fs: Deno,
    // Nothing in the dashboard starts a program; alerts need a whole context.
    spawn: spawnProcess,
    http: fetch,
    clock: systemClock,
    log: lineLog((line) => Deno.stderr.writeSync(new TextEncoder().encode(`${line}\n`))),
    env: { get: (name) => Deno.env.get(name), toObject: () => Deno.env.toObject() },
    signal: new AbortController().signal,
    freeBytes: () => Promise.resolve(undefined),
    host: Deno.env.get("DENO_DEPLOY_APPLICATION_SLUG") ?? "dashboard",
  };
}

/** A log of JSON lines, which platforms sort by their level. */
function lineLog(write: (line: string) => void): Log {
  const at = (level: LogLevel) => (message: string, fields = {}) => {
    if (!LEVELS.includes(level)) return;
    write(JSON.stringify({ time: systemClock.now().toISOString(), level, message, ...fields }));
  };
  return { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error"), progress: () => {} };
}
