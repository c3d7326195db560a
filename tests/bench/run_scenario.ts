import { join } from "node:path";
import { tempDir } from "../helpers/temp_dir.ts";
import { missingProgram, type Scenario } from "./scenario.ts";
import type { Scale } from "./scale.ts";
import type { Row } from "./table.ts";
import { Workbench } from "./workbench.ts";

/** Processes get five seconds to end by themselves before they are killed. */
const GRACE_MS = 10_000;

/** The largest size of a growth takes as long as many other scenarios. */
const GROWTH_FACTOR = 6;

/** Longer reasons make the table unreadable. */
const REASON_CHARS_MAX = 300;

/**
 * Runs a scenario in its own folder, which is deleted afterwards. A failure, also by the time limit, is a row.
 *
 * @throws the signal's reason, after the scenario's processes have ended and its folder is deleted
 */
export async function runScenario(
  name: string,
  { measure, needs, isGrowth }: Scenario,
  scale: Scale,
  options: { readonly signal: AbortSignal; readonly onRow: (row: Row) => void },
): Promise<void> {
  const { signal, onRow } = options;
  try {
    const missing = missingProgram(needs);
    if (missing !== undefined) throw new Error(`${missing} is not installed`);
    using dir = tempDir();
    const folder = join(dir.path, name);
    Deno.mkdirSync(folder);
    await withLimit(
      isGrowth === true ? scale.limitMs * GROWTH_FACTOR : scale.limitMs,
      signal,
      async (limited) => {
        await measure(new Workbench(folder, scale, limited, (row) => onRow({ scenario: name, ...row })));
      },
    );
  } catch (error) {
    signal.throwIfAborted();
    onRow({ scenario: name, failed: errorLine(error) });
  }
}

/** Waits for work, and aborts it at the signal or after the limit. */
async function withLimit(
  limitMs: number,
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const limit = new AbortController();
  const timer = setTimeout(
    () => limit.abort(new Error(`not finished after ${limitMs / 60_000} minutes`)),
    limitMs,
  );
  const limited = AbortSignal.any([signal, limit.signal]);
  const overdue = Promise.withResolvers<never>();
  let grace: ReturnType<typeof setTimeout> | undefined;
  const onAbort = () => void (grace = setTimeout(() => overdue.reject(limited.reason), GRACE_MS));
  limited.addEventListener("abort", onAbort, { once: true });
  try {
    await Promise.race([work(limited), overdue.promise]);
  } finally {
    clearTimeout(timer);
    clearTimeout(grace);
    limited.removeEventListener("abort", onAbort);
  }
}

/** Returns the line with the error, after logged lines; or else the first line. */
function errorLine(error: unknown): string {
  const message = error instanceof Error ? error.message || error.name : String(error);
  const lines = message.trim().split("\n");
  return (lines.find((line) => line.startsWith("error:")) ?? lines[0] ?? "").slice(0, REASON_CHARS_MAX);
}
