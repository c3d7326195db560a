import { isNodeKey, keys } from "./keys.ts";
import { Activation } from "./rows.ts";

/** More than a year with a release a day. */
export const ACTIVATIONS_MAX = 500;

/** About a month, which most callers need. */
const BATCH_MAX = 40;

/** A period in which a release was active on a node. */
export interface ActivePeriod extends Activation {
  /** When another release replaced it; `null` while it is active. */
  readonly until: string | null;
  /** The activation that replaced it; `null` while it is active. */
  readonly next: Pick<Activation, "digest" | "sequence" | "outcome"> | null;
}

/**
 * Returns the periods on a node from a time on, oldest first, at most the newest {@link ACTIVATIONS_MAX}. The first one
 * is the release that was active at that time.
 *
 * @param range `from`: an ISO time in UTC; without it, all periods
 */
export async function readActivations(
  kv: Deno.Kv,
  node: string,
  { from = "" }: { readonly from?: string | undefined } = {},
): Promise<readonly ActivePeriod[]> {
  if (!isNodeKey(node)) return [];
  const newestFirst: Activation[] = [];
  const options = { reverse: true, limit: ACTIVATIONS_MAX, batchSize: BATCH_MAX };
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

/**
 * Returns periods. A repeated activation of the same release continues its period: a heartbeat may report it before the
 * run does.
 */
function periodsOf(activations: readonly Activation[]): ActivePeriod[] {
  const begun: Activation[] = [];
  for (const activation of activations) {
    const last = begun.at(-1);
    if (last?.digest === activation.digest) begun[begun.length - 1] = merged(last, activation);
    else begun.push(activation);
  }
  // Only merged activations show whether each was a rollback: a heartbeat does not.
  return begun.map((activation, index) => {
    const after = begun[index + 1];
    if (after === undefined) return { ...activation, until: null, next: null };
    const { at, digest, sequence, outcome } = after;
    return { ...activation, until: at, next: { digest, outcome, ...named(sequence) } };
  });
}

function named(sequence: number | undefined): { readonly sequence?: number } {
  return sequence === undefined ? {} : { sequence };
}

/** A run's report of an activation has more than a heartbeat's: the replaced release and the outcome. */
function merged(first: Activation, again: Activation): Activation {
  return first.previous === undefined && again.previous !== undefined && again.previous !== again.digest
    ? { ...again, at: first.at }
    : first;
}

/** The largest fleet that pages are designed for. For larger fleets, the page of releases says that it shows a part. */
export const PERIOD_NODES_MAX = 1_000;
/** Lists that are read at the same time. */
const READS_MAX = 20;

/**
 * Returns the periods of nodes from a time on, by node: of the first {@link PERIOD_NODES_MAX} nodes.
 *
 * @param from an ISO time in UTC
 */
export async function readFleetPeriods(
  kv: Deno.Kv,
  nodes: readonly string[],
  from: string,
): Promise<ReadonlyMap<string, readonly ActivePeriod[]>> {
  const periods = new Map<string, readonly ActivePeriod[]>();
  const wanted = nodes.slice(0, PERIOD_NODES_MAX);
  for (let index = 0; index < wanted.length; index += READS_MAX) {
    const group = wanted.slice(index, index + READS_MAX);
    const read = await Promise.all(group.map((node) => readActivations(kv, node, { from })));
    for (const [place, node] of group.entries()) periods.set(node, read[place] ?? []);
  }
  return periods;
}
