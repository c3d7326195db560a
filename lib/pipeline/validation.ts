import { join } from "node:path";
import type { Context } from "../core/context.ts";
import type { Sha256 } from "../core/hash.ts";
import type { Manifest, ReleaseFile } from "../release/manifest.ts";
import { findPassedRules } from "../store/passed_releases.ts";
import { releaseDir } from "../store/releases.ts";
import type { Store } from "../store/store.ts";
import type { ModelFile, ValidationRequest } from "../validators/checker.ts";
import type { FileChecks } from "../validators/file_checks.ts";
import type { Safeguards } from "./safeguards.ts";

/** The validation of one release. It may begin while the release is staged. */
export interface Validation {
  readonly request: ValidationRequest;
  readonly checks: FileChecks;
  /** The name of the rules. */
  readonly rules: string;
}

/**
 * Returns the validation of a release; `undefined` if there is none to do.
 *
 * @param dir the folder in which the release is or will be staged
 */
export async function openValidation(
  context: Context,
  store: Store,
  dir: string,
  manifest: Manifest,
  active: Manifest | undefined,
  { validate: settings }: Safeguards,
): Promise<Validation | undefined> {
  // The active release has passed the checks, or an operator activated it.
  if (settings?.enabled !== true || active?.digest === manifest.digest) return undefined;
  // Loaded only for a changed release: an unchanged pull starts faster without it.
  const [{ FileChecks }, { comparePassed, rulesNameOf }] = await Promise.all([
    import("../validators/file_checks.ts"),
    import("../validators/rules_name.ts"),
  ]);
  const rules = await rulesNameOf(settings);
  const request = {
    dir,
    files: modelFiles(dir, manifest),
    digest: manifest.digest,
    createdAt: manifest.createdAt,
    active: active === undefined ? undefined : {
      dir: releaseDir(store, active.digest),
      files: modelFiles(releaseDir(store, active.digest), active),
    },
    activePassed: comparePassed(active && findPassedRules(store, active.digest), rules),
    settings,
  };
  return { request, rules, checks: new FileChecks(context, request) };
}

function modelFiles(dir: string, manifest: Manifest): ModelFile[] {
  return manifest.files.map((file) => new FileOfFolder(dir, file));
}

/** A file of which nothing is computed before it is used: the locations of many files would take most of the memory. */
class FileOfFolder implements ModelFile {
  readonly #dir: string;
  readonly #entry: ReleaseFile;

  constructor(dir: string, entry: ReleaseFile) {
    this.#dir = dir;
    this.#entry = entry;
  }

  get path(): string {
    return this.#entry.path;
  }

  get size(): number {
    return this.#entry.size;
  }

  get sha256(): Sha256 {
    return this.#entry.sha256;
  }

  get location(): string {
    return join(this.#dir, this.path);
  }
}
