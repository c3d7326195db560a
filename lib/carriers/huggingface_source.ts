import type { Context } from "../core/context.ts";
import { RefusedError, UsageError } from "../core/errors.ts";
import type { Sha256 } from "../core/hash.ts";
import { plural } from "../core/format.ts";
import { redactUrls } from "../core/secret.ts";
import { compareUtf8 } from "../core/portable_path.ts";
import { BlobMemory } from "../store/blob_memory.ts";
import { findKnownCommit, rememberCommit } from "../huggingface/commit_memory.ts";
import { HASTY, Hub, type HubFile, type KnownCommit, PATIENT } from "../huggingface/hub.ts";
import { HubCache } from "../huggingface/hub_cache.ts";
import type { WantedContent } from "../huggingface/bring_files.ts";
import type { Bringing } from "../huggingface/hub_files.ts";
import type { HubSettings } from "../huggingface/hub_settings.ts";
import { readHubManifest } from "../huggingface/hub_manifest.ts";
import {
  describeLayout,
  isWanted,
  modelPath,
  type RepoLayout,
  repoPath,
} from "../huggingface/repo_layout.ts";
import { isClutter, reportClutter } from "../release/clutter.ts";
import { fileListProblem, releaseDigest, type ReleaseFile, releaseFile } from "../release/manifest.ts";
import { HeldChunks } from "../store/held_chunks.ts";
import { releaseDir } from "../store/releases.ts";
import type { Staging } from "../store/staging.ts";
import type { Store } from "../store/store.ts";
import { hasUnfinished } from "../store/unfinished.ts";
import { join } from "node:path";
import type {
  ClaimProblem,
  ManifestClaim,
  Offer,
  OfferedFile,
  OtherWriter,
  Revision,
  Source,
} from "./carrier.ts";

export interface HuggingFaceSourceOptions {
  readonly hub: HubSettings;
  readonly layout: RepoLayout;
  readonly limits: Bringing["limits"];
  /** Whether to give up soon on an unreachable hub, because there is an active release to keep. */
  readonly isHasty: boolean;
  /** The folder of the cache that Hugging Face's libraries share, if it is to be filled. */
  readonly cacheFolder: string | undefined;
}

/** A model file of the commit, with its path in the release. */
interface OpenedFile {
  readonly path: string;
  readonly file: HubFile;
}

interface Opened {
  readonly commit: string;
  /** All files of the commit. */
  readonly listed: readonly HubFile[];
  readonly files: readonly OpenedFile[];
}

/** Pulls from a model repository on a Hugging Face hub: resolves the branch to a commit once, and reads every file from it. */
export class HuggingFaceSource implements Source {
  readonly carrier = "huggingface";
  readonly place: string;
  readonly #context: Context;
  readonly #options: HuggingFaceSourceOptions;
  readonly #hub: Hub;
  readonly #store: Store | undefined;
  readonly #memory: BlobMemory | undefined;
  readonly #cache: HubCache | undefined;
  #known: KnownCommit | undefined;
  #opened: Opened | undefined;
  #staged: readonly ReleaseFile[] = [];

