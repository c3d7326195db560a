import { join } from "node:path";
import type { Context } from "../core/context.ts";
import { encodePieces } from "../core/encode_pieces.ts";
import { removeIfThere } from "../core/files.ts";
import type { Sha256 } from "../core/hash.ts";
import { parsePointer, POINTER_BYTES_MAX } from "../release/lfs_pointer.ts";
import type { ReleaseFile } from "../release/manifest.ts";
import { readSmallBlob } from "./blobs.ts";
import { type ObjectFormat, objectFormatOf, type ObjectId } from "./object_id.ts";
import type { Git } from "./git.ts";
import { missingIdentity } from "./git_options.ts";
import { scratchOf } from "./journal.ts";
import type { Registry } from "./registry.ts";
import { converted, type StagedEntry } from "./stage_models.ts";
import { listTree, readTree } from "./tree.ts";

/**
 * An index for this commit only. Files that people staged in the clone's index stay out of the commit, and no other
 * process changes this index.
 */
export function scratchIndex(registry: Registry): string {
  return join(scratchOf(registry), "index");
}

/** Creates a commit's tree with some entries replaced. {@link scratchIndex} contains it as well. */
export async function makeTree(
  context: Context,
  registry: Registry,
  head: ObjectId | undefined,
  entries: readonly StagedEntry[],
): Promise<ObjectId> {
  const index = await CommitIndex.create(context, registry, head);
  await index.replace(entries);
  return await index.writeTree();
}

/** {@link scratchIndex} with the entries of a commit, some of which are replaced. */
export class CommitIndex {
  /** The repository with this index. */
  readonly git: Git;
  readonly #action: string;

  private constructor(registry: Registry) {
    this.#action = `write a commit to ${registry.git.repoDir}`;
    this.git = registry.git.with({
      env: { GIT_INDEX_FILE: scratchIndex(registry), GIT_NO_LAZY_FETCH: "1" },
      config: ["core.splitIndex=false"],
    });
  }

