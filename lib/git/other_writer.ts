import { join } from "node:path";
import { cleanLine } from "../core/clean_text.ts";
import type { Context } from "../core/context.ts";
import { PRIVATE_FOLDER_MODE } from "../core/files.ts";
import { ModelSyncError } from "../core/errors.ts";
import type { Digest, Manifest } from "../release/manifest.ts";
import { isClutter } from "../release/clutter.ts";
import { RELEASE_TRAILER } from "./branch.ts";
import type { Git } from "./git.ts";
import type { ObjectId } from "./object_id.ts";
import type { Registry } from "./registry.ts";
import { listTree, manifestPathOf, signaturePathOf, type TreeFile } from "./tree.ts";
import { posix } from "node:path";

/** A commit with its author and subject, each as one clean line. */
export interface CommitWords {
  readonly commit: ObjectId;
  readonly author: string;
  readonly subject: string;
}

/** Files that a commit changed without updating their manifest. */
export interface ForeignChange extends CommitWords {
  /** The commit by model-sync that the manifest describes. */
  readonly described: ObjectId;
  /** Files that are unchanged since that commit. */
  readonly kept: readonly string[];
}

/** A commit, and the means to read it. */
export interface ForeignPlace {
  readonly registry: Registry;
  /** Reads the clone and the objects that were fetched for this run. */
  readonly git: Git;
  /** An existing folder, deleted after the run. */
  readonly scratch: string;
  readonly subdir: string;
  readonly tip: ObjectId;
  readonly files: readonly TreeFile[];
}

/**
 * How many commits are searched for the one that the manifest describes: at first two months of daily commits, then
 * years.
 */
export const HISTORY_DEPTHS: readonly number[] = [64, 1024];

/**
 * Returns the files that another program changed after model-sync published a commit: the manifest is unchanged since
 * then, and the files are not.
 *
 * @returns `undefined` if another program changed the manifest, if its commit does not have the files that it lists, or
 * if the commit is not within reach
 */
export async function findForeignChange(
  context: Context,
  place: ForeignPlace,
  manifest: Manifest,
): Promise<ForeignChange | undefined> {
  const found = await findPublishing(place.git, place, manifest.digest);
  if (found !== "unknown") return await compare(place.git, place, manifest, found);
  for (const depth of HISTORY_DEPTHS) {
    const history = await fetchHistory(context, place, depth);
    const deeper = history === undefined ? "unknown" : await findPublishing(history, place, manifest.digest);
    if (history !== undefined && deeper !== "unknown") return await compare(history, place, manifest, deeper);
  }
  return undefined;
}

/**
 * The commit by model-sync that published the manifest, if it is the last one to change it; `unknown` if the history
 * ends before.
 */
async function findPublishing(
  git: Git,
  { tip, subdir }: ForeignPlace,
  digest: Digest,
): Promise<ObjectId | undefined | "unknown"> {
  const [last] = await readLog(git, ["--max-count=1", tip, "--", manifestPathOf(subdir)]);
  if (last === undefined || last.commit === tip && last.release === digest) return undefined;
  if (last.release === digest) return last.commit;
  return last.isFirst && await isShallow(git) ? "unknown" : undefined;
}

async function compare(
  git: Git,
  place: ForeignPlace,
  manifest: Manifest,
  described: ObjectId | undefined,
): Promise<ForeignChange | undefined> {
  const { subdir, tip, files } = place;
  if (described === undefined || described === tip) return undefined;
  const listed = new Set(manifest.files.map(({ path }) => path));
  const before = new Map<string, ObjectId>();
  for (const { path: fullPath, blob } of await listTree(git, described, [`${subdir}/`])) {
    const path = posix.relative(subdir, fullPath);
    if (listed.has(path) || !isClutter(path)) before.set(path, blob);
  }
  const isWhole = before.size === manifest.files.length &&
    manifest.files.every(({ path }) => before.has(path));
  if (!isWhole) return undefined;
  const kept = files.filter(({ path, blob }) => before.get(path) === blob).map(({ path }) => path);
  if (kept.length === files.length && files.length === before.size) return undefined;
  const [changing] = await readLog(git, ["--max-count=1", `${described}..${tip}`, "--", subdir]);
  if (changing === undefined) return undefined;
  const { commit, author, subject } = changing;
  return { commit, author, subject, described, kept };
}

/** The number of other programs' commits that are listed. Others are only counted. */
const NAMED_MAX = 20;

