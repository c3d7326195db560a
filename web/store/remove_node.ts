import type { Web } from "../shared/web.ts";
import { committed, compareAndSet } from "./commit.ts";
import { keys, shardOf } from "./keys.ts";
import { incidentKeys } from "./incident_rows.ts";
import { ForgettingRow, IncidentRow, NodeRow, type Place } from "./rows.ts";
import { deleteActivation, deleteRun, keysOf } from "./sweep_runs.ts";
import { SweepStep } from "./sweep_step.ts";

/**
 * Removes a node. What pages show of it disappears immediately, the rest is deleted in steps. If the node still
 * reports, it appears again with its new reports: its token is not revoked.
 *
 * @returns whether everything is deleted; otherwise the sweep continues
 */
export async function removeNode({ kv, clock }: Pick<Web, "kv" | "clock">, node: string): Promise<boolean> {
  const at = clock.now().toISOString();
  await compareAndSet(async () => {
    const [ofNode, ofIncident] = await kv.getMany([keys.node(node), keys.openIncident(node)]);
    const row = NodeRow.safeParse(ofNode.value).data;
    const open = IncidentRow.safeParse(ofIncident.value).data;
    const gone = [
      ofNode.key,
      ofIncident.key,
      ...(open === undefined ? [] : incidentKeys(node, open.startedAt)),
      ...(row?.report?.quarantine ?? []).map((digest) => keys.quarantine(digest, node)),
      ...await keysOf(kv, keys.heartbeat(node)),
    ];
    const operation = kv.atomic().set(keys.pulse(shardOf(node)), node)
      .set(keys.forgetting(node), { at, after: null } satisfies ForgettingRow);
    for (const key of gone) operation.delete(key);
    return { guards: [ofNode, ofIncident], operation };
  });
  const step = new SweepStep(kv, clock);
  const isDone = await removeSome(step, node);
  await step.flush();
  return isDone;
}

/** Continues to delete removed nodes. @returns whether nothing of them is left */
export async function sweepRemoved(step: SweepStep): Promise<boolean> {
  for await (const { key } of step.kv.list({ prefix: keys.allForgetting() })) {
    if (!await removeSome(step, String(key.at(-1)))) return false;
  }
  return true;
}

async function removeSome(step: SweepStep, node: string): Promise<boolean> {
  const { kv } = step;
  const entry = await kv.get(keys.forgetting(node));
  const forgetting = ForgettingRow.safeParse(entry.value).data;
  if (forgetting === undefined) return true;
  // A node that reports again keeps its new reports.
  const isBack = (await kv.get(keys.node(node))).versionstamp !== null;
  const range = isBack ? { to: [forgetting.at] } : {};
  const isDone = await step.walk(keys.runs(node), range, (run) => deleteRun(step, node, run)) === undefined &&
    await step.walk(keys.activations(node), range, (entry) => deleteActivation(step, entry)) === undefined &&
    await step.walk(keys.incidentsOf(node), range, async ({ key }) => {
        await step.delete(...incidentKeys(node, String(key.at(-1))));
      }) === undefined;
  if (!isDone) return false;
  const after = isBack ? undefined : await removeFromReleases(step, node, forgetting.after ?? undefined);
  await step.flush();
  if (after !== undefined) {
    const next: ForgettingRow = { ...forgetting, after };
    await committed(kv.atomic().check(entry).set(entry.key, next));
    return false;
  }
  await step.deleteGuarded([entry], [entry.key]);
  return true;
}

/** Removes a node from the lists by release, and its pull requests. */
async function removeFromReleases(
  step: SweepStep,
  node: string,
  after: Place | undefined,
): Promise<Place | undefined> {
  const remove = async ({ key }: Deno.KvEntry<unknown>) => await step.delete(key);
  if (await step.walk(keys.pullRequestsOf(node), {}, remove) !== undefined) return after ?? FIRST_DIGEST;
  const [first = 0, digest = ""] = after ?? FIRST_DIGEST;
  for (const [index, list] of BY_DIGEST.entries()) {
    if (index < Number(first)) continue;
    const last = await step.walkGroups(list, index === first ? [digest] : undefined, async (digest) => {
      const ofNode = [...list, digest, node];
      await step.delete(ofNode);
      return await step.walk(ofNode, {}, remove) === undefined;
    });
    if (last !== undefined) return [index, ...last];
  }
  return undefined;
}

const BY_DIGEST = [keys.allPublications(), keys.allCanaries(), keys.allQuarantines()];
const FIRST_DIGEST: Place = [0, ""];
