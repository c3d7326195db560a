import { decodeUtf8 } from "../core/decode_utf8.ts";
import { quote } from "../core/quote.ts";
import { posix } from "node:path";
import { RefusedError, UsageError } from "../core/errors.ts";
import { fileListProblem, type Manifest, MANIFEST_NAME } from "../release/manifest.ts";
import { SIGNATURE_NAME } from "../release/registry_file.ts";
import { compareUtf8 } from "../core/portable_path.ts";
import { isClutter } from "../release/clutter.ts";
import type { Git } from "./git.ts";
import type { ObjectId } from "./object_id.ts";

/** A file of the model folder in a commit. */
export interface TreeFile {
  /** Relative to the model folder. */
  readonly path: string;
  readonly blob: ObjectId;
}

/** A commit's files of a model set. */
export interface ModelTree {
  readonly files: readonly TreeFile[];
  /** Housekeeping files (`.DS_Store` …). A manifest may list them nevertheless. */
  readonly clutter: readonly TreeFile[];
  /** The manifest beside the model folder. Registries of the original scripts have none. */
  readonly manifestBlob: ObjectId | undefined;
  /** The signature beside the manifest. */
  readonly signatureBlob: ObjectId | undefined;
}

/** The modes of files in a tree. */
export const REGULAR_FILES = ["100644", "100755"];
const KINDS: Readonly<Record<string, string>> = { "120000": "a symbolic link", "160000": "a submodule" };

/** Returns the manifest's path in the repository: beside the model folder. */
export function manifestPathOf(subdir: string): string {
  return posix.join(posix.dirname(subdir), MANIFEST_NAME);
}

/** Returns the signature's path in the repository: beside the manifest. */
export function signaturePathOf(subdir: string): string {
  return posix.join(posix.dirname(subdir), SIGNATURE_NAME);
}

/**
 * Returns the entries of a commit or a tree at these paths, folders with their content.
 *
 * @throws {RefusedError} code `REGISTRY_UNFIT` for a name that is not UTF-8
 */
export async function listTree(git: Git, tree: ObjectId, paths: readonly string[]): Promise<TreeEntry[]> {
  return [...await readTree(git, tree, paths)];
}

/** As {@link listTree}. The entries of many files are not in memory at once. */
export async function readTree(
  git: Git,
  tree: ObjectId,
  paths: readonly string[],
): Promise<Iterable<TreeEntry>> {
  const output = await git.bytes(["ls-tree", "-r", "-z", "--full-tree", tree, "--", ...paths], {
    action: `list ${paths[0]} in ${tree}`,
    isAlone: true,
  });
  return parseTree(decode(output, tree), tree);
}

/**
 * Lists the model folder, its manifest and its signature in a commit. Entries that are not plain files with portable
 * names are refused here, before any of them is written to a disk.
 *
 * @throws {RefusedError} code `REGISTRY_UNFIT`
 * @throws {UsageError} code `SUBDIR_MISSING`
 */
export async function readModelTree(
  git: Git,
  commit: ObjectId,
  subdir: string,
): Promise<ModelTree> {
  const beside = [manifestPathOf(subdir), signaturePathOf(subdir)];
  const files: TreeFile[] = [];
  const clutter: TreeFile[] = [];
  const blobs = new Map<string, ObjectId>();
  for (const entry of await readTree(git, commit, [`${subdir}/`, ...beside])) {
    const isBeside = beside.includes(entry.path);
    const path = entry.path.slice(subdir.length + 1);
    if (!isBeside && isClutter(path)) {
      if (REGULAR_FILES.includes(entry.mode)) clutter.push({ path, blob: entry.blob });
      continue;
    }
    if (!REGULAR_FILES.includes(entry.mode)) {
      const kind = KINDS[entry.mode] ?? `an entry of mode ${entry.mode}`;
      throw unfit(commit, `${quote(entry.path)} is ${kind}`);
    }
    const folder = beside.find((path) => entry.path.startsWith(`${path}/`));
    if (folder !== undefined) throw unfit(commit, `${folder} is a folder`);
    if (isBeside) blobs.set(entry.path, entry.blob);
    else files.push({ path, blob: entry.blob });
  }
  if (files.length === 0) {
    throw new UsageError(
      `Cannot find models in ${commit.slice(0, 12)}: it has no folder "${subdir}" with files`,
      {
        code: "SUBDIR_MISSING",
        hint: "set model_sync.repo_models_subdir or --repo-models-subdir to the folder that holds the models",
      },
    );
  }
  const problem = fileListProblem(files.map((file) => file.path));
  if (problem !== undefined) throw unfit(commit, problem);
  files.sort((a, b) => compareUtf8(a.path, b.path));
  const [manifestBlob, signatureBlob] = beside.map((path) => blobs.get(path));
  return { files, clutter, manifestBlob, signatureBlob };
}

/** Returns the files of a tree that belong to the release, with the housekeeping files that its manifest lists. */
export function releaseFilesOf(
  { files, clutter }: Pick<ModelTree, "files" | "clutter">,
  manifest: Pick<Manifest, "files"> | undefined,
): readonly TreeFile[] {
  if (manifest === undefined || clutter.length === 0) return files;
  const listed = new Set(manifest.files.map(({ path }) => path));
  const claimed = clutter.filter(({ path }) => listed.has(path));
  return claimed.length === 0 ? files : [...files, ...claimed].sort((a, b) => compareUtf8(a.path, b.path));
}

/** Returns the paths of the housekeeping files that are not among a release's files. */
export function leftOutOf({ clutter }: Pick<ModelTree, "clutter">, release: readonly TreeFile[]): string[] {
  const own = new Set(release);
  return clutter.filter((file) => !own.has(file)).map(({ path }) => path);
}

/** An entry of a tree, of any kind. */
export interface TreeEntry {
  readonly mode: string;
  readonly blob: ObjectId;
  readonly path: string;
}

function* parseTree(text: string, commit: ObjectId): Generator<TreeEntry> {
  let start = 0;
  for (let end = text.indexOf("\0"); end !== -1; end = text.indexOf("\0", start)) {
    const line = text.slice(start, end);
    const match = /^(\d{6}) \w+ ([0-9a-f]{40,64})\t([\s\S]+)$/.exec(line);
    const [, mode, blob, path] = match ?? [];
    if (mode === undefined || blob === undefined || path === undefined) {
      throw unfit(commit, `git lists ${quote(line)}, which is not a tree entry`);
    }
    yield { mode, blob, path };
    start = end + 1;
  }
}

/** Decodes all entries at once: one by one takes ten times as long. */
function decode(output: Uint8Array, commit: ObjectId): string {
  const text = decodeUtf8(output);
  if (text !== undefined) return text;
  const lines = new TextDecoder().decode(output).split("\0");
  const line = lines.find((line) => line.includes("\ufffd"));
  throw unfit(commit, `the file name ${quote(line?.slice(line.indexOf("\t") + 1) ?? "")} is not UTF-8`);
}

function unfit(commit: ObjectId, problem: string): RefusedError {
  return new RefusedError(`Cannot use commit ${commit.slice(0, 12)}: ${problem}`, {
    code: "REGISTRY_UNFIT",
    hint: "fix the registry and pull again; the active release is untouched",
  });
}
