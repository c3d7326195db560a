import { clockAheadMs } from "./node_clock.ts";
import { isNews } from "./outcomes.ts";
import { keys } from "./keys.ts";
import { endOf, utc } from "./row_values.ts";
import { Activation, NodeRow, type Place, RunRow } from "./rows.ts";
import type { SweepStep } from "./sweep_step.ts";

/** Runs and activations of one node: one every six minutes for 90 days. Only a faulty or hostile node has more. */
export const ENTRIES_OF_NODE_MAX = 20_000;

/**
 * Later entries come from a node whose clock was wrong. Two days leave a node time to report that its clock has been
 * set.
 */
export const AHEAD_MS_MAX = 2 * 24 * 3_600_000;

/** The range of times whose entries are kept. */
export interface Kept {
  /** ISO times in UTC, by the dashboard's clock. */
  readonly from: string;
  readonly to: string;
}

/** Removes the old runs of each node with their details. */
export async function sweepRuns(
  step: SweepStep,
  after: Place | undefined,
  kept: Kept,
): Promise<Place | undefined> {
  return await step.walkGroups(keys.allRuns(), after, async (node) => {
    const { from, to } = await keptOf(step, node, kept);
    const prefix = keys.runs(node);
    const remove = (entry: Deno.KvEntry<unknown>) => deleteRun(step, node, entry);
    return await step.walk(prefix, { to: [from] }, remove) === undefined &&
      await step.walk(prefix, { from: [to] }, remove) === undefined &&
      await trim(step, prefix, remove);
  });
}

/** Removes the old activations of each node, except the one that was in force at the start of the retention. */
export async function sweepActivations(
  step: SweepStep,
  after: Place | undefined,
  kept: Kept,
): Promise<Place | undefined> {
  return await step.walkGroups(keys.allActivations(), after, async (node) => {
    const { from, to } = await keptOf(step, node, kept);
    const prefix = keys.activations(node);
    const remove = (entry: Deno.KvEntry<unknown>) => deleteActivation(step, entry);
    const [inForce] = await Array.fromAsync(
      step.kv.list({ start: prefix, end: [...prefix, from] }, { reverse: true, limit: 1 }),
    );
    const old = inForce === undefined ? [""] : inForce.key.slice(prefix.length);
    // If a node's clock was always ahead, its future entries are all that is known.
    const [real] = await Array.fromAsync(step.kv.list({ start: prefix, end: [...prefix, to] }, { limit: 1 }));
    return await step.walk(prefix, { to: old }, remove) === undefined &&
      (real === undefined || await step.walk(prefix, { from: [to] }, remove) === undefined) &&
      await trim(step, prefix, remove);
  });
}

/** Returns the range for a node, whose entries are dated by its own clock. */
async function keptOf({ kv }: SweepStep, node: string, kept: Kept): Promise<Kept> {
  const row = NodeRow.safeParse((await kv.get(keys.node(node))).value).data;
  const aheadMs = row === undefined ? 0 : clockAheadMs(row);
  return {
    from: utc(Date.parse(kept.from) + Math.min(aheadMs, 0)),
    to: utc(Date.parse(kept.to) + Math.max(aheadMs, 0)),
  };
}

/** Removes the oldest entries of a node beyond {@link ENTRIES_OF_NODE_MAX}. @returns whether it is done */
async function trim(
  step: SweepStep,
  prefix: Deno.KvKey,
  remove: (entry: Deno.KvEntry<unknown>) => Promise<void>,
): Promise<boolean> {
  await step.flush();
  let count = 0;
  const newestFirst = step.kv.list({ prefix }, { reverse: true, batchSize: 500 });
  for await (const entry of newestFirst) {
    if (++count <= ENTRIES_OF_NODE_MAX) continue;
    await remove(entry);
    if (step.isSpent) return false;
  }
  return true;
}

/** Removes a run with its place, its details and its entry in the activity. */
export async function deleteRun(
  step: SweepStep,
  node: string,
  { key, value }: Deno.KvEntry<unknown>,
): Promise<void> {
  const runId = key.at(-1);
  if (typeof runId !== "string") return await step.delete(key);
  const details = await keysOf(step.kv, keys.runDetail(node, runId));
  const run = RunRow.safeParse(value).data;
  const news = run !== undefined && isNews(run.outcome) ? [keys.news(endOf(run), node, runId)] : [];
  await step.delete(key, keys.runPlace(runId, node), ...details, ...news);
}

/** Removes an activation from the lists of the node and of the release. */
export async function deleteActivation(
  step: SweepStep,
  { key, value }: Deno.KvEntry<unknown>,
): Promise<void> {
  const activation = Activation.safeParse(value).data;
  if (activation === undefined) return await step.delete(key);
  const { digest, at, node, runId } = activation;
  await step.delete(key, keys.activationOf(digest, at, node, runId));
}

/** More than the parts of a value, and as many as one operation removes. */
export const KEYS_MAX = 500;

/** Returns the first {@link KEYS_MAX} keys below a prefix, such as the parts of a value. */
export async function keysOf(kv: Deno.Kv, prefix: Deno.KvKey): Promise<Deno.KvKey[]> {
  return await Array.fromAsync(
    kv.list({ prefix }, { limit: KEYS_MAX, batchSize: KEYS_MAX }),
    ({ key }) => key,
  );
}

/** Removes old activity, and activity in the future: that of nodes with a wrong clock would stay at the top. */
export async function sweepNews(step: SweepStep, { from, to }: Kept): Promise<Place | undefined> {
  const remove = async ({ key }: Deno.KvEntry<unknown>) => await step.delete(key);
  return await step.walk(keys.allNews(), { to: [from] }, remove) ??
    await step.walk(keys.allNews(), { from: [to] }, remove);
}