  /** @param store remembers responses and digests; `undefined` in a dry run before the first pull */
  constructor(context: Context, options: HuggingFaceSourceOptions, store: Store | undefined) {
    const { hub, layout, isHasty, cacheFolder } = options;
    this.place = `${hub.repoId} ${hub.revision} ${describeLayout(layout)}`;
    this.#context = context;
    this.#options = options;
    this.#hub = new Hub(context, hub, isHasty ? HASTY : PATIENT);
    this.#store = store;
    this.#memory = store === undefined ? undefined : new BlobMemory(store);
    this.#cache = cacheFolder === undefined ? undefined : new HubCache(context, cacheFolder, hub);
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  async resolve(): Promise<Revision> {
    const { hub, cacheFolder } = this.#options;
    this.#hub.announce();
    const known = this.#store === undefined ? undefined : await findKnownCommit(this.#store, hub);
    this.#known = await this.#hub.findCommit(known);
    // With a new cache folder, the active release still has to be put into the cache.
    const cached = cacheFolder === undefined ? "" : ` cached in ${cacheFolder}`;
    const source = `huggingface ${redactUrls(hub.endpoint)} ${this.place}${cached}`;
    return { id: this.#known.commit, source };
  }

  async inspect(revision: Revision): Promise<Offer> {
    const commit = revision.id;
    const listed = await this.#hub.listFiles(commit);
    const claim = await readHubManifest(this.#hub, commit, listed);
    if (claim === undefined) {
      const files = this.#chooseFiles(commit, listed);
      this.#opened = { commit, listed, files };
      return { revision, claim, files: this.#offered(files) };
    }
    const { files, problem } = this.#claimedFiles(listed, claim);
    this.#opened = { commit, listed, files };
    const claimed = new Map(claim.manifest.files.map((file) => [file.path, file.sha256]));
    return {
      revision,
      claim,
      files: this.#offered(files, claimed),
      problem,
      findOtherWriter: () => this.#findOtherWriter(commit, listed, claim),
    };
  }

  #offered(files: readonly OpenedFile[], claimed?: ReadonlyMap<string, Sha256>): OfferedFile[] {
    return files.map(({ path, file }) => ({
      path,
      sha256: file.sha256 ?? this.#memory?.find(file.blob) ?? claimed?.get(path),
      size: file.size,
    }));
  }

  async #findOtherWriter(
    commit: string,
    listed: readonly HubFile[],
    { manifest }: ManifestClaim,
  ): Promise<OtherWriter | undefined> {
    const { layout } = this.#options;
    // Loaded only if another program wrote last.
    const { findHubWriter } = await import("../huggingface/other_writer.ts");
    const writer = await findHubWriter(
      this.#hub,
      { commit, files: listed },
      manifest,
      layout,
      (blob) => this.#memory?.find(blob),
    );
    return writer && { ...writer, files: this.#offered(this.#chooseFiles(commit, listed)) };
  }

  async stage(offer: Offer, staging: Staging): Promise<void> {
    const { commit, listed, files } = this.#openFor(offer);
    this.#opened = { commit, listed, files };
    await this.#rememberUnfinished(files);
    const claimed = new Map(offer.claim?.manifest.files.map((file) => [file.sha256, file]));
    const wanted = new Map<string, WantedContent>();
    for (const { path, file } of files) {
      const content = file.sha256 ?? this.#memory?.find(file.blob);
      if (content !== undefined && await staging.link(path, content)) continue;
      const name = file.sha256 ?? file.blob;
      const paths: WantedContent["paths"] = [path, ...wanted.get(name)?.paths ?? []];
      wanted.set(name, { file, paths, claimed: claimed.get(file.sha256 ?? "") });
    }
    try {
      await this.#download(staging, [...wanted.values()]);
    } finally {
      // Also after a failure: the next run then finds the files that this one received.
      this.#rememberBlobs(files, staging);
    }
    this.#staged = staging.files.map((file) => releaseFile(file.path, file));
  }

  async accept(offer: Offer): Promise<void> {
    const store = this.#requireStore();
    if (this.#known !== undefined) await rememberCommit(store, this.#options.hub, this.#known);
    if (this.#cache !== undefined) await this.#fillCache(this.#cache, store, offer);
  }

  #requireOpened(): Opened {
    if (this.#opened === undefined) throw new TypeError("stage() or accept() before inspect()");
    return this.#opened;
  }

  /** Returns the opened files for an offer. If the offer has no manifest (any more), the patterns select the files. */
  #openFor(offer: Offer): Opened {
    const opened = this.#requireOpened();
    if (offer.claim !== undefined) return opened;
    return { ...opened, files: this.#chooseFiles(opened.commit, opened.listed) };
  }

  #requireStore(): Store {
    if (this.#store === undefined) throw new TypeError("a dry run neither stages nor accepts");
    return this.#store;
  }

  /** Returns the files in the folder that match the patterns, for a commit without a manifest. */
  #chooseFiles(commit: string, listed: readonly HubFile[]): OpenedFile[] {
    const { hub, layout } = this.#options;
    const files = listed.flatMap((file) => {
      const path = modelPath(layout, file.path);
      return path === undefined ? [] : [{ path, file }];
    });
    const clutter = listed.map(({ path }) => path).filter((path) =>
      path.startsWith(repoPath(layout, "")) && isClutter(path)
    );
    reportClutter(this.#context.log, `${hub.repoId} at ${commit.slice(0, 12)}`, clutter);
    if (files.length === 0) {
      const where = layout.folder === ""
        ? "it has no files"
        : `it has no folder "${layout.folder}" with files`;
      throw new UsageError(`Cannot find models in ${hub.repoId} at ${commit.slice(0, 12)}: ${where}`, {
        code: "MODELS_MISSING",
        hint: "check path_in_repo, include and exclude of model_sync.huggingface",
      });
    }
    const problem = fileListProblem(files.map(({ path }) => path));
    if (problem !== undefined) {
      throw new RefusedError(`Cannot use commit ${commit.slice(0, 12)} of ${hub.repoId}: ${problem}`, {
        code: "REGISTRY_UNFIT",
        hint: "fix the repository and pull again; the active release is untouched",
      });
    }
    return files.sort((a, b) => compareUtf8(a.path, b.path));
  }

  /** Returns the files of a manifest, and the first difference that the hub's list shows, before any download. */
  #claimedFiles(
    listed: readonly HubFile[],
    { manifest }: ManifestClaim,
  ): { readonly files: readonly OpenedFile[]; readonly problem: ClaimProblem | undefined } {
    const byPath = new Map(listed.map((file) => [file.path, file]));
    const unwanted = manifest.files.find(({ path }) => !isWanted(this.#options.layout, path));
    if (unwanted !== undefined) {
      this.#context.log.warn(
        `${unwanted.path} is pulled in spite of include and exclude: a release with a manifest is pulled as a whole`,
      );
    }
    const files: OpenedFile[] = [];
    let problem: ClaimProblem | undefined;
    for (const claimed of manifest.files) {
      const file = byPath.get(repoPath(this.#options.layout, claimed.path));
      problem ??= differenceOf(claimed, file);
      if (file !== undefined) files.push({ path: claimed.path, file });
    }
    return { files, problem };
  }

  async #download(staging: Staging, wanted: readonly WantedContent[]): Promise<void> {
    if (wanted.length === 0) return;
    // Loaded only if there is a file to download.
    const { bringFiles } = await import("../huggingface/bring_files.ts");
    const store = this.#requireStore();
    const bringing = {
      hub: this.#hub,
      commit: this.#requireOpened().commit,
      store,
      limits: this.#options.limits,
      cache: this.#cache,
      held: new HeldChunks(this.#context, store),
    };
    await bringFiles(this.#context, bringing, staging, wanted);
  }

  /** Files that a killed pull received are not downloaded again. */
  async #rememberUnfinished(files: readonly OpenedFile[]): Promise<void> {
    if (this.#store === undefined || this.#memory === undefined || !hasUnfinished(this.#store)) return;
    const { rememberUnfinished } = await import("../huggingface/unfinished_blobs.ts");
    await rememberUnfinished(this.#store, this.#memory, files);
  }

  /** Remembers the SHA-256 of files that the hub names only by a git SHA-1. */
  #rememberBlobs(files: readonly OpenedFile[], staging: Staging): void {
    if (this.#memory === undefined) return;
    for (const { path, file } of files) {
      const sha256 = staging.find(path)?.sha256;
      if (file.sha256 === undefined && sha256 !== undefined) this.#memory.remember(file.blob, sha256);
    }
    this.#memory.save(files.length, () => staging.openHolds());
  }

  /** Fills the shared cache. A failure does not fail the pull: the release does not depend on it. */
  async #fillCache(cache: HubCache, store: Store, offer: Offer): Promise<void> {
    const { commit, files } = this.#requireOpened();
    const digest = offer.claim?.manifest.digest ?? await releaseDigest(this.#staged);
    try {
      const dir = releaseDir(store, digest);
      await cache.fill(commit, files.map(({ path, file }) => ({ file, location: join(dir, path) })));
    } catch (error) {
      this.#context.signal.throwIfAborted();
      const problem = error instanceof Error ? error.message : String(error);
      this.#context.log.warn(`cannot fill the Hugging Face cache: ${problem}`);
    }
  }
}

/** Returns how a file in the hub's list differs from the manifest. */
function differenceOf(claimed: ReleaseFile, file: HubFile | undefined): ClaimProblem | undefined {
  const { path, size, sha256 } = claimed;
  if (file === undefined) {
    return {
      what: `it lists ${path}, which the commit does not have`,
      hint: "check huggingface.path_in_repo, or ",
    };
  }
  if (file.sha256 !== undefined && file.sha256 !== sha256) {
    return { what: `${path} has SHA-256 ${file.sha256}, manifest says ${sha256}` };
  }
  return file.size === size
    ? undefined
    : { what: `${path} is ${plural(file.size, "byte")}, manifest says ${size}` };
}
