import { type PublishedFile, PublishedFiles } from "../../lib/wire/schema.ts";
import { isDigest, keys } from "./keys.ts";
import { readLongValue } from "./long_value.ts";
import { type ActivePeriod, readActivations } from "./read_activations.ts";
import { readPublications } from "./read_releases.ts";
import { readRows } from "./read_rows.ts";
import { Activation, CanaryCourse, type Publication, QuarantineNote, ReleaseRow } from "./rows.ts";

/** All nodes of the largest fleet that pages are designed for. */
const NODES_MAX = 1_000;
/** A release that was activated repeatedly on many nodes. */
const ACTIVATIONS_MAX = 3_000;
/** A course has up to 64 KiB. Few nodes run canaries. */
const CANARIES_MAX = 20;
/** Lists that are read at the same time. */
const READS_MAX = 20;

/** A release with everything that nodes reported about it. */
export interface StoredRelease {
  readonly row: ReleaseRow;
  /** Newest first. */
  readonly publications: readonly Publication[];
  /** The listed files; `undefined` if no publisher listed them. */
  readonly files: readonly PublishedFile[] | undefined;
  /** Periods in which it was active, newest first. */
  readonly active: readonly ActivePeriod[];
  readonly quarantines: readonly QuarantineNote[];
  readonly canaries: readonly CanaryCourse[];
}

/** Returns a release; `undefined` if no node has reported it. */
export async function readRelease(kv: Deno.Kv, digest: string): Promise<StoredRelease | undefined> {
  if (!isDigest(digest)) return undefined;
  const row = ReleaseRow.safeParse((await kv.get(keys.release(digest))).value);
  if (!row.success) return undefined;
  const [publications, files, active, quarantines, canaries] = await Promise.all([
    readPublications(kv, digest),
    readReleaseFiles(kv, digest),
    readActivePeriods(kv, digest),
    readRows(kv, keys.quarantines(digest), QuarantineNote, NODES_MAX),
    readRows(kv, keys.canaries(digest), CanaryCourse, CANARIES_MAX),
  ]);
  return { row: row.data, publications, files, active, quarantines, canaries };
}

/** Returns the files that the publisher listed; `undefined` if it listed none. */
export async function readReleaseFiles(
  kv: Deno.Kv,
  digest: string,
): Promise<readonly PublishedFile[] | undefined> {
  return isDigest(digest) ? await readLongValue(kv, keys.releaseFiles(digest), PublishedFiles) : undefined;
}

/** Returns the periods in which a release was active. Each ends with the next activation on the same node. */
async function readActivePeriods(kv: Deno.Kv, digest: string): Promise<ActivePeriod[]> {
  const activations = await readRows(kv, keys.activationsOf(digest), Activation, ACTIVATIONS_MAX);
  // The list is sorted by time, so the first activation of a node is its earliest.
  const earliest = new Map<string, string>();
  for (const { node, at } of activations) if (!earliest.has(node)) earliest.set(node, at);
  const nodes = [...earliest].slice(0, NODES_MAX);
  const periods: ActivePeriod[] = [];
  for (let index = 0; index < nodes.length; index += READS_MAX) {
    const read = nodes.slice(index, index + READS_MAX).map(([node, from]) =>
      readActivations(kv, node, { from })
    );
    periods.push(...(await Promise.all(read)).flat());
  }
  return periods.filter((period) => period.digest === digest).sort((a, b) => a.at < b.at ? 1 : -1);
}
