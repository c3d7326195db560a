import { join } from "node:path";
import type { Context } from "../core/context.ts";
import type { Sha256 } from "../core/hash.ts";
import { endsLike } from "../core/path_ends.ts";
import type { ReleaseChanges } from "../release/changes.ts";
import { filesOf } from "../release/file_list.ts";
import type { Manifest, ReleaseFile } from "../release/manifest.ts";
import { findPassedRules } from "../store/passed_releases.ts";
import { releaseDir } from "../store/releases.ts";
import type { Store } from "../store/store.ts";
import type { ActiveFiles, ModelFile, ValidationRequest } from "../validators/checker.ts";
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
 * @param since how it differs from the active one, if that is known
 */
export async function openValidation(
  context: Context,
  store: Store,
  dir: string,
  manifest: Manifest,
  active: Manifest | undefined,
  { validate: settings }: Safeguards,
  since?: ReleaseChanges,
): Promise<Validation | undefined> {
  // The active release has passed the checks, or an operator activated it.
  if (settings?.enabled !== true || active?.digest === manifest.digest) return undefined;
  // Loaded only for a changed release: an unchanged pull starts faster without it.
  const [{ FileChecks }, { comparePassed, rulesNameOf }] = await Promise.all([
    import("../validators/file_checks.ts"),
    import("../validators/rules_name.ts"),
  ]);
  const rules = await rulesNameOf(settings);
  const own = new FolderFiles(dir, manifest);
  const request = {
    dir,
    get files() {
      return own.files;
    },
    digest: manifest.digest,
    createdAt: manifest.createdAt,
    active: active && activeFiles(store, active, own, since?.active === active ? since : undefined),
    activePassed: comparePassed(active && findPassedRules(store, active.digest), rules),
    settings,
  };
  return { request, rules, checks: new FileChecks(context, request) };
}

function activeFiles(
  store: Store,
  active: Manifest,
  release: FolderFiles,
  since: ReleaseChanges | undefined,
): ActiveFiles {
  const dir = releaseDir(store, active.digest);
  const own = new FolderFiles(dir, active);
  return {
    dir,
    get files() {
      return own.files;
    },
    find: (path) => own.find(path),
    others: since && {
      files: [...since.changed].map((path) => release.find(path)).filter((file) => file !== undefined),
      findEnding: (ends) => release.findEnding(ends),
    },
  };
}

/** The files of a release in a folder. Those of very many are listed only if that is wanted. */
class FolderFiles {
  readonly #dir: string;
  readonly #manifest: Manifest;
  #files: readonly ModelFile[] | undefined;

  constructor(dir: string, manifest: Manifest) {
    this.#dir = dir;
    this.#manifest = manifest;
  }

  get files(): readonly ModelFile[] {
    return this.#files ??= this.#manifest.files.map((file) => this.#placed(file));
  }

  find(path: string): ModelFile | undefined {
    const file = filesOf(this.#manifest).find(path);
    return file && this.#placed(file);
  }

  findEnding(ends: readonly string[]): readonly ModelFile[] {
    // Most releases of many files have none.
    return filesOf(this.#manifest).mayEnd(ends) ? this.files.filter(({ path }) => endsLike(path, ends)) : [];
  }

  #placed(file: ReleaseFile): ModelFile {
    return new FileOfFolder(this.#dir, file);
  }
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
