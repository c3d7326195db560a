import type { Context } from "../core/context.ts";
import { Digest } from "../release/manifest.ts";
import { RELEASE_TRAILER, SEQUENCE_TRAILER } from "./branch.ts";
import type { Git } from "./git.ts";
import type { ObjectId } from "./object_id.ts";
import { fetchHistory, type ForeignPlace, HISTORY_DEPTHS, isShallow } from "./other_writer.ts";
import { manifestPathOf } from "./tree.ts";

/** A commit by which model-sync published a release. */
export interface PublishedCommit {
  readonly commit: ObjectId;
  readonly release: Digest;
  readonly sequence: number;
}

/** The published commits of a branch, newest first, and the git that reads them. Their files may be missing. */
export interface ReleaseHistory {
  readonly git: Git;
  readonly commits: readonly PublishedCommit[];
}

/** The most commits that are read: three years of daily publishes. */
const COMMITS_MAX = 1_024;

/**
 * Searches the releases that were published to a branch. A clone of our own may hold only the last commits: if the search
 * finds nothing there, more of the history is fetched into a temporary folder.
 *
 * @param find returns `undefined` to search a longer history
 */
export async function searchHistory<Found>(
  context: Context,
  place: Omit<ForeignPlace, "files">,
  find: (history: ReleaseHistory) => Promise<Found | undefined> | Found | undefined,
): Promise<Found | undefined> {
  const { git } = place;
  const found = await find({ git, commits: await readPublished(git, place) });
  if (found !== undefined || !await isShallow(git)) return found;
  for (const depth of HISTORY_DEPTHS) {
    const history = await fetchHistory(context, place, depth);
    if (history === undefined) return undefined;
    const deeper = await find({ git: history, commits: await readPublished(history, place) });
    if (deeper !== undefined) return deeper;
  }
  return undefined;
}

async function readPublished(
  git: Git,
  { tip, subdir }: Pick<ForeignPlace, "tip" | "subdir">,
): Promise<PublishedCommit[]> {
  const trailer = (key: string) => `%(trailers:key=${key},valueonly,separator=%x2C)`;
  const output = await git.with({ config: ["log.showSignature=false", "log.follow=false"] }).text(
    [
      "--literal-pathspecs",
      "log",
      "--no-color",
      "--no-renames",
      `--max-count=${COMMITS_MAX}`,
      `--format=%H ${trailer(RELEASE_TRAILER)} ${trailer(SEQUENCE_TRAILER)}`,
      tip,
      "--",
      manifestPathOf(subdir),
    ],
    { action: "read the history of the models" },
  );
  return output.split("\n").flatMap((line) => {
    const [commit = "", release, sequence = ""] = line.split(" ");
    const digest = Digest.safeParse(release);
    return digest.success && /^\d{1,16}$/.test(sequence)
      ? [{ commit, release: digest.data, sequence: Number(sequence) }]
      : [];
  });
}
