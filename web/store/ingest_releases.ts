import { EVENT_TYPES, nodeOf } from "../../lib/wire/event_names.ts";
import type { EventOf, ReportEvent } from "../../lib/wire/schema.ts";
import { releaseDigest } from "../../lib/release/manifest.ts";
import { addWrites, compareAndSet, inTurn } from "./commit.ts";
import { keys } from "./keys.ts";
import { fitsWhole, longValueWrites, type PartWrite } from "./long_value.ts";
import { ReleaseRow } from "./rows.ts";
import { hexName, reason, utc, word } from "./row_values.ts";

/** Four carriers, and room for those of later versions. */
const CARRIERS_MAX = 10;

/** One event's report about a release. */
interface ReleaseFact {
  readonly node: string;
  /** Whether the node reports that it published the release. */
  readonly isPublication: boolean;
  readonly digest: ReleaseRow["digest"];
  readonly at: string;
  readonly carrier: string | undefined;
  readonly sequence: number | undefined;
  readonly signer: string | undefined;
  readonly files: number | undefined;
  readonly bytes: number | undefined;
  readonly list: EventOf<"published">["data"]["files"];
  readonly fileList: ReleaseRow["fileList"];
}

/** A run's report that a release was withdrawn, or no longer is. */
interface WithdrawalFact {
  readonly digest: ReleaseRow["digest"];
  readonly withdrawal: NonNullable<ReleaseRow["withdrawal"]>;
}

/** Stores what events report about releases: one row a release, and a list of files if a publisher sent one. */
export async function ingestReleases(kv: Deno.Kv, events: readonly ReportEvent[]): Promise<void> {
  const facts = (await Promise.all(events.map(factsOf))).flat();
  for (const [digest, ofRelease] of Map.groupBy(facts, (fact) => fact.digest)) {
    await inTurn(`release ${digest}`, () => noteRelease(kv, digest, ofRelease));
  }
}

async function factsOf(event: ReportEvent): Promise<(ReleaseFact | WithdrawalFact)[]> {
  switch (event.type) {
    case EVENT_TYPES.published:
      return [await publishedFact(event)];
    case EVENT_TYPES.finished: {
      const { release: digest, carrier, startedAt, sequence, signer, files, bytes } = event.data;
      const withdrawn = withdrawalFacts(event);
      if (digest === undefined) return withdrawn;
      const at = utc(startedAt);
      return [{ ...seenBy(event), digest, at, carrier, sequence, signer, files, bytes }, ...withdrawn];
    }
    case EVENT_TYPES.heartbeat: {
      const { current } = event.data.status;
      if (current === null) return [];
      const { digest, createdAt, sequence, files, bytes } = current;
      const at = utc(createdAt);
      const unsaid = { carrier: undefined, signer: undefined };
      return [{ ...seenBy(event), ...unsaid, digest, at, sequence, files, bytes }];
    }
    case EVENT_TYPES.started:
    case EVENT_TYPES.pullRequest:
      return [];
  }
}

function withdrawalFacts({ data: { withdrawal } }: EventOf<"finished">): WithdrawalFact[] {
  if (withdrawal === undefined) return [];
  const { digest, state, at, reason: text } = withdrawal;
  const told = { state: word(state), at: utc(at), ...(text === undefined ? {} : { reason: reason(text) }) };
  return [{ digest, withdrawal: told }];
}

/** A consumer's report of a release, which never has its files. */
function seenBy({ source }: ReportEvent) {
  return { node: nodeOf(source), isPublication: false, list: [], fileList: "none" } as const;
}

/** A node may claim anything about a digest. A complete list of files can be verified against it. */
async function publishedFact({ source, time, data }: EventOf<"published">): Promise<ReleaseFact> {
  const { digest, carrier, sequence, signer } = data;
  const list = fitsWhole(data.files) ? data.files : [];
  const isComplete = list.length > 0 && list.length === data.filesTotal;
  const isProven = isComplete && await releaseDigest(list) === digest;
  return {
    node: nodeOf(source),
    isPublication: true,
    digest,
    at: utc(time),
    carrier,
    sequence,
    signer,
    files: data.filesTotal,
    bytes: isProven ? list.reduce((sum, { size }) => sum + size, 0) : data.bytes,
    list,
    fileList: isProven ? "proven" : list.length === 0 ? "none" : "claimed",
  };
}

