import type { StoredRelease } from "../store/read_release.ts";
import { nameFor, publicPeriod, timeOr } from "./public_view.ts";

/**
 * Returns a release for the public: its name and size, and where it was active. Files, carriers, signer, revisions, and
 * the reasons of withdrawals, quarantines and canaries are left out.
 */
export function publicRelease(release: StoredRelease, names: ReadonlyMap<string, string>): StoredRelease {
  const { row, publications, active, quarantines, canaries } = release;
  const { digest, sequence, firstAt, files, bytes, withdrawal } = row;
  return {
    row: {
      digest,
      ...(sequence === undefined ? {} : { sequence }),
      firstAt,
      ...(files === undefined ? {} : { files }),
      ...(bytes === undefined ? {} : { bytes }),
      ...(withdrawal === undefined ? {} : { withdrawal: { state: withdrawal.state, at: withdrawal.at } }),
      fileList: "none",
      carriers: [],
    },
    publications: publications.map(({ node, at }) => ({ node: nameFor(node, names), at, runId: "" })),
    files: undefined,
    active: active.map((period) => publicPeriod(period, names)),
    quarantines: quarantines.map(({ node, at, saidAt }) => ({
      node: nameFor(node, names),
      reason: "",
      at: timeOr(at, saidAt),
      saidAt,
    })),
    canaries: canaries.map((course) => ({
      ...course,
      node: nameFor(course.node, names),
      runId: "",
      reason: "",
      startedAt: timeOr(course.startedAt, course.saidAt),
      concludedAt: course.concludedAt === null ? null : timeOr(course.concludedAt, null),
      metrics: [],
    })),
  };
}
