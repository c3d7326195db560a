import { systemClock } from "../core/clock.ts";
import type { Context } from "../core/context.ts";

/** Calls back at the times of a schedule until the signal is aborted, and settles then, as `Deno.cron` does. */
export type Cron = (
  name: string,
  schedule: string,
  options: { readonly signal: AbortSignal },
  callBack: () => void,
) => Promise<void>;

/** The events that wake the loops of a daemon. */
export interface Ticks {
  /** Waits for the next tick, at most for this time. */
  readonly wake: (durationMs: number) => Promise<void>;
  /** Wakes every loop that waits. */
  readonly wakeAll: () => void;
  /** Settles when the signal is aborted and the runtime has ended its cron. */
  readonly stopped: Promise<void>;
}

/**
 * Wakes a daemon at every full minute, by `cron`, and every `pollMs` besides: after a suspension of the machine, timers
 * and ticks may be late.
 */
export function minuteTicks(
  { signal, clock }: Pick<Context, "signal" | "clock">,
  cron: Cron,
  pollMs: number,
): Ticks {
  let tick = Promise.withResolvers<void>();
  const wakeAll = () => {
    tick.resolve();
    tick = Promise.withResolvers();
  };
  // A cron that starts with an aborted signal never ends.
  const stopped = signal.aborted
    ? Promise.resolve()
    : endOf(cron("model-sync minute tick", "* * * * *", { signal }, wakeAll), signal);
  const wake = async (durationMs: number) => {
    const awake = new AbortController();
    const sleep = clock.sleep(Math.min(durationMs, pollMs), AbortSignal.any([signal, awake.signal]));
    // A tick or the signal may end the sleep early.
    await Promise.race([tick.promise, sleep.catch(() => {})]);
    awake.abort();
  };
  return { wake, wakeAll, stopped };
}

/**
 * The runtime ends a cron as soon as its signal is aborted. But a cron that is created in the last moment before a full
 * minute may keep every cron of the process from ending (seen with Deno 2.9): the wait for it is bounded.
 */
const CRON_END_MS = 500;

async function endOf(cron: Promise<void>, signal: AbortSignal): Promise<void> {
  const { promise: aborted, resolve } = Promise.withResolvers<void>();
  signal.addEventListener("abort", () => resolve(), { once: true });
  const waiting = new AbortController();
  const patience = aborted.then(() => systemClock.sleep(CRON_END_MS, waiting.signal)).catch(() => {});
  await Promise.race([cron, patience]);
  waiting.abort();
}
