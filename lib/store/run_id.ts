import { isoSeconds } from "../core/clock.ts";
import type { Context } from "../core/context.ts";

/** A name for a run: sorts by time, and differs between two runs of one second. */
export function newRunId({ clock }: Pick<Context, "clock">): string {
  const time = isoSeconds(clock.now()).replace(/[-:]/g, "");
  const random = crypto.getRandomValues(new Uint8Array(3));
  return `${time}-${Array.from(random, (byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}
