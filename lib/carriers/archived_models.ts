import { posix } from "node:path";
import { openArchive } from "../archive/open_archive.ts";
import type { ArchiveEntry } from "../archive/types.ts";
import type { ArchiveLimits } from "../archive/archive_limits.ts";
import type { Context } from "../core/context.ts";
import { RefusedError } from "../core/errors.ts";
import { FileHasher, type Sha256 } from "../core/hash.ts";
import { isClutter, reportClutter } from "../release/clutter.ts";
import {
  fileListProblem,
  MANIFEST_NAME,
  parseManifest,
  type ReleaseFile,
  totalBytes,
} from "../release/manifest.ts";
import {
  manifestFile,
  refuseOversized,
  type RegistryFile,
  SIGNATURE_NAME,
  signatureFile,
} from "../release/registry_file.ts";
import type { Staging } from "../store/staging.ts";
import { type Contents, openArchiveOrFile } from "./archive_or_file.ts";
import type { ManifestClaim, Offer, Revision } from "./carrier.ts";
import type { ModelSync } from "../config/schema.ts";

/** A downloaded archive. */
export interface DownloadedArchive {
  readonly path: string;
  /** For messages: `the archive of job 12`. */
  readonly name: string;
  /** The name of the file, if it may be a single model instead of an archive. */
  readonly fileName?: string | undefined;
}

/** An archive that is open already. It is closed with its models. */
export interface OpenedArchive {
  readonly contents: Contents;
  readonly name: string;
}

export interface ArchivedModelsOptions {
  readonly limits: ArchiveLimits;
  /** The folder of the models in the archive. Default: the folder that the manifest names, else the whole archive. */
  readonly subdir: string | undefined;
}

/** A file of a release, and its entry in the archive. */
export interface ArchivedFile {
  readonly path: string;
  readonly entry: ArchiveEntry;
}

/** A file of a release, as the manifest describes it if the archive has one. */
export interface ClaimedFile extends ArchivedFile {
  readonly claimed: ReleaseFile | undefined;
}

/** An open archive, and its files that belong to the release. */
interface Part {
  readonly archive: Contents;
  readonly name: string;
  /** By their paths in the archive. */
  readonly files: ReadonlyMap<string, ArchivedFile>;
}

/** The models in one or several archives, as an offer. For every carrier that downloads archives. */
export class ArchivedModels implements AsyncDisposable {
  readonly #context: Context;
  readonly #parts: readonly Part[];
  readonly #claim: ManifestClaim | undefined;

  private constructor(context: Context, parts: readonly Part[], claim: ManifestClaim | undefined) {
    this.#context = context;
    this.#parts = parts;
    this.#claim = claim;
  }

  /**
   * Opens archives and finds their models. Several archives make one release, merged at their roots.
   *
   * @throws {RefusedError} as `openArchive`; `MANIFEST_INVALID`; `ARCHIVE_EMPTY`; `ARCHIVES_CONFLICT`
   */
  static async open(
    context: Context,
    archives: readonly (DownloadedArchive | OpenedArchive)[],
    options: ArchivedModelsOptions,
  ): Promise<ArchivedModels> {
    const parts: Part[] = [];
    let claim: ManifestClaim | undefined;
    await using opened = new AsyncDisposableStack();
    for (const offered of archives) {
      const { name } = offered;
      const archive = opened.use(
        "contents" in offered ? offered.contents : await openDownloaded(context, offered, options.limits),
      );
      const entries = archive.entries.filter(({ path }) => !isClutter(path));
      const root = findModels(entries, archive.folders, options.subdir);
      const found = await readClaim(archive, root, name);
      claim = mergeClaims(claim, found, name);
      const folder = root.folder ?? folderOfClaim(found, entries);
      const files = filesBelow(archive.entries, folder, root, found);
      const leftOut = archive.entries.filter(({ path }) => isClutter(path) && !files.has(path));
      reportClutter(context.log, name, leftOut.map(({ path }) => path));
      parts.push({ archive, name, files });
    }
    const models = new ArchivedModels(context, parts, claim);
    models.#refuseUnfit(options.subdir);
    opened.move();
    return models;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { archive } of this.#parts) await archive[Symbol.asyncDispose]();
  }

  /** The manifest of the archives; `undefined` if there is none. */
  get claim(): ManifestClaim | undefined {
    return this.#claim;
  }

