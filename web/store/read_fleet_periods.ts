import { type ActivePeriod, readActivations } from "./read_activations.ts";

/** The largest fleet that pages are made for; of a larger one a page of releases says that it shows a part. */
export const PERIOD_NODES_MAX = 1_000;
/** Lists that are read at the same time. */
const READS_MAX = 20;

/**
 * Returns what was active on nodes from a time on, by node: of the first {@link PERIOD_NODES_MAX} of them.
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
