import { decodeUtf8 } from "../../core/decode_utf8.ts";
import { RefusedError } from "../../core/errors.ts";
import { formatBytes } from "../../core/format.ts";
import { isOutputTooLarge, STDOUT_BYTES_MAX } from "../../core/subprocess.ts";
import { findMissing } from "../../git/find_missing.ts";
import type { Git } from "../../git/git.ts";
import { BLOBLESS, bloblessFetch } from "../../git/git_options.ts";
import type { ObjectId } from "../../git/object_id.ts";
import type { FileTexts } from "../plan.ts";

/** A clone whose commits are read. */
export interface CommitFiles {
  readonly git: Git;
  /** The repository's name, for errors. */
  readonly name: string;
  /** The remote from which a shallow clone fetches missing files; `undefined` for a whole clone. */
  readonly remote: string | undefined;
}

/** A file in a tree. */
interface TreeEntry {
  readonly mode: string;
  readonly id: ObjectId;
}

/**
 * Returns the entries of files at the root of a commit. Missing files are left out.
 *
 * @throws {RefusedError} code `REFERENCE_FILE_UNFIT` for an entry that is not a plain file
 */
export async function listEntries(
  files: CommitFiles,
  commit: ObjectId,
  paths: readonly string[],
): Promise<ReadonlyMap<string, TreeEntry>> {
  const entries = await listTree(files, commit, paths);
  for (const [path, entry] of entries) {
    if (!isPlainFile(entry)) throw unfit(files.name, path, "is not a plain file");
  }
  return entries;
}

function isPlainFile({ mode }: TreeEntry): boolean {
  return mode === "100644" || mode === "100755";
}

async function listTree(
  { git, name }: CommitFiles,
  commit: ObjectId,
  paths: readonly string[],
): Promise<ReadonlyMap<string, TreeEntry>> {
  const output = await git.bytes(
    ["--literal-pathspecs", "ls-tree", "-z", "--full-tree", commit, "--", ...paths],
    { action: `list the files of ${name}` },
  );
  const entries = new Map<string, TreeEntry>();
  for (const line of new TextDecoder().decode(output).split("\0").filter((line) => line !== "")) {
    const [, mode = "", id = "", path = ""] = /^(\d+) \w+ ([0-9a-f]+)\t([^]*)$/.exec(line) ?? [];
    entries.set(path, { mode, id });
  }
  return entries;
}

/**
 * Fetches the files that a shallow clone lacks in one connection, so that {@link readTexts} needs none for each of its
 * calls. An entry that is not a plain file is left to the call that reads it.
 */
export async function fetchFiles(
  files: CommitFiles,
  commit: ObjectId,
  paths: readonly string[],
): Promise<void> {
  if (files.remote === undefined || paths.length === 0) return;
  const entries = [...(await listTree(files, commit, paths)).values()].filter(isPlainFile);
  await fetchObjects(files, await findMissing(files.git, commit, entries.map(({ id }) => id)));
}

/**
 * Returns the texts of files at the root of a commit. Missing files are left out.
 *
 * @throws {RefusedError} code `REFERENCE_FILE_UNFIT` for a file that is not UTF-8, too large, or not a plain file
 */
export async function readTexts(
  files: CommitFiles,
  commit: ObjectId,
  paths: readonly string[],
): Promise<FileTexts> {
  const { git, remote } = files;
  const entries = await listEntries(files, commit, paths);
  const ids = [...entries.values()].map(({ id }) => id);
  const missing = remote === undefined ? [] : await findMissing(git, commit, ids);
  await fetchObjects(files, missing);
  const texts = new Map<string, string>();
  for (const [path, { id }] of entries) {
    texts.set(path, await readText(files, path, id));
  }
  return texts;
}

async function readText({ git, name }: CommitFiles, path: string, id: ObjectId): Promise<string> {
  const text = decodeUtf8(await readBytes());
  if (text === undefined) throw unfit(name, path, "is not UTF-8 text");
  return text;

  async function readBytes(): Promise<Uint8Array> {
    try {
      return await git.bytes(["cat-file", "blob", id], { action: `read ${path} of ${name}` });
    } catch (error) {
      if (!isOutputTooLarge(error)) throw error;
      throw unfit(name, path, `is longer than ${formatBytes(STDOUT_BYTES_MAX)}`);
    }
  }
}

/** Returns the difference between two commits as a patch, whatever the repository's attributes say about diffs. */
export async function patchBetween(files: CommitFiles, from: ObjectId, to: ObjectId): Promise<string> {
  const { git, name } = files;
  if (files.remote !== undefined) await fetchCompared(files, from, to);
  const bytes = await git.bytes(
    ["diff", "--text", "--no-color", "--no-ext-diff", "--no-textconv", "--no-renames", from, to],
    { action: `compare commits of ${name}` },
  );
  return new TextDecoder().decode(bytes);
}

/** Fetches the files that a comparison of two commits reads. */
async function fetchCompared(files: CommitFiles, from: ObjectId, to: ObjectId): Promise<void> {
  const { git, name } = files;
  const call = { action: `compare commits of ${name}` };
  const changes = await git.text(
    ["diff-tree", "-r", "--raw", "--no-abbrev", "--no-renames", from, to],
    call,
  );
  const ids = [...changes.matchAll(/^:\d+ \d+ ([0-9a-f]+) ([0-9a-f]+) /gm)]
    .flatMap(([, before = "", after = ""]) => [before, after]).filter((id) => !/^0+$/.test(id));
  if (ids.length === 0) return;
  const held = await git.text(["cat-file", "--batch-check"], { ...call, stdin: ids.join("\n") + "\n" });
  await fetchObjects(files, [...held.matchAll(/^([0-9a-f]+) missing$/gm)].map(([, id = ""]) => id));
}

async function fetchObjects({ git, name, remote }: CommitFiles, ids: readonly ObjectId[]): Promise<void> {
  if (remote === undefined || ids.length === 0) return;
  const fetching = git.with(bloblessFetch(remote)).with({ config: ["fetch.negotiationAlgorithm=noop"] });
  await fetching.bytes(
    ["fetch", "--no-tags", "--no-write-fetch-head", "--quiet", BLOBLESS, "--stdin", remote],
    { action: `read files of ${name}`, transfer: true, stdin: ids.join("\n") + "\n" },
  );
}

function unfit(repository: string, path: string, problem: string): RefusedError {
  return new RefusedError(`Cannot use ${path} of ${repository}: it ${problem}`, {
    code: "REFERENCE_FILE_UNFIT",
    hint: "fix it in the repository; nothing was changed",
  });
}
