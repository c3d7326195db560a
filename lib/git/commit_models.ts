import { join, posix } from "node:path";
import type { Context } from "../core/context.ts";
import { FailedError } from "../core/errors.ts";
import { findEntry, findText, removeFile } from "../core/files.ts";
import {
  createManifest,
  type Digest,
  formatManifest,
  type Manifest,
  type ManifestDetails,
  type ReleaseFile,
} from "../release/manifest.ts";
import { parsePointer, POINTER_BYTES_MAX } from "../release/lfs_pointer.ts";
import type { ModelSet } from "../release/model_set.ts";
import { ATTRIBUTES, forbidConversions, lfsPathTest, withLfsPaths } from "./attributes.ts";
import { readSmallBlob } from "./blobs.ts";
import { RELEASE_TRAILER, SEQUENCE_TRAILER } from "./branch.ts";
import { missingIdentity } from "./identity.ts";
import { closeJournal, openJournal, restorePaths, takeBack } from "./journal.ts";
import type { ObjectId, Registry } from "./registry.ts";
import type { ReleaseSigner } from "../signing/seal.ts";
import { manifestPathOf, signaturePathOf } from "./tree.ts";
import { changing, placeText, writeWorktree } from "./worktree.ts";

/** What a publish commit is made of. */
export interface ModelCommit {
  readonly subdir: string;
  readonly set: ModelSet;
  /** Paths within the set that are kept in Git LFS. */
  readonly lfsPaths: readonly string[];
  /** The commit to build on. */
  readonly head: ObjectId | undefined;
  /** What `head` holds, where this machine knows that its files and its manifest agree. */
  readonly base: Manifest | undefined;
  /** The manifest that `head` holds is damaged, or of other models: it has to be replaced even if no model differs. */
  readonly isManifestStale: boolean;
  readonly details: ManifestDetails;
  /** Signs the release. Without one a signature that is there goes: it would be that of another release. */
  readonly signer: ReleaseSigner | undefined;
  readonly message: string;
  /** The worktree or the index may hold other people's changes, which stay out of the commit. */
  readonly allowDirtyWorktree: boolean;
}

/**
 * Commits a model set to the clone: writes what differs into the worktree, stages exactly that, checks that git stored
 * every byte as it was, and adds the manifest. A kill at any point is taken back by the next publish.
 *
 * @returns the new commit; `undefined` when there is nothing to change
 */
export async function commitModels(
  context: Context,
  registry: Registry,
  change: ModelCommit,
): Promise<ObjectId | undefined> {
  const { subdir, head } = change;
  const manifestPath = manifestPathOf(subdir);
  const paths = [subdir, manifestPath, signaturePathOf(subdir), ATTRIBUTES];
  registry.sweep();
  openJournal(context, registry, { phase: "writing", head: head ?? null, paths });
  try {
    const commit = await writeCommit(context, registry, change, manifestPath);
    if (commit === undefined) await restorePaths(registry.git, head, paths);
    closeJournal(context, registry);
    return commit;
  } catch (error) {
    await takeBack(context, registry);
    throw error;
  }
}

async function writeCommit(
  context: Context,
  registry: Registry,
  change: ModelCommit,
  manifestPath: string,
): Promise<ObjectId | undefined> {
  const { subdir, set } = change;
  forbidConversions(context, registry, subdir);
  const before = findText(context.fs, join(registry.git.repoDir, ATTRIBUTES)) ?? "";
  const attributes = writeAttributes(context, registry, change, before) ? [ATTRIBUTES] : [];
  const unchanged = unchangedFiles(change, lfsPathTest(before));
  const write = set.files.filter((file) => !unchanged.has(file.path));
  const remove = await findGone(registry, change);
  const written = await writeWorktree(context, registry, { subdir, write, remove });
  const folders = new Set(write.flatMap((file) => foldersOf(file.path)));
  const touched = [...remove.filter((path) => !folders.has(path)), ...write.map((file) => file.path)].map((
    path,
  ) => posix.join(subdir, path));
  await stagePaths(registry, [...touched, ...attributes]);
  const staged = await findStaged(registry, change);
  if (staged.length === 0 && !change.isManifestStale) return undefined;
  await checkStored(registry, change, staged);
  const manifest = await createManifest([...unchanged.values(), ...written], change.details);
  if (manifest.digest !== set.digest) throw changing(set.dir);
  const text = formatManifest(manifest);
  placeText(context, registry, manifestPath, text);
  const signature = await writeSignature(context, registry, change, manifest, text);
  await stagePaths(registry, [manifestPath, ...signature]);
  return await commit(registry, change, manifest.digest, [subdir, manifestPath, ...signature, ...attributes]);
}