async function noteRelease(
  kv: Deno.Kv,
  digest: string,
  facts: readonly (ReleaseFact | WithdrawalFact)[],
): Promise<void> {
  const key = keys.release(digest);
  await compareAndSet(async () => {
    const entry = await kv.get(key);
    const before = ReleaseRow.safeParse(entry.value).data;
    const after = facts.reduce<ReleaseRow | undefined>(withFact, before);
    if (after === undefined || JSON.stringify(after) === JSON.stringify(before)) return undefined;
    const operation = kv.atomic().set(key, after).set(keys.releaseAt(after.firstAt, digest), digest);
    if (before !== undefined && before.firstAt !== after.firstAt) {
      operation.delete(keys.releaseAt(before.firstAt, digest));
    }
    addWrites(operation, listWrites(digest, before, after, facts));
    return { guards: [entry], operation };
  });
}

/** Returns the writes of the list that the row now refers to: a verified list, or the publisher's first one. */
function listWrites(
  digest: string,
  before: ReleaseRow | undefined,
  after: ReleaseRow,
  facts: readonly (ReleaseFact | WithdrawalFact)[],
): PartWrite[] {
  if (after.fileList === (before?.fileList ?? "none")) return [];
  const { list = [] } =
    facts.filter((fact) => "fileList" in fact).find(({ fileList, node }) =>
      fileList === after.fileList && (fileList === "proven" || node === after.publisher)
    ) ?? {};
  return longValueWrites(keys.releaseFiles(digest), list);
}

/**
 * Returns the row after a fact. Sequence, time, signer and claimed files come from one node: the first that reports
 * having published the release, or until then the first that reports having it. A verified list of files replaces any
 * other, whichever node sends it.
 */
function withFact(row: ReleaseRow | undefined, fact: ReleaseFact | WithdrawalFact): ReleaseRow {
  if ("withdrawal" in fact) return withWithdrawal(row, fact);
  const { digest, at, carrier } = fact;
  const before: ReleaseRow = row ?? { digest, firstAt: at, carriers: [], fileList: "none" };
  const carriers = carrier === undefined
    ? before.carriers
    : [...new Set([...before.carriers, word(carrier)])].sort();
  const named = withNames({ ...before, carriers: carriers.slice(0, CARRIERS_MAX) }, fact);
  const isProof = fact.fileList === "proven" && before.fileList !== "proven";
  const mayClaim = fact.isPublication && named.publisher === fact.node && before.fileList === "none";
  if (!isProof && !(mayClaim && fact.fileList === "claimed")) return named;
  return {
    ...named,
    fileList: fact.fileList,
    ...(fact.files === undefined ? {} : { files: fact.files }),
    ...(fact.bytes === undefined ? {} : { bytes: fact.bytes }),
  };
}

/** Returns the row with the later word on its withdrawal. Of two at the same time, the withdrawal counts. */
function withWithdrawal(row: ReleaseRow | undefined, { digest, withdrawal }: WithdrawalFact): ReleaseRow {
  const before: ReleaseRow = row ?? { digest, firstAt: withdrawal.at, carriers: [], fileList: "none" };
  const known = before.withdrawal;
  const isLater = known === undefined || withdrawal.at > known.at ||
    (withdrawal.at === known.at && withdrawal.state === "withdrawn" && known.state !== "withdrawn");
  return isLater ? { ...before, withdrawal } : before;
}

/** Returns the row with the fact's sequence, signer and sizes, if its node is the one that counts. */
function withNames(row: ReleaseRow, fact: ReleaseFact): ReleaseRow {
  const { node } = fact;
  if (row.publisher === undefined && fact.isPublication) {
    const { sequence: _claimed, signer: _too, ...others } = row;
    const base = row.namedBy === node ? row : { ...others, firstAt: fact.at };
    return withOwnNames({ ...base, namedBy: node, publisher: node }, fact);
  }
  const { namedBy = node } = row;
  return namedBy === node ? withOwnNames({ ...row, namedBy }, fact) : row;
}

/**
 * Merges facts of the node that counts. A release that was published again, such as after a rollback, has a higher
 * sequence.
 */
function withOwnNames(row: ReleaseRow, { at, ...fact }: ReleaseFact): ReleaseRow {
  const sequence = Math.max(row.sequence ?? -1, fact.sequence ?? -1);
  const signer = firstOf(row.signer, fact.signer === undefined ? undefined : hexName(fact.signer));
  const isProven = row.fileList === "proven";
  const files = isProven ? row.files : firstOf(row.files, fact.files);
  const bytes = isProven ? row.bytes : firstOf(row.bytes, fact.bytes);
  return {
    ...row,
    firstAt: at < row.firstAt ? at : row.firstAt,
    ...(sequence < 0 ? {} : { sequence }),
    ...(files === undefined ? {} : { files }),
    ...(bytes === undefined ? {} : { bytes }),
    ...(signer === undefined ? {} : { signer }),
  };
}

/** Returns the smaller value, so that the order of arrival does not matter. */
function firstOf<Value extends number | string>(
  a: Value | undefined,
  b: Value | undefined,
): Value | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return b < a ? b : a;
}