  /** The files of the release. */
  get files(): readonly ClaimedFile[] {
    const claimed = new Map(this.#claim?.manifest.files.map((file) => [file.path, file]));
    return this.#files().map((file) => ({ ...file, claimed: claimed.get(file.path) }));
  }

  /** Returns the offer of a revision that consists of these archives. */
  offer(revision: Revision, sequence?: number): Offer {
    const files = this.files.map(({ path, entry, claimed }) => ({
      path,
      sha256: claimed?.sha256,
      size: entry.bytes,
    }));
    return { revision, claim: this.#claim, sequence, files };
  }

  /**
   * Extracts every file into staging that is not staged yet. Staging links a file that the store holds, after it has
   * hashed it.
   */
  async stage(staging: Staging): Promise<void> {
    const before = new Set(staging.files.map(({ path }) => path));
    const wanted = this.#files().filter(({ path }) => !before.has(path));
    const total = totalBytes(wanted.map(({ entry }) => ({ size: entry.bytes })));
    await staging.requireSpace(total);
    const staged = new Map<string, Sha256>();
    let doneBytes = 0;
    for (const { archive, files, name } of this.#parts) {
      const isWanted = ({ path }: ArchiveEntry) => {
        const file = files.get(path);
        return file !== undefined && !before.has(file.path);
      };
      for await (const { entry, links, content } of archive.read(isWanted)) {
        const paths = [entry, ...links].map(({ path }) => files.get(path)?.path ?? path);
        const [first, ...others] = paths.filter((path) => !staged.has(path));
        const earlier = paths.filter((path) => staged.has(path));
        const file = first === undefined ? undefined : await staging.write(first, content);
        const sha256 = file?.sha256 ?? await hashContent(content);
        for (const path of earlier) refuseOtherBytes(path, staged.get(path), sha256, name);
        for (const path of others) if (file !== undefined) await staging.linkStaged(path, file);
        for (const path of paths) staged.set(path, sha256);
        doneBytes += entry.bytes * paths.length;
        this.#context.log.progress("extracting", doneBytes, total);
      }
    }
  }

  /** Returns each path once, even if several archives have it. */
  #files(): ArchivedFile[] {
    const files = new Map<string, ArchivedFile>();
    for (const part of this.#parts) for (const file of part.files.values()) files.set(file.path, file);
    return [...files.values()];
  }

  #refuseUnfit(subdir: string | undefined): void {
    const names = this.#parts.map(({ name }) => name).join(" and ");
    const paths = this.#files().map(({ path }) => path);
    if (paths.length === 0) {
      throw new RefusedError(`Cannot use ${names}: it contains no models`, {
        code: "ARCHIVE_EMPTY",
        hint: subdir === undefined
          ? "check what the training side puts into it"
          : `check that the training side puts them into ${subdir}/, or set extract_subdir`,
      });
    }
    const problem = fileListProblem(paths);
    if (problem === undefined) return;
    throw new RefusedError(`Cannot use ${names}: ${problem}`, {
      code: "ARCHIVE_UNSAFE",
      hint: "rename the file on the training side; the active release is untouched",
    });
  }
}

async function openDownloaded(
  context: Context,
  { path, name, fileName }: DownloadedArchive,
  limits: ArchiveLimits,
): Promise<Contents> {
  return fileName === undefined
    ? await openArchive(context, path, name, limits)
    : await openArchiveOrFile(context, path, name, limits, fileName);
}

/** The folder of the models in an archive, and where their manifest is if it has one. */
interface ModelsRoot {
  /** Ends with `/`, or is empty for the whole archive. `undefined`: the folder that the manifest names. */
  readonly folder: string | undefined;
  readonly manifest: string;
  readonly signature: string;
}

/**
 * Finds the models by the rules of the original scripts: `subdir`, else `subdir` in the only top folder, else that folder,
 * else the whole archive. Manifest and signature are beside the models' folder, or at the top of the whole archive.
 */
function findModels(
  entries: readonly ArchiveEntry[],
  folders: readonly string[],
  subdir: string | undefined,
): ModelsRoot {
  const paths = entries.map(({ path }) => path);
  const top = onlyFolder(paths);
  if (subdir !== undefined) {
    for (const outer of top === undefined ? [""] : ["", top]) {
      const folder = `${outer}${subdir}/`;
      // An empty folder counts: after a training without models, files beside the folder must not replace them.
      if (!folders.includes(`${outer}${subdir}`) && !paths.some((path) => path.startsWith(folder))) continue;
      return { folder, ...beside(posix.dirname(folder)) };
    }
    return { folder: top ?? "", ...beside(top ?? "") };
  }
  return { folder: paths.includes(MANIFEST_NAME) ? undefined : "", ...beside("") };
}

function beside(folder: string): Pick<ModelsRoot, "manifest" | "signature"> {
  return { manifest: posix.join(folder, MANIFEST_NAME), signature: posix.join(folder, SIGNATURE_NAME) };
}

/** Returns the folder, with its `/`, that holds everything in an archive. */
function onlyFolder(paths: readonly string[]): string | undefined {
  const [first] = paths;
  const end = first?.indexOf("/") ?? -1;
  const folder = end < 0 ? undefined : first?.slice(0, end + 1);
  return folder !== undefined && paths.every((path) => path.startsWith(folder)) ? folder : undefined;
}

/** Returns the folder that the manifest names. If the archive lacks it, the models are beside the manifest. */
function folderOfClaim(claim: ManifestClaim | undefined, entries: readonly ArchiveEntry[]): string {
  const folder = `${claim?.manifest.origin.folder ?? ""}/`;
  return entries.some(({ path }) => path.startsWith(folder)) ? folder : "";
}

function filesBelow(
  entries: readonly ArchiveEntry[],
  folder: string,
  { manifest, signature }: ModelsRoot,
  claim: ManifestClaim | undefined,
): Map<string, ArchivedFile> {
  const claimed = new Set(claim?.manifest.files.map(({ path }) => path));
  return new Map(
    entries
      .filter(({ path }) => path.startsWith(folder) && path !== manifest && path !== signature)
      .map((entry) => [entry.path, { entry, path: entry.path.slice(folder.length) }] as const)
      .filter(([fullPath, { path }]) => claimed.has(path) || !isClutter(fullPath)),
  );
}

async function readClaim(
  archive: Contents,
  root: ModelsRoot,
  name: string,
): Promise<ManifestClaim | undefined> {
  const file = manifestFile(`${root.manifest} of ${name}`);
  const text = await readText(archive, root.manifest, file);
  if (text === undefined) return undefined;
  const manifest = await parseManifest(text, file.name);
  const signature = await readText(archive, root.signature, signatureFile(`${root.signature} of ${name}`));
  return { manifest, text, signature };
}

async function readText(archive: Contents, path: string, file: RegistryFile): Promise<string | undefined> {
  for await (const { entry, content } of archive.read((entry) => entry.path === path)) {
    refuseOversized(file, entry.bytes);
    const decoder = new TextDecoder();
    let text = "";
    for await (const piece of content) text += decoder.decode(piece, { stream: true });
    return text + decoder.decode();
  }
  return undefined;
}

function mergeClaims(
  first: ManifestClaim | undefined,
  second: ManifestClaim | undefined,
  name: string,
): ManifestClaim | undefined {
  // Two archives may hold the same manifest with different signatures: either is good.
  if (first === undefined || second === undefined) return first ?? second;
  if (first.text === second.text) return first.signature === undefined ? second : first;
  throw conflict(`${MANIFEST_NAME} of ${name} differs from that of another archive of the same release`);
}

async function hashContent(content: AsyncIterable<Uint8Array>): Promise<Sha256> {
  const hasher = await FileHasher.create();
  for await (const piece of content) hasher.update(piece);
  return hasher.digest().sha256;
}

function refuseOtherBytes(path: string, sha256: Sha256 | undefined, other: Sha256, name: string): void {
  if (other === sha256) return;
  throw conflict(
    `${path} has SHA-256 ${other} in ${name} and ${sha256} in another archive of the same release`,
  );
}

function conflict(problem: string): RefusedError {
  return new RefusedError(`Cannot merge the archives: ${problem}`, {
    code: "ARCHIVES_CONFLICT",
    hint: "upload each file once, or choose the archives by name; the active release is untouched",
  });
}

/** Returns the limits for archives of the configuration. */
export function archiveLimits({ archives }: Pick<ModelSync, "archives">): ArchiveLimits {
  return {
    entriesMax: archives.max_entries,
    bytesMax: archives.max_bytes,
    ratioMax: archives.max_ratio,
    depthMax: archives.max_depth,
  };
}