  /** @param head `undefined` for an empty index */
  static async create(
    { fs }: Pick<Context, "fs">,
    registry: Registry,
    head: ObjectId | undefined,
  ): Promise<CommitIndex> {
    fs.mkdirSync(scratchOf(registry), { recursive: true });
    removeIfThere(fs, scratchIndex(registry));
    const index = new CommitIndex(registry);
    // Without a file, it is empty.
    if (head !== undefined) await index.git.bytes(["read-tree", head], { action: index.#action });
    return index;
  }

  async replace(entries: readonly StagedEntry[]): Promise<void> {
    if (entries.length === 0) return;
    const isRemoval = ({ mode }: StagedEntry) => Number(mode) === 0;
    // Removals come first: a removed path may be in the way of a new one.
    const ordered = [...entries.filter(isRemoval), ...entries.filter((entry) => !isRemoval(entry))];
    await this.git.bytes(["update-index", "--add", "--replace", "-z", "--index-info"], {
      action: this.#action,
      stdin: encodePieces(linesOf(ordered)),
      isAlone: true,
    });
  }

  async writeTree(): Promise<ObjectId> {
    // A blobless clone does not have the blobs of files that did not change.
    return await this.git.text(["write-tree", "--missing-ok"], { action: this.#action });
  }
}

/** Yields the input of `git update-index -z --index-info`. */
function* linesOf(entries: readonly StagedEntry[]): Generator<string> {
  for (const { mode, blob, path } of entries) yield `${mode} ${blob}\t${path}\0`;
}

/** Writes a text as a blob, and returns its name. */
export async function writeBlob(registry: Registry, text: string): Promise<ObjectId> {
  return await registry.git.text(["hash-object", "-w", "--stdin"], {
    action: `write to ${registry.git.repoDir}`,
    stdin: text,
  });
}

/** Returns the changes that remove what a commit has at a path: a file, or a folder with its content. */
export async function removalOf(registry: Registry, head: ObjectId, path: string): Promise<StagedEntry[]> {
  return (await listTree(registry.git, head, [path])).map(removed);
}

/** Returns the change that removes a file. */
export function removed({ path, blob }: Pick<StagedEntry, "path" | "blob">): StagedEntry {
  return { path, mode: "000000", blob };
}

/** The objects that a tree may have for a file: its blob, or a Git LFS pointer to its bytes. */
export interface ExpectedFile extends Pick<ReleaseFile, "size"> {
  /** Without it, no pointer may take the place of the file. */
  readonly sha256?: Sha256;
  /** The blob's name, computed from the bytes or taken from a verified commit. */
  readonly blob: ObjectId;
}

/**
 * Compares a tree with the expected files, by names and objects. Paths of the tree outside `paths` are not compared.
 *
 * @param paths must contain exactly the expected files; a folder ends with a slash
 * @throws {FailedError} code `GIT_CONVERTS`
 */
export async function checkTree(
  registry: Registry,
  tree: ObjectId,
  paths: readonly string[],
  expected: ReadonlyMap<string, ExpectedFile>,
): Promise<void> {
  let found = 0;
  for (const { path, mode, blob } of await readTree(registry.git, tree, paths)) {
    const file = expected.get(path);
    if (file === undefined) throw converted(path, "the commit contains it, but the model folder does not");
    found++;
    if (mode !== "100644" && mode !== "100755") throw converted(path, `git stored it with mode ${mode}`);
    if (blob !== file.blob && !await isPointerTo(registry, blob, file)) {
      throw converted(path, `git stored different bytes, as ${blob} instead of ${file.blob}`);
    }
  }
  // A tree has each path once.
  if (found < expected.size) {
    throw converted(await findMissing(registry, tree, paths, expected), "git did not store it");
  }
}

async function findMissing(
  registry: Registry,
  tree: ObjectId,
  paths: readonly string[],
  expected: ReadonlyMap<string, ExpectedFile>,
): Promise<string> {
  const missing = new Set(expected.keys());
  for (const { path } of await readTree(registry.git, tree, paths)) missing.delete(path);
  const [first = paths[0] ?? ""] = missing;
  return first;
}

async function isPointerTo(registry: Registry, blob: ObjectId, file: ExpectedFile): Promise<boolean> {
  const size = await registry.git.text(["cat-file", "-s", blob], {
    action: `check what git stored in ${registry.git.repoDir}`,
  });
  if (Number(size) >= POINTER_BYTES_MAX) return false;
  const pointer = parsePointer(
    await readSmallBlob(registry.git, blob, {
      name: `object ${blob}`,
      bytesMax: POINTER_BYTES_MAX,
      code: "GIT_CONVERTS",
    }),
  );
  return pointer !== undefined && pointer.sha256 === file.sha256 && pointer.bytes === file.size;
}

/** Returns the hash by which the repository names its objects. */
export async function formatOf(registry: Registry, head: ObjectId | undefined): Promise<ObjectFormat> {
  return objectFormatOf(
    head ?? await registry.git.text(["mktree"], { action: "read the repository's object format", stdin: "" }),
  );
}

/** The content of a commit. */
interface NewCommit {
  readonly tree: ObjectId;
  readonly parent: ObjectId | undefined;
  readonly message: string;
  readonly host: string;
}

/** Creates a commit. No branch names it yet. */
export async function createCommit(
  registry: Registry,
  { tree, parent, message, host }: NewCommit,
): Promise<ObjectId> {
  const action = `commit to ${registry.git.repoDir}`;
  const git = registry.git.with({ config: missingIdentity((key) => registry.isConfigured(key), host) });
  const parents = parent === undefined ? [] : ["-p", parent];
  return await git.text(["commit-tree", tree, ...parents, "-F", "-"], {
    action,
    stdin: message,
    isAlone: true,
  });
}

/** Moves the branch to a new commit, on top of the commit that was checked. The worktree is not involved. */
export async function moveToCommit(
  registry: Registry,
  { commit, parent, message }: Pick<NewCommit, "parent" | "message"> & { readonly commit: ObjectId },
): Promise<void> {
  const action = `commit to ${registry.git.repoDir}`;
  const before = parent ?? "0".repeat(commit.length);
  const [subject = ""] = message.split("\n");
  const branch = `refs/heads/${registry.settings.branch}`;
  await registry.git.bytes(["update-ref", "-m", `commit: ${subject}`, branch, commit, before], {
    action,
    isAlone: true,
  });
}
