import { systemClock } from "../core/clock.ts";
import type { Context } from "../core/context.ts";

/** Calls back at the times of a schedule until the signal is aborted; settles then. `Deno.cron` is one. */
export type Cron = (
  name: string,
  schedule: string,
  options: { readonly signal: AbortSignal },
  callBack: () => void,
) => Promise<void>;

/** What wakes the loops of a daemon. */
export interface Ticks {
  /** Waits so long at most. */
  readonly wake: (durationMs: number) => Promise<void>;
  /** Wakes every loop that waits. */
  readonly wakeAll: () => void;
  /** Settles once the signal was aborted and the runtime has let go of its cron. */
  readonly stopped: Promise<void>;
}

/**
 * Wakes a daemon at every full minute, by `cron`, and every `pollMs` besides: a timer that was set before the machine
 * was suspended is late, and so may a tick be.
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
  // A cron whose signal was aborted before never ends.
  const stopped = signal.aborted
    ? Promise.resolve()
    : endOf(cron("model-sync minute tick", "* * * * *", { signal }, wakeAll), signal);
  const wake = async (durationMs: number) => {
    const awake = new AbortController();
    const sleep = clock.sleep(Math.min(durationMs, pollMs), AbortSignal.any([signal, awake.signal]));
    // Being woken early, by a tick or by the signal, is not a fault.
    await Promise.race([tick.promise, sleep.catch(() => {})]);
    awake.abort();
  };
  return { wake, wakeAll, stopped };
}

/**
 * The runtime ends a cron as soon as its signal is aborted. But after one that was created in the last moment before a
 * full minute, no cron of the process may ever end (seen with Deno 2.9): a daemon must not wait for it for ever.
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
