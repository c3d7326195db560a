import { decodeUtf8 } from "../core/decode_utf8.ts";
import { isClutter } from "../release/clutter.ts";
import type { Git } from "./git.ts";
import type { ObjectId } from "./object_id.ts";
import { listTree, manifestPathOf, REGULAR_FILES, signaturePathOf } from "./tree.ts";

/** How a commit's files of a model set differ from those of another commit. Paths are relative to the model folder. */
export interface ModelTreeChanges {
  /** The files that are new or have another content, in the commit. */
  readonly written: ReadonlyMap<string, ObjectId>;
  /** The files that the commit does not have any more. */
  readonly removed: ReadonlySet<string>;
  readonly manifestBlob: ObjectId;
  readonly signatureBlob: ObjectId | undefined;
}

/**
 * Returns the changes between two commits: git compares only the folders that differ.
 *
 * @param before a commit that the clone may not have
 * @returns `undefined` where the whole tree has to be read: without the commit or a manifest, and if something else than
 * a plain file changed
 */
export async function readTreeChanges(
  git: Git,
  before: ObjectId,
  commit: ObjectId,
  subdir: string,
): Promise<ModelTreeChanges | undefined> {
  const besides = [manifestPathOf(subdir), signaturePathOf(subdir)];
  const [{ code, stdout }, beside] = await Promise.all([
    git.attempt(
      ["diff-tree", "-r", "-z", "--no-renames", before, commit, "--", `${subdir}/`],
      { action: `compare ${subdir} of ${before} and ${commit}`, isAlone: true },
    ),
    listTree(git, commit, besides),
  ]);
  const text = code === 0 ? decodeUtf8(stdout) : undefined;
  const changes = text === undefined ? undefined : parseChanges(text, `${subdir}/`);
  const [manifest, signature] = besides.map((path) => beside.find((entry) => entry.path === path));
  if (changes === undefined || manifest === undefined) return undefined;
  if (beside.some(({ path, mode }) => !besides.includes(path) || !REGULAR_FILES.includes(mode))) {
    return undefined;
  }
  return { ...changes, manifestBlob: manifest.blob, signatureBlob: signature?.blob };
}

/** `:<old mode> <new mode> <old name> <new name> <letter>`; source: `git help diff-tree`, raw output format. */
const CHANGE = /^:(\d{6}) (\d{6}) ([0-9a-f]{40,64}) ([0-9a-f]{40,64}) [A-Z]$/;

/** The mode of a side of a change that has no file. */
const NO_FILE = "000000";

function parseChanges(
  text: string,
  folder: string,
): Pick<ModelTreeChanges, "written" | "removed"> | undefined {
  const written = new Map<string, ObjectId>();
  const removed = new Set<string>();
  const fields = text.split("\0");
  for (let at = 0; at + 1 < fields.length; at += 2) {
    const [, oldMode = "", mode = "", oldBlob, blob = ""] = CHANGE.exec(fields[at] ?? "") ?? [];
    const path = fields[at + 1] ?? "";
    const name = path.slice(folder.length);
    const isPlain = [oldMode, mode].every((one) => one === NO_FILE || REGULAR_FILES.includes(one));
    if (!isPlain || !path.startsWith(folder) || isClutter(name)) return undefined;
    if (mode === NO_FILE) removed.add(name);
    else if (blob !== oldBlob) written.set(name, blob);
  }
  return { written, removed };
}
