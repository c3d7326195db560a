import { InterruptedError } from "../lib/core/errors.ts";
import { formatDuration } from "../lib/core/format.ts";
import type { Output } from "./_output.ts";
import type { World } from "./_world.ts";

export interface StopSignal extends Disposable {
  /** Aborted by the first signal that asks the process to end. */
  readonly signal: AbortSignal;
  /** How long the work may go on after the signal. */
  timeoutMs: number;
}

/** Until the configuration is read. */
const STOP_TIMEOUT_MS = 60_000;

/**
 * Asks the work to end with the first signal, and ends the process where the work does not. Until the result is disposed
 * of.
 */
export function stopOnSignals(world: World, output: Output): StopSignal {
  const [stopping, ended] = [new AbortController(), new AbortController()];
  const listening = world.onStop((signal) => {
    output.log.warn(`${signal}: stopping; once more ends at once`);
    stopping.abort(
      new InterruptedError(`Cannot go on: stopped by ${signal}`, {
        code: "INTERRUPTED",
        hint: "nothing half-done is left; run it again when you like",
      }),
    );
    const { timeoutMs } = stop;
    world.clock.sleep(timeoutMs, ended.signal).then(
      () => world.endNow(output.error(stopTimeout(timeoutMs))),
      () => {},
    );
  });
  const stop: StopSignal = {
    signal: stopping.signal,
    timeoutMs: STOP_TIMEOUT_MS,
    [Symbol.dispose]() {
      ended.abort();
      listening[Symbol.dispose]();
    },
  };
  return stop;
}

function stopTimeout(timeoutMs: number): InterruptedError {
  return new InterruptedError(`Cannot stop cleanly: the work goes on after ${formatDuration(timeoutMs)}`, {
    code: "STOP_TIMEOUT",
    hint: "the next run finishes or undoes what this one left; model_sync.stop_timeout_sec allows more time",
  });
}
