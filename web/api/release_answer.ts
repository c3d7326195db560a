import type { StoredRelease } from "../store/read_release.ts";
import type { Release } from "./answers.ts";
import { periodAnswer } from "./node_answers.ts";

/** Returns a release as the API answers it. */
export function releaseAnswer(
  { row, publications, files = [], active, quarantines, canaries }: StoredRelease,
): Release {
  return {
    digest: row.digest,
    sequence: row.sequence ?? null,
    firstAt: row.firstAt,
    filesTotal: row.files ?? null,
    bytes: row.bytes ?? null,
    carriers: row.carriers,
    signer: row.signer ?? null,
    withdrawal: row.withdrawal?.state === "withdrawn"
      ? { at: row.withdrawal.at, reason: row.withdrawal.reason ?? "" }
      : null,
    fileList: row.fileList,
    files: files.map((file) => ({ ...file })),
    publications: publications.map(({ node, at, runId, carrier, revision, previous }) => ({
      node,
      at,
      runId,
      carrier: carrier ?? null,
      revision: revision ?? null,
      previous: previous ?? null,
    })),
    active: active.map(periodAnswer),
    quarantines: quarantines.map(({ node, reason, at }) => ({ node, reason, at })),
    canaries: canaries.map((
      { node, previous, runId, status, reason, startedAt, concludedAt, metrics },
    ) => ({ node, previous, runId, status, reason, startedAt, concludedAt, metrics })),
  };
}
