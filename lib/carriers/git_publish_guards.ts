import { posix, sep } from "node:path";
import type { Context } from "../core/context.ts";
import { UsageError } from "../core/errors.ts";
import { type FileSystem, ifFound } from "../core/files.ts";
import type { LfsSetting } from "../config/choices.ts";
import { lfsMissing } from "../git/git_error.ts";
import { hasLfs, LARGE_FILE_BYTES_MAX, LARGE_FILE_BYTES_WARN } from "../git/lfs.ts";
import type { Registry } from "../git/registry.ts";
import type { Manifest } from "../release/manifest.ts";
import type { ModelSet } from "../release/model_set.ts";

/** @throws {UsageError} code `MANIFEST_TAKEN`: two model sets must not share a manifest */
export function refuseForeignManifest(subdir: string, manifest: Manifest | undefined): void {
  const name = posix.basename(subdir);
  const folder = manifest?.origin.folder;
  if (folder === undefined || folder === name) return;
  throw new UsageError(
    `Cannot publish to ${subdir}: the manifest beside it belongs to the model set "${folder}"`,
    {
      code: "MANIFEST_TAKEN",
      hint: `give each model set a folder of its own, such as repo_models_subdir: ${name}/models`,
    },
  );
}

/** Returns the files to keep in Git LFS, and warns of other large files. @throws {UsageError} code `LFS_MISSING` */
export async function chooseLfsPaths(
  context: Context,
  registry: Registry,
  set: ModelSet,
  setting: LfsSetting,
): Promise<string[]> {
  if (setting !== "always" && set.totals.sizeMax <= LARGE_FILE_BYTES_WARN) return [];
  const large = set.files.filter((file) => file.size > LARGE_FILE_BYTES_MAX);
  const chosen = setting === "always" ? set.files : setting === "auto" ? large : [];
  // A registry on this disk has no limits.
  const limited = registry.remoteUrl.isLocal ? [] : set.files;
  for (const file of limited) {
    if (file.size <= LARGE_FILE_BYTES_WARN || chosen.includes(file)) continue;
    const size = `${Math.round(file.size / 1024 / 1024)} MiB`;
    context.log.warn(`${file.path} has ${size}: GitHub warns from 50 MiB and refuses more than 100 MiB`);
  }
  if (chosen.length > 0 && !await hasLfs(registry)) {
    const [first] = large;
    throw lfsMissing(
      first === undefined
        ? "model_sync.lfs is always"
        : `${first.path} has ${first.size} bytes, and GitHub accepts at most ${LARGE_FILE_BYTES_MAX} outside Git LFS`,
    );
  }
  return chosen.map((file) => file.path);
}

/**
 * Refuses a model folder inside the clone: training into it, or a store beside it, would make the clone dirty before
 * every publish.
 *
 * @throws {UsageError} code `MODELS_IN_CLONE`
 */
export function refuseModelsInClone(fs: FileSystem, modelsDir: string, repoDir: string): void {
  const models = ifFound(() => fs.realPathSync(modelsDir));
  const clone = ifFound(() => fs.realPathSync(repoDir));
  if (models === undefined || clone === undefined || (models !== clone && !models.startsWith(clone + sep))) {
    return;
  }
  throw new UsageError(
    `Cannot publish ${models}: it is inside the clone ${clone}, through which it is published`,
    {
      code: "MODELS_IN_CLONE",
      hint: "train into a folder outside the clone, and set model_sync.models_dir to it",
    },
  );
}
