import { posix } from "node:path";
import { readListed } from "../core/changed_file.ts";
import type { Context } from "../core/context.ts";
import { UsageError } from "../core/errors.ts";
import type { Sha256 } from "../core/hash.ts";
import { type ChangeList, countChanges, refuseShrink } from "../release/changes.ts";
import { isClutter } from "../release/clutter.ts";
import { MANIFEST_NAME } from "../release/manifest.ts";
import { SIGNATURE_NAME } from "../release/registry_file.ts";
import type { ModelSet, NameRules, SetFile } from "../release/model_set.ts";
import { gitBlobId } from "./git_blob_id.ts";
import type { BlobFile } from "./hashed_file_blob.ts";
import type { HubFile } from "./hub.ts";
import { isWanted, modelPath, type RepoLayout, repoPath } from "./repo_layout.ts";
import type { UploadTarget } from "./upload_target.ts";

export interface UploadRules {
  readonly layout: RepoLayout;
  /** Deletes files of the repository that are no longer in the model folder. */
  readonly deleteRemoved: boolean;
  /** Allows more than half of the published files to disappear. */
  readonly allowShrink: boolean;
}

/** The changes that an upload makes to a branch. */
export interface UploadPlan {
  /** The branch already holds this release. */
  readonly isUnchanged: boolean;
  /** The differences between the branch's release and the new one. */
  readonly changes: ChangeList;
  /** The files to send, under their paths in the repository. */
  readonly uploaded: readonly BlobFile[];
  /** The paths to delete in the repository. */
  readonly deleted: readonly string[];
}

/** Returns the plan. @param findContent returns the SHA-256 of a git blob, if it is known */
export async function planUpload(
  context: Context,
  target: Pick<UploadTarget, "files" | "manifest">,
  set: ModelSet,
  rules: UploadRules,
  findContent: (blob: string) => Sha256 | undefined,
): Promise<UploadPlan> {
  const { layout } = rules;
  refuseOtherFolder(target, layout);
  const there = new Map<string, HubFile>();
  // Housekeeping files that an earlier version published.
  const clutter = new Map(
    target.manifest?.files.filter(({ path }) => isClutter(path)).map((
      { path },
    ) => [repoPath(layout, path), path]),
  );
  for (const file of target.files) {
    const path = modelPath(layout, file.path) ?? clutter.get(file.path);
    if (path !== undefined) there.set(path, file);
  }
  // The layout does not count a README.md as a model, but the model set may contain one.
  const present = new Map(target.files.map((file) => [file.path, file]));
  const [added, modified]: [SetFile[], SetFile[]] = [[], []];
  for (const file of set.files) {
    context.signal.throwIfAborted();
    const listed = present.get(repoPath(layout, file.path));
    if (listed === undefined) added.push(file);
    else if (!await isSame(context, file, listed, findContent)) modified.push(file);
  }
  const kept = new Set(set.files.map((file) => file.path));
  const stale = [...there.keys()].filter((path) => !kept.has(path));
  const deleted = rules.deleteRemoved ? stale : [];
  const published = target.manifest?.files.map((file) => file.path) ?? [];
  // Files of other writers stay, unless the upload deletes them: they do not disappear.
  if (!rules.allowShrink) {
    refuseShrink(set, [...new Set([...published, ...rules.deleteRemoved ? there.keys() : []])], "hf-upload");
  }
  const dropped = published.filter((path) => !kept.has(path));
  const changes = {
    added: added.map((file) => file.path),
    modified: modified.map((file) => file.path),
    removed: [...new Set([...deleted, ...dropped])].sort(),
  };
  return {
    isUnchanged: countChanges(changes) === 0 && target.manifest?.digest === set.digest,
    changes,
    uploaded: [...added, ...modified].map((file) => ({
      ...file,
      path: repoPath(layout, file.path),
      info: set.infos.get(file.path),
    })),
    deleted: deleted.map((path) => repoPath(layout, path)),
  };
}

async function isSame(
  { fs, signal }: Context,
  file: SetFile,
  listed: HubFile,
  findContent: (blob: string) => Sha256 | undefined,
): Promise<boolean> {
  if (listed.size !== file.size) return false;
  const known = listed.sha256 ?? findContent(listed.blob);
  if (known !== undefined) return known === file.sha256;
  return await readListed(fs, file, () => gitBlobId(fs, file.location, signal)) === listed.blob;
}

/** Returns the rules for the names of the files in an upload. */
export function uploadNames(layout: RepoLayout): NameRules {
  return {
    isWanted: (path) => isWanted(layout, path),
    refuseTaken: (dir, paths) => refuseTaken(layout, dir, paths),
  };
}

/** @throws {UsageError} code `MANIFEST_TAKEN` */
function refuseTaken(layout: RepoLayout, dir: string, paths: readonly string[]): void {
  const names = paths.map((path) => repoPath(layout, path));
  const taken = [MANIFEST_NAME, SIGNATURE_NAME].find((name) => names.includes(name));
  if (taken === undefined) return;
  throw new UsageError(
    `Cannot upload ${dir}: it holds a ${taken}, which belongs at the repository's root`,
    {
      code: "MANIFEST_TAKEN",
      hint: `remove it from the model folder: an upload writes its own`,
    },
  );
}

/** Refuses a repository whose manifest belongs to another model set: two sets cannot share one. */
function refuseOtherFolder({ manifest }: Pick<UploadTarget, "manifest">, { folder }: RepoLayout): void {
  if (manifest?.origin.carrier !== "huggingface") return;
  const theirs = manifest.origin.folder;
  if (theirs === folderName(folder)) return;
  const [ours, other] = [folder, theirs ?? ""].map((name) => name === "" ? "the root" : `"${name}"`);
  throw new UsageError(
    `Cannot upload to ${ours}: the manifest of the repository belongs to the models in ${other}`,
    {
      code: "MANIFEST_TAKEN",
      hint: "use a separate repository for each model set",
    },
  );
}

/** Returns the folder's name for a message. */
export function folderName(folder: string): string | undefined {
  return folder === "" ? undefined : posix.basename(folder);
}
