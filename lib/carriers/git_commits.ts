import { settleAll } from "../core/concurrency.ts";
import type { Context } from "../core/context.ts";
import { DiskError, ModelSyncError } from "../core/errors.ts";
import type { Sha256 } from "../core/hash.ts";
import { Turns } from "../core/turns.ts";
import { redactUrls } from "../core/secret.ts";
import { BlobMemory } from "../store/blob_memory.ts";
import { HeldFiles } from "../store/held_files.ts";
import { diverged, refuseDirty } from "../git/branch.ts";
import { dropScratchObjects, MissingObjectError, readSmallBlob, withScratchObjects } from "../git/blobs.ts";
import type { Git } from "../git/git.ts";
import { ofRemote } from "../git/clone_damage.ts";
import { hasLfs } from "../git/lfs.ts";
import { areNearlyAll } from "../git/find_missing.ts";
import { LocalRemote } from "../git/local_remote.ts";
import type { ObjectId } from "../git/object_id.ts";
import type { Relation } from "../git/commits.ts";
import type { Registry } from "../git/registry.ts";
import { leftOutOf, type ModelTree, readModelTree, releaseFilesOf, type TreeFile } from "../git/tree.ts";
import { reportClutter } from "../release/clutter.ts";
import { findForeignChange } from "../git/other_writer.ts";
import { filesOf } from "../release/file_list.ts";
import type { KnownManifest } from "../release/follow_manifest.ts";
import type { Staging } from "../store/staging.ts";
import { findPublished } from "../store/published.ts";
import type { Store } from "../store/store.ts";
import { publishTarget } from "./git_publish_base.ts";
import {
  type ClaimBlobs,
  findClaimProblem,
  findSoundClaim,
  offeredFiles,
  readClaim,
} from "./git_manifest.ts";
import { type ComparedCommit, compareWithActive, offerOf } from "./compare_with_active.ts";
import { moveBranch } from "./move_branch.ts";
import type { LfsParts } from "./lfs_parts.ts";
import { behindPublisher, lookUpOf, setBack } from "./git_set_back.ts";
import { byObject, rememberBlobs, stageBlobs } from "./stage_git_blobs.ts";
import type { BlobPlace, WantedFiles } from "./stage_git_blobs.ts";
import { listOf } from "./carrier.ts";
import type { ManifestClaim, Offer, OtherWriter, Revision, Source } from "./carrier.ts";
import type { GitSourceOptions } from "./git_source_options.ts";
import type { PulledClone } from "./pulled_clone.ts";

/** A clone in which a commit is read. */
interface Reading {
  readonly registry: Registry;
  readonly commit: ObjectId;
  /** Reads the objects of the clone and of the scratch folder. */
  readonly git: Git;
  /** The remote, for a clone without files. */
  readonly local: LocalRemote | undefined;
}

/** A clone that may not have the commit yet. */
interface FoundClone extends Reading {
  readonly isPresent: boolean;
  /** The newest commit of the clone's branch. */
  readonly ours: ObjectId | undefined;
}

/** An inspected commit, and how to read its files. */
interface Opened extends Reading {
  readonly relation: Relation | undefined;
  /** Returns the files of the commit, which are listed once until the list is forgotten. */
  readonly readTree: () => Promise<ModelTree>;
  readonly forgetTree: () => void;
}

/** Reads the commits of a git registry: file by file, directly from git's objects, so that no filter changes bytes. */
export class GitCommits implements Pick<Source, "inspect" | "stage" | "accept"> {
  readonly #context: Context;
  readonly #options: GitSourceOptions;
  readonly #store: Store | undefined;
  readonly #clone: PulledClone;
  readonly #memory: BlobMemory | undefined;
  #opened: Opened | undefined;
  #compared: ComparedCommit | undefined;
  #lfsParts: Promise<LfsParts | undefined> | undefined;
  #hasLfs: Promise<boolean> | undefined;

  constructor(context: Context, options: GitSourceOptions, store: Store | undefined, clone: PulledClone) {
    this.#context = context;
    this.#options = options;
    this.#store = store;
    this.#clone = clone;
    this.#memory = store === undefined ? undefined : new BlobMemory(store);
  }