/**
 * Returns the commits that changed the models, their manifest or its signature since model-sync last published, newest
 * first; at most {@link NAMED_MAX}.
 */
export async function listOtherWriters(git: Git, head: ObjectId, subdir: string): Promise<CommitWords[]> {
  const paths = [subdir, manifestPathOf(subdir), signaturePathOf(subdir)];
  const commits = await readLog(git, [`--max-count=${NAMED_MAX}`, head, "--", ...paths]);
  const last = commits.findIndex(({ release }) => release !== undefined);
  const others = last === -1 ? commits : commits.slice(0, last);
  // In a shallow history, the first commit seems to have changed everything.
  const isCut = others.at(-1)?.isFirst === true && await isShallow(git);
  return others.slice(0, isCut ? -1 : undefined).map(({ commit, author, subject }) => ({
    commit,
    author,
    subject,
  }));
}

/** Names the commits of other programs that a publish replaces. */
export function logOtherWriters({ log }: Pick<Context, "log">, others: readonly CommitWords[]): void {
  for (const { commit, author, subject } of others) {
    const short = commit.slice(0, 12);
    log.info(
      `publishing over commit ${short} ("${subject}", by ${author}), which model-sync did not publish`,
    );
  }
}

interface LoggedCommit extends CommitWords {
  /** The release, if model-sync published it. */
  readonly release: string | undefined;
  /** The clone does not have its parent. */
  readonly isFirst: boolean;
}

/** Longer names and subjects are cut. */
const WORDS_MAX = 80;

async function readLog(git: Git, args: readonly string[]): Promise<LoggedCommit[]> {
  const format = ["%H", "%P", `%(trailers:key=${RELEASE_TRAILER},valueonly,separator=%x2C)`, "%an", "%s"]
    .join("%x00");
  const output = await git.with({ config: ["log.showSignature=false", "log.follow=false"] }).text(
    ["--literal-pathspecs", "log", "-z", "--no-color", "--no-renames", `--format=${format}%x00`, ...args],
    { action: "read the history of the models", isAlone: true },
  );
  const fields = output.split("\0");
  const commits: LoggedCommit[] = [];
  // Five fields, an empty one after the format's last NUL, and the NUL of -z.
  for (let at = 0; at + 4 < fields.length; at += 6) {
    const [commit = "", parents = "", release = "", author = "", subject = ""] = fields.slice(at, at + 5);
    commits.push({
      commit,
      author: cleanLine(author, { charsMax: WORDS_MAX }),
      subject: cleanLine(subject, { charsMax: WORDS_MAX }),
      release: /^sha256:[0-9a-f]{64}$/.test(release) ? release : undefined,
      isFirst: parents === "",
    });
  }
  return commits;
}

export async function isShallow(git: Git): Promise<boolean> {
  const answer = await git.text(["rev-parse", "--is-shallow-repository"], {
    action: "read the clone's history",
  });
  return answer === "true";
}

/**
 * Fetches commits and trees, without files, into a temporary repository. Deepening the clone would change it, also in a
 * dry run.
 *
 * @returns `undefined` if that fails: what is on this machine has to do then
 */
export async function fetchHistory(
  context: Context,
  { registry, scratch, tip }: Pick<ForeignPlace, "registry" | "scratch" | "tip">,
  depth: number,
): Promise<Git | undefined> {
  const dir = join(scratch, `history-${depth}`);
  const { remote } = registry.settings;
  const git = registry.git.with({
    env: {
      GIT_DIR: dir,
      GIT_OBJECT_DIRECTORY: join(dir, "objects"),
    },
    config: [`remote.${remote}.url=${registry.remoteUrl.url}`],
  });
  const action = "fetch the history of the models";
  try {
    context.fs.mkdirSync(dir, { recursive: true, mode: PRIVATE_FOLDER_MODE });
    await git.bytes(["init", "--quiet", "--bare"], { action });
    await git.bytes(
      [
        "fetch",
        "--quiet",
        "--no-tags",
        "--no-write-fetch-head",
        `--depth=${depth}`,
        "--filter=blob:none",
        remote,
        tip,
      ],
      { action, transfer: true },
    );
    return git;
  } catch (error) {
    context.signal.throwIfAborted();
    if (!(error instanceof ModelSyncError)) throw error;
    context.log.debug(error.message);
    return undefined;
  }
}