/** @returns its path, if the commit changes it */
async function writeSignature(
  context: Context,
  registry: Registry,
  { subdir, signer }: ModelCommit,
  manifest: Manifest,
  text: string,
): Promise<string[]> {
  const path = signaturePathOf(subdir);
  if (signer !== undefined) {
    placeText(context, registry, path, await signer.sign(manifest, text, posix.basename(subdir)));
    return [path];
  }
  const present = join(registry.git.repoDir, path);
  if (findEntry(context.fs, present) === undefined) return [];
  context.log.warn(`removing ${path}: it signs an earlier release, and no signing key is configured here`);
  removeFile(context.fs, present);
  return [path];
}

/** Files with the content of before, kept where they were kept: inside Git LFS or outside. */
function unchangedFiles(change: ModelCommit, wasLfs: (path: string) => boolean): Map<string, ReleaseFile> {
  const base = new Map(change.base?.files.map((file) => [file.path, file]));
  const lfsPaths = new Set(change.lfsPaths);
  const unchanged = new Map<string, ReleaseFile>();
  for (const file of change.set.files) {
    const before = base.get(file.path);
    const stays = wasLfs(posix.join(change.subdir, file.path)) === lfsPaths.has(file.path);
    if (before?.sha256 === file.sha256 && stays) unchanged.set(file.path, before);
  }
  return unchanged;
}

/** Writes the LFS paths into `.gitattributes`; whether it has to be staged. */
function writeAttributes(
  context: Context,
  registry: Registry,
  change: ModelCommit,
  before: string,
): boolean {
  const after = withLfsPaths(before, change.lfsPaths.map((file) => posix.join(change.subdir, file)));
  if (after === before) return false;
  placeText(context, registry, ATTRIBUTES, after);
  return true;
}

/** Files that the registry has and the set has not, relative to the model folder. */
async function findGone(registry: Registry, change: ModelCommit): Promise<string[]> {
  const kept = new Set(change.set.files.map((file) => file.path));
  const tracked = await listTracked(registry, change.subdir);
  return tracked.filter((path) => !kept.has(path));
}

/** The tracked files of the model folder, relative to it. */
export async function listTracked(registry: Registry, subdir: string): Promise<string[]> {
  const output = await registry.git.text(["--literal-pathspecs", "ls-files", "-z", "--", `${subdir}/`], {
    action: `list ${subdir} in ${registry.git.repoDir}`,
  });
  return output.split("\0").filter((path) => path !== "").map((path) => path.slice(subdir.length + 1));
}

/** `a/b/c` is in `a` and `a/b`. */
function foldersOf(path: string): string[] {
  return path.split("/").slice(0, -1).map((_, index, parts) => parts.slice(0, index + 1).join("/"));
}

/** Stages exactly these paths, present or gone, whatever ignore rules say; a file replaces a folder of its name. */
async function stagePaths(registry: Registry, paths: readonly string[]): Promise<void> {
  if (paths.length === 0) return;
  // In a partial clone git would ask the remote for every new file, to see whether it has it.
  const git = registry.git.with({ env: { GIT_NO_LAZY_FETCH: "1" } });
  await git.bytes(["update-index", "--add", "--remove", "--replace", "-z", "--stdin"], {
    action: `stage ${paths.length} files in ${registry.git.repoDir}`,
    stdin: paths.map((path) => `${path}\0`).join(""),
    transfer: true,
  });
}

interface StagedBlob {
  /** Relative to the model folder. */
  readonly path: string;
  readonly blob: ObjectId;
}

