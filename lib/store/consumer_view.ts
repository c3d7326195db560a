import { join } from "node:path";
import { DiskError, osErrorCode } from "../core/errors.ts";
import { filesOf } from "../release/file_list.ts";
import { type Digest, type Manifest, type ReleaseFile, shortDigest } from "../release/manifest.ts";
import { inspectModelFolder } from "./model_folder.ts";
import { findRelease, releaseDir } from "./releases.ts";
import type { Store } from "./store.ts";

/**
 * Opens the model folder as a consumer does, and returns why it does not show the release; `undefined` when it does.
 * Compares names and sizes, not contents.
 */
export function problemSeenByConsumers(store: Store, manifest: Manifest): string | undefined {
  const problem = problemOfFolder(store, manifest.digest);
  if (problem !== undefined) return problem;
  // A link leads to an immutable folder: if its first file is there, all are.
  const { kind } = inspectModelFolder(store);
  const { first } = filesOf(manifest);
  if (kind === "linked") return first && problemOfFile(store, first);
  for (const file of manifest.files) {
    const problem = problemOfFile(store, file);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

/** Returns why consumers that open the model folder do not reach the release; `undefined` when they do. */
export function problemOfFolder(store: Store, digest: Digest): string | undefined {
  const { fs, modelsDir } = store;
  const { kind } = inspectModelFolder(store);
  if (kind === "missing") return "is missing";
  if (kind !== "linked" && kind !== "folder") return "is not the folder of the release";
  return opened(() => {
    const seen = fs.realPathSync(modelsDir);
    // Listing a folder needs the read permission, which entering it does not.
    for (const _entry of fs.readDirSync(seen)) break;
    if (kind === "folder" || seen === fs.realPathSync(releaseDir(store, digest))) return undefined;
    return `leads to ${seen}, not to the release`;
  });
}

/** Returns the problem, or words for the error if a path cannot be opened. */
function opened(
  check: () => string | undefined,
  words = (code: string) => `cannot be opened (${code})`,
): string | undefined {
  try {
    return check();
  } catch (error) {
    const code = osErrorCode(error);
    if (code === undefined) throw error;
    return words(code);
  }
}

/** Checks that consumers see the release. @throws {DiskError} code `MODELS_UNREADABLE` */
export function requireSeen(store: Store, digest: Digest): void {
  const manifest = findRelease(store, digest)?.manifest;
  const problem = manifest === undefined
    ? "shows a release that the store does not hold whole"
    : problemSeenByConsumers(store, manifest);
  if (problem === undefined) return;
  throw new DiskError(
    `Cannot show release ${shortDigest(digest)} to consumers: ${store.modelsDir} ${problem}`,
    {
      code: "MODELS_UNREADABLE",
      hint: "check the folder and the store's pointers with model-sync doctor, then run again",
    },
  );
}

function problemOfFile({ fs, modelsDir }: Store, { path, size }: ReleaseFile): string | undefined {
  return opened(
    () => {
      const info = fs.statSync(join(modelsDir, path));
      return info.isFile && info.size === size ? undefined : `shows another ${path} than the release`;
    },
    (code) => code === "ENOENT" ? `lacks ${path}` : `has a ${path} that cannot be opened (${code})`,
  );
}