  async inspect(revision: Revision): Promise<Offer> {
    return await this.#withReplacing(async (registry) => {
      const found = await this.#find(registry, revision);
      const [opened, early] = await settleAll([this.#fetch(found), this.#compareInPlace(found, revision)]);
      this.#opened = opened;
      const compared = this.#compared = early ?? await this.#compare(opened, revision);
      if (compared !== undefined) {
        return offerOf(revision, compared, () => this.#findOtherWriter(revision, compared.claim));
      }
      const tree = await opened.readTree();
      const { manifestBlob, signatureBlob } = tree;
      const claim = manifestBlob === undefined
        ? undefined
        : await this.#readClaim(opened, revision, { manifestBlob, signatureBlob });
      const own = releaseFilesOf(tree, claim?.manifest);
      reportClutter(this.#context.log, `commit ${revision.id.slice(0, 12)}`, leftOutOf(tree, own));
      const files = offeredFiles(own, claim, this.#memory, this.#openHolds());
      if (claim === undefined) return { revision, claim, files };
      const problem = findClaimProblem(files, claim.manifest.files);
      const findOtherWriter = () => this.#findOtherWriter(revision, claim);
      return { revision, claim, files, problem, findOtherWriter };
    });
  }

  /** Returns what says whether the store holds a content. */
  #openHolds(): (sha256: Sha256) => boolean {
    const held = this.#store && new HeldFiles(this.#context, this.#store);
    return (sha256) => held?.holds(sha256) === true;
  }

  /** As {@link PulledClone.withReplacing}. Nothing that was read from a replaced clone is used. */
  async #withReplacing<Result>(work: (registry: Registry) => Promise<Result>): Promise<Result> {
    return await this.#clone.withReplacing(work, () => {
      this.#opened = undefined;
      this.#compared = undefined;
      this.#lfsParts = undefined;
    });
  }

  async #open(registry: Registry, revision: Revision): Promise<Opened> {
    return await this.#fetch(await this.#find(registry, revision));
  }

  async #find(registry: Registry, { id: commit }: Revision): Promise<FoundClone> {
    const [ours, present] = await settleAll([
      registry.findCommit(`refs/heads/${this.#options.registry.branch}`),
      registry.findCommit(commit),
      registry.requireHistory(),
      this.#refuseDirtyWorktree(registry),
    ]);
    const git = withScratchObjects(registry, this.#context.fs, this.#options.scratch);
    const local = registry.hasNoFiles ? new LocalRemote(registry) : undefined;
    return { registry, commit, git, local, ours, isPresent: present !== undefined };
  }

  async #fetch({ ours, isPresent, ...found }: FoundClone): Promise<Opened> {
    const { registry, commit, git } = found;
    if (this.#options.owner === "unlocked") await registry.peekCommit(git, commit);
    else if (ours !== commit && !isPresent) await registry.fetchCommit(commit, ours);
    const relation = await this.#relate(registry, git, ours, commit);
    let tree: Promise<ModelTree> | undefined;
    const readTree = () => tree ??= readModelTree(git, commit, this.#options.subdir);
    const forgetTree = () => void (tree = undefined);
    return { ...found, relation, readTree, forgetTree };
  }

  async #compare(opened: Opened, revision: Revision): Promise<ComparedCommit | undefined> {
    if (this.#store === undefined) return undefined;
    const place = { ...opened, subdir: this.#options.subdir };
    const read = (blobs: ClaimBlobs, known: KnownManifest) => this.#readClaim(opened, revision, blobs, known);
    return await compareWithActive(this.#store, place, revision.source, read);
  }

  /**
   * As {@link #compare}, while git fetches the commit: in a remote on this disk, it can be read before.
   *
   * @returns `undefined` also if it cannot be read there: the fetch finds out why
   */
  async #compareInPlace(
    { git, commit, local }: FoundClone,
    { source }: Revision,
  ): Promise<ComparedCommit | undefined> {
    const inPlace = await local?.open(git);
    if (this.#store === undefined || inPlace === undefined) return undefined;
    const place = { commit, subdir: this.#options.subdir };
    const read = (blobs: ClaimBlobs, known: KnownManifest) =>
      findSoundClaim(inPlace, { ...place, blobs, known });
    try {
      return await compareWithActive(this.#store, { ...place, git: inPlace }, source, read);
    } catch (error) {
      if (!(error instanceof ModelSyncError) || error instanceof DiskError) throw error;
      return undefined;
    }
  }

  async stage(offer: Offer, staging: Staging): Promise<void> {
    await this.#withReplacing((registry) => this.#stage(registry, offer, staging));
  }

  /** @param isFetched whether the objects are fetched also from a remote on this disk */
  async #stage(registry: Registry, offer: Offer, staging: Staging, isFetched = false): Promise<void> {
    const opened = this.#opened ??= await this.#open(registry, offer.revision);
    const claimed = offer.claim && filesOf(offer.claim.manifest);
    const wanted: TreeFile[] = [];
    const local = isFetched ? undefined : opened.local;
    // Few objects of a remote on this disk are read in less time than the memory of many.
    const isFew = offer.since !== undefined && await local?.open(opened.git) !== undefined;
    const memory = isFew ? undefined : this.#memory;
    const files = await this.#listFiles(opened, offer, staging);
    const turns = new Turns(this.#context);
    for (const file of files) {
      await turns.next();
      if (staging.has(file.path)) continue;
      const known = memory?.find(file.blob);
      if (known !== undefined && await staging.link(file.path, known)) continue;
      wanted.push(file);
    }
    const objects = byObject(wanted, claimed);
    const reading = await this.#makeReadable({ ...opened, local }, offer, staging, objects);
    const place = {
      ...opened,
      ...reading,
      hasLfs: () => this.#hasLfs ??= hasLfs(registry),
      openLfsParts: () => this.#lfsParts ??= this.#openLfsParts(registry),
      claimed,
    };
    const isInPlace = reading.action !== undefined;
    try {
      await stageBlobs(this.#context, place, staging, objects);
    } catch (error) {
      if (!isInPlace) throw error;
      if (!(error instanceof MissingObjectError)) throw ofRemote(error, registry);
      return await this.#stage(registry, offer, staging, true);
    }
    await dropScratchObjects(this.#context.fs, this.#options.scratch);
    // Git has not compared objects in place with their names: only the manifest shows which are sound.
    rememberBlobs(memory, staging, offer, files, isInPlace || isFetched ? claimed : undefined);
    // It is not needed again, and that of 50,000 files takes 10 MB.
    opened.forgetTree();
  }

  /** Returns the files to stage, some of which may be staged already. The whole commit is listed only if it has to be. */
  async #listFiles(opened: Opened, offer: Offer, staging: Staging): Promise<readonly TreeFile[]> {
    const blobs = offer.since === undefined ? undefined : this.#compared?.blobs;
    if (blobs !== undefined && staging.lacking(listOf(offer)).every(({ path }) => blobs.has(path))) {
      return Array.from(blobs, ([path, blob]) => ({ path, blob }));
    }
    return releaseFilesOf(await opened.readTree(), offer.claim?.manifest);
  }

  /** Returns how git reads these objects: in a registry on this disk, else fetched. */
  async #makeReadable(
    opened: Opened,
    offer: Offer,
    staging: Staging,
    { ids, bytes }: WantedFiles,
  ): Promise<Pick<BlobPlace, "git" | "action">> {
    const { registry, git, local } = opened;
    // Only the manifest's digests then show whether an object is damaged.
    const inPlace = offer.claim === undefined ? undefined : await local?.open(git);
    if (inPlace !== undefined) {
      await staging.requireSpace(bytes);
      return { git: inPlace, action: `read files from ${redactUrls(registry.remoteUrl.url)}` };
    }
    // Each file is on the disk twice: as git's object and as the staged file.
    await staging.requireSpace(bytes * 2);
    await this.#fetchBlobs(opened, ids, offer.files.length);
    return { git };
  }

  /** Loads the code only if there is a large file in Git LFS. */
  async #openLfsParts(registry: Registry): Promise<LfsParts | undefined> {
    if (this.#store === undefined) return undefined;
    const { LfsParts } = await import("./lfs_parts.ts");
    return new LfsParts(this.#context, registry, this.#store);
  }

  async accept(offer: Offer): Promise<void> {
    await this.#withReplacing((registry) => this.#accept(registry, offer));
    await this.#clone.registry.sync();
  }

  async #accept(registry: Registry, offer: Offer): Promise<void> {
    const { relation } = this.#opened ??= await this.#open(registry, offer.revision);
    const { resetToRemote } = this.#options;
    await moveBranch(this.#context, registry, { commit: offer.revision.id, relation, resetToRemote });
  }

  async #refuseDirtyWorktree(registry: Registry): Promise<void> {
    if (!registry.hasWorktree || this.#options.allowDirtyWorktree) return;
    refuseDirty(registry, (await registry.status()).dirty);
  }

  /** Returns how the clone's branch relates to the remote's. @throws {RefusedError} if that is not a fast-forward */
  async #relate(
    registry: Registry,
    git: Git,
    ours: ObjectId | undefined,
    tip: ObjectId,
  ): Promise<Relation | undefined> {
    const { branch } = this.#options.registry;
    if (ours === undefined) return undefined;
    const relation = await registry.relation(git, ours, tip);
    if (relation === "diverged" && !this.#options.resetToRemote) {
      throw diverged(registry, ours, tip, this.#isLookUp ? lookUpOf(branch) : undefined);
    }
    // No one commits in a clone of our own: a remote that is older than the last pull was set back.
    if (
      relation === "ahead" && registry.isOwn && !this.#options.allowDowngrade && !this.#options.resetToRemote
    ) {
      throw this.#isLookUp && this.#hasPublished(registry)
        ? behindPublisher(registry, ours, tip)
        : setBack(this.#isLookUp ? lookUpOf(branch) : `pull ${branch}`, ours, tip);
    }
    return relation;
  }

  get #isLookUp(): boolean {
    return this.#options.purpose === "look-up";
  }

  #hasPublished(registry: Registry): boolean {
    return this.#store !== undefined &&
      findPublished(this.#store, publishTarget(registry, this.#options.subdir)) !== undefined;
  }

  /** @param known the manifest of the active release, which was checked before */
  async #readClaim(
    opened: Opened,
    { id: commit }: Revision,
    blobs: ClaimBlobs,
    known?: KnownManifest,
  ): Promise<ManifestClaim> {
    const { git, local } = opened;
    const place = { blobs, commit, subdir: this.#options.subdir, known };
    const ids = [blobs.manifestBlob, blobs.signatureBlob].filter((id) => id !== undefined);
    const inPlace = await local?.open(git);
    const found = inPlace && await findSoundClaim(inPlace, place);
    if (found !== undefined) return found;
    await this.#fetchBlobs(opened, ids, 0);
    return await readClaim((id, file) => readSmallBlob(git, id, file), place);
  }

  async #findOtherWriter(
    revision: Revision,
    { manifest }: ManifestClaim,
  ): Promise<OtherWriter | undefined> {
    const change = await this.#withReplacing(async (registry) => {
      const { git, commit: tip, readTree } = this.#opened ??= await this.#open(registry, revision);
      const { scratch, subdir } = this.#options;
      const files = releaseFilesOf(await readTree(), manifest);
      return await findForeignChange(this.#context, { registry, git, scratch, subdir, tip, files }, manifest);
    });
    if (change === undefined) return undefined;
    const tree = await this.#opened?.readTree();
    const files = offeredFiles(tree?.files ?? [], undefined, this.#memory, this.#openHolds());
    return { ...change, revision: change.commit, files };
  }

  /** @param fileCount the number of the commit's files */
  async #fetchBlobs(opened: Opened, ids: readonly ObjectId[], fileCount: number): Promise<void> {
    const { registry, git, commit } = opened;
    const missing = await registry.findMissing(git, commit, ids);
    if (missing.length === 0) return;
    if (registry.hasNoFiles && areNearlyAll(missing, fileCount)) {
      await registry.fetchFolder(git, commit, this.#options.subdir);
    } else await registry.fetchObjects(git, missing);
  }
}