/** The model files that differ from the commit; a removed one has the null object as its blob. */
async function findStaged(registry: Registry, change: ModelCommit): Promise<StagedBlob[]> {
  const action = `compare the models in ${registry.git.repoDir}`;
  const against = change.head ?? await registry.git.text(["mktree"], { action, stdin: "" });
  const output = await registry.git.text(
    [
      "--literal-pathspecs",
      "diff-index",
      "--cached",
      "--raw",
      "--no-renames",
      "--no-abbrev",
      "-z",
      against,
      "--",
      `${change.subdir}/`,
    ],
    { action },
  );
  const fields = output.split("\0");
  const staged: StagedBlob[] = [];
  for (let index = 0; index + 1 < fields.length; index += 2) {
    const blob = fields[index]?.split(" ")[3];
    const path = fields[index + 1];
    if (blob !== undefined && path !== undefined) {
      staged.push({ blob, path: path.slice(change.subdir.length + 1) });
    }
  }
  return staged;
}

/** Git must hold every file byte for byte, or as a pointer to those bytes: filters of the user's could have changed it. */
async function checkStored(
  registry: Registry,
  change: ModelCommit,
  staged: readonly StagedBlob[],
): Promise<void> {
  const expected = new Map(change.set.files.map((file) => [file.path, file]));
  const present = staged.filter(({ blob }) => !/^0+$/.test(blob));
  await refuseFilters(registry, change, present);
  const output = await registry.git.text(["cat-file", "--batch-check=%(objectname) %(objectsize)"], {
    action: `check what git stored in ${registry.git.repoDir}`,
    stdin: present.map(({ blob }) => `${blob}\n`).join(""),
  });
  const sizes = new Map(
    output.split("\n").map((line) => line.split(" ")).map(([blob, size]) => [blob, Number(size)]),
  );
  for (const { path, blob } of present) {
    const file = expected.get(path);
    if (file !== undefined && sizes.get(blob) === file.size) continue;
    const pointer = (sizes.get(blob) ?? Infinity) < POINTER_BYTES_MAX
      ? parsePointer(await readSmallBlob(registry.git, blob, POINTER_BYTES_MAX))
      : undefined;
    if (pointer !== undefined && pointer.sha256 === file?.sha256) continue;
    throw new FailedError(
      `Cannot publish ${path}: git stored ${sizes.get(blob)} bytes of it instead of ${file?.size ?? 0}`,
      {
        code: "GIT_CONVERTS",
        hint: "a filter in the repository's .gitattributes or git configuration rewrites it: remove that",
      },
    );
  }
}

/** A filter that keeps the size would pass for none, so that none but Git LFS may be at work. */
async function refuseFilters(
  registry: Registry,
  change: ModelCommit,
  present: readonly StagedBlob[],
): Promise<void> {
  if (present.length === 0) return;
  const output = await registry.git.text(["check-attr", "-z", "--stdin", "filter"], {
    action: `look for filters in ${registry.git.repoDir}`,
    stdin: present.map(({ path }) => `${posix.join(change.subdir, path)}\0`).join(""),
  });
  const fields = output.split("\0");
  for (let index = 0; index + 2 < fields.length; index += 3) {
    const [path, , filter = ""] = fields.slice(index, index + 3);
    if (["unspecified", "unset", "lfs"].includes(filter)) continue;
    throw new FailedError(`Cannot publish ${path}: the filter "${filter}" of the repository may rewrite it`, {
      code: "GIT_CONVERTS",
      hint: "remove it for the models from the repository's .gitattributes",
    });
  }
}

async function commit(
  registry: Registry,
  change: ModelCommit,
  digest: Digest,
  paths: readonly string[],
): Promise<ObjectId> {
  const message =
    `${change.message.trimEnd()}\n\n${RELEASE_TRAILER}: ${digest}\n${SEQUENCE_TRAILER}: ${change.details.sequence}\n`;
  const git = registry.git.with({
    config: await missingIdentity(registry.git, change.details.origin.host ?? "localhost"),
  });
  const only = change.allowDirtyWorktree ? ["--only", "--", ...paths] : [];
  await git.bytes(["--literal-pathspecs", "commit", "--quiet", "--file=-", ...only], {
    action: `commit to ${registry.git.repoDir}`,
    stdin: message,
    transfer: true,
  });
  const head = await registry.findCommit("HEAD");
  if (head === undefined) throw new TypeError("no HEAD after a commit");
  return head;
}
