import { ABOVE, keys } from "./keys.ts";
import { CanaryCourse, IncidentRow, type NodeRow, type Place, PullRequestRow } from "./rows.ts";
import { incidentKeys } from "./incident_rows.ts";
import { type Kept, KEYS_MAX, keysOf } from "./sweep_runs.ts";
import type { SweepStep } from "./sweep_step.ts";

type Rows = ReadonlyMap<string, NodeRow>;

/** Removes incidents that ended before the retention. */
export async function sweepIncidents(
  step: SweepStep,
  after: Place | undefined,
  { from }: Kept,
): Promise<Place | undefined> {
  return await step.walk(keys.incidents(), { after, to: [from] }, async ({ key, value }) => {
    const [at, node] = key.slice(-2);
    const incident = IncidentRow.safeParse(value).data;
    const isKept = incident !== undefined && (incident.endedAt === null || incident.endedAt >= from);
    if (isKept || typeof at !== "string" || typeof node !== "string") return;
    await step.delete(...incidentKeys(node, at));
  });
}

/** Removes pull requests that no reference sync has reported since the retention. */
export async function sweepPullRequests(
  step: SweepStep,
  after: Place | undefined,
  { from }: Kept,
): Promise<Place | undefined> {
  return await step.walk(keys.pullRequests(), { after }, async ({ key, value }) => {
    const row = PullRequestRow.safeParse(value).data;
    if (row === undefined || row.at < from) await step.delete(key);
  });
}

/** Removes courses of canaries that were last reported before the retention. */
export async function sweepCanaries(
  step: SweepStep,
  after: Place | undefined,
  { from }: Kept,
): Promise<Place | undefined> {
  return await step.walk(keys.allCanaries(), { after }, async ({ key, value }) => {
    const row = CanaryCourse.safeParse(value).data;
    if (row === undefined || row.saidAt < from) await step.delete(key);
  });
}

/** Removes quarantine notes of removed nodes. A node's own notes are removed when it releases them from quarantine. */
export async function sweepQuarantines(
  step: SweepStep,
  after: Place | undefined,
  rows: Rows,
): Promise<Place | undefined> {
  return await step.walk(keys.allQuarantines(), { after }, async ({ key }) => {
    const node = String(key.at(-1));
    if (rows.has(node)) return;
    // The node may have reported since the rows were read.
    const entry = await step.kv.get(keys.node(node));
    if (entry.versionstamp === null) await step.deleteGuarded([entry], [key]);
  });
}

/** Removes old releases, with their files, that no node has or publishes and no remaining entry refers to. */
export async function sweepReleases(
  step: SweepStep,
  after: Place | undefined,
  { from, to }: Kept,
  rows: Rows,
): Promise<Place | undefined> {
  const used = digestsOf(rows);
  const visit = async ({ key }: Deno.KvEntry<unknown>) => {
    const digest = String(key.at(-1));
    if (!used.has(digest)) await deleteRelease(step, key, digest);
  };
  const isAhead = String(after?.[0] ?? "") >= to;
  if (!isAhead) {
    const stopped = await step.walk(keys.releasesByTime(), { after, to: [from] }, visit);
    if (stopped !== undefined) return stopped;
  }
  return await step.walk(keys.releasesByTime(), { after: isAhead ? after : [to], to: [ABOVE] }, visit);
}

function digestsOf(rows: Rows): Set<string> {
  const digests = [...rows.values()].flatMap(({ active, activation, report, published }) => [
    active?.digest,
    activation?.digest,
    report?.canary?.digest,
    ...(report?.quarantine ?? []),
    ...published.map(({ digest }) => digest),
  ]);
  return new Set(digests.filter((digest) => digest !== undefined));
}

async function deleteRelease(step: SweepStep, at: Deno.KvKey, digest: string): Promise<void> {
  const { kv } = step;
  for (const list of [keys.activationsOf(digest), keys.canaries(digest), keys.quarantines(digest)]) {
    if ((await Array.fromAsync(kv.list({ prefix: list }, { limit: 1 }))).length > 0) return;
  }
  const entry = await kv.get(keys.release(digest));
  const files = await keysOf(kv, keys.releaseFiles(digest));
  const publications = await keysOf(kv, keys.publications(digest));
  // A release with that many publications is visited again.
  if (publications.length === KEYS_MAX) return await step.delete(...publications);
  await step.deleteGuarded([entry], [at, entry.key, ...files, ...publications]);
}
