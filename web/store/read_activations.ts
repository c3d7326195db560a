import { isNodeKey } from "./key_limits.ts";
import { keys } from "./keys.ts";
import { Activation } from "./rows.ts";

/** A release a day for more than a year. */
export const ACTIVATIONS_MAX = 500;

/** How long a release was active on a node. */
export interface ActivePeriod extends Activation {
  /** When another release took its place; `null` while it is active. */
  readonly until: string | null;
}

/**
 * Returns what was active on a node from a time on, oldest first: the release that was active then, and each one after
 * it, at most the newest {@link ACTIVATIONS_MAX}.
 *
 * @param range `from`: an ISO time in UTC; everything without it
 */
export async function readActivations(
  kv: Deno.Kv,
  node: string,
  { from = "" }: { readonly from?: string | undefined } = {},
): Promise<readonly ActivePeriod[]> {
  if (!isNodeKey(node)) return [];
  const newestFirst: Activation[] = [];
  const options = { reverse: true, limit: ACTIVATIONS_MAX, batchSize: ACTIVATIONS_MAX };
  for await (const { value } of kv.list({ prefix: keys.activations(node) }, options)) {
    const activation = Activation.safeParse(value);
    if (!activation.success) continue;
    const newer = newestFirst.at(-1);
    if (newer !== undefined && newer.at <= from && newer.digest !== activation.data.digest) break;
    newestFirst.push(activation.data);
  }
  const periods = periodsOf(newestFirst.reverse());
  return periods.filter(({ until }) => until === null || until > from);
}

/** The same release again, as when a heartbeat names what a run reports later, goes on. */
function periodsOf(activations: readonly Activation[]): ActivePeriod[] {
  const periods: ActivePeriod[] = [];
  for (const activation of activations) {
    const last = periods.at(-1);
    if (last?.digest === activation.digest) {
      periods[periods.length - 1] = merged(last, activation);
      continue;
    }
    if (last !== undefined) periods[periods.length - 1] = { ...last, until: activation.at };
    periods.push({ ...activation, until: null });
  }
  return periods;
}

/** A run says more of an activation than a heartbeat: the release before it. */
function merged(period: ActivePeriod, again: Activation): ActivePeriod {
  return period.previous === undefined && again.previous !== undefined && again.previous !== again.digest
    ? { ...again, at: period.at, until: null }
    : period;
}
