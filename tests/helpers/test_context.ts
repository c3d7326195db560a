import { systemClock } from "../../lib/core/clock.ts";
import type { Context, Environment } from "../../lib/core/context.ts";
import type { Log } from "../../lib/core/log.ts";
import { spawnInOurGroup, type SpawnProcess } from "../../lib/core/subprocess.ts";

/** A log that collects its lines. */
export interface RecordedLog extends Log {
  readonly lines: string[];
}

export function recordedLog(): RecordedLog {
  const lines: string[] = [];
  const keep = (level: string) => (message: string) => void lines.push(`${level} ${message}`);
  return {
    lines,
    debug: keep("debug"),
    info: keep("info"),
    warn: keep("warn"),
    error: keep("error"),
    progress: () => {},
  };
}

/** Returns an environment with only these variables. */
export function fixedEnvironment(variables: Readonly<Record<string, string>>): Environment {
  return { get: (name) => variables[name], toObject: () => ({ ...variables }) };
}

/**
 * Starts real programs, but git without the user's configuration. They run in this process's group, because thousands are
 * started and a new group would copy the page tables of this large process.
 */
export const isolatedSpawn: SpawnProcess = (request) =>
  spawnInOurGroup({
    ...request,
    env: {
      ...request.env,
      GIT_CONFIG_GLOBAL: Deno.build.os === "windows" ? "NUL" : "/dev/null",
      GIT_CONFIG_NOSYSTEM: "1",
    },
  });

/** Returns the real world, with a test's replacements. */
export function testContext(replaced: Partial<Context> = {}): Context & { readonly log: RecordedLog } {
  return {
    fs: Deno,
    spawn: isolatedSpawn,
    http: fetch,
    clock: systemClock,
    env: fixedEnvironment({}),
    signal: new AbortController().signal,
    freeBytes: () => Promise.resolve(undefined),
    host: "test-host",
    ...replaced,
    log: recordedLog(),
  };
}
