import { isoSeconds } from "../core/clock.ts";
import { changedFile, readListed } from "../core/changed_file.ts";
import type { Context } from "../core/context.ts";
import { FailedError } from "../core/errors.ts";
import { plural } from "../core/format.ts";
import { hashFile, isChunked } from "../core/hash.ts";
import { redactUrls } from "../core/secret.ts";
import { BlobMemory } from "../store/blob_memory.ts";
import { type CommitId, Hub, PATIENT } from "../huggingface/hub.ts";
import { commitToHub } from "../huggingface/hub_commit.ts";
import { type HubSettings, requireWriteToken } from "../huggingface/hub_settings.ts";
import { describeLayout } from "../huggingface/repo_layout.ts";
import { BranchMoved } from "../huggingface/upload_http.ts";
import { folderName, planUpload, type UploadPlan, type UploadRules } from "../huggingface/upload_plan.ts";
import {
  findTarget,
  isThere,
  makeTarget,
  type MissingTarget,
  readTarget,
  targetSeal,
  type UploadTarget,
} from "../huggingface/upload_target.ts";
import { countChanges } from "../release/changes.ts";
import { formatManifest } from "../release/format_manifest.ts";
import {
  createManifest,
  type Digest,
  type Manifest,
  MANIFEST_NAME,
  type ReleaseFile,
  releaseFile,
  type Withdrawal,
} from "../release/manifest.ts";
import type { ModelSet, SetFile } from "../release/model_set.ts";
import { isSameList, refuseWithdrawnModels } from "../release/withdrawals.ts";
import { SIGNATURE_NAME } from "../release/registry_file.ts";
import { expiryOf, isSealDue, ownWithdrawals, type Seal, type Sealed } from "../signing/seal.ts";
import { findPublished, rememberPublished } from "../store/published.ts";
import type { Store } from "../store/store.ts";
import { carryWithdrawals } from "../store/withdrawals.ts";
import type { Publication, Publisher } from "./carrier.ts";

export interface HuggingFacePublisherOptions {
  readonly hub: HubSettings;
  readonly rules: UploadRules;
  /** Creates a missing repository as a private one. */
  readonly isPrivate: boolean;
  /** Replaces the default message. */
  readonly commitMessage: string | undefined;
  /** Opens a pull request instead of moving the branch. */
  readonly asPullRequest: boolean;
  /** Signs the release and sets its expiry. Without it, the release is unsigned and does not expire. */
  readonly seal?: Seal | undefined;
}

/** The result of an upload. */
export interface HuggingFacePublication extends Publication {
  readonly repoId: string;
  readonly branch: string;
  /** The commit of the branch, or the one that the pull request proposes. */
  readonly commit: CommitId;
  readonly pullRequestUrl: string | undefined;
}

/** The upload that was sent to the hub. */
interface Sent {
  readonly manifest: Manifest;
  readonly result: Pick<HuggingFacePublication, "outcome" | "changed" | "previous" | "signer">;
}

/** How often an upload is repeated when another uploader moved the branch first. More often is no coincidence. */
const COMMIT_ATTEMPTS_MAX = 5;

/** Publishes to a model repository on a Hugging Face hub: one commit with the changes; none if nothing changed. */
export class HuggingFacePublisher implements Publisher<HuggingFacePublication> {
  readonly carrier = "huggingface";
  readonly #context: Context;
  readonly #store: Store;
  readonly #options: HuggingFacePublisherOptions;
  readonly #hub: Hub;
  readonly #memory: BlobMemory;
  /** The commit of the branch, as of the last request. */
  #head: CommitId | MissingTarget;
  /** The last upload. Its commit may exist although the response was lost. */
  #sent: Sent | undefined;
  /** Of the files that uploads have sent so far. */
  #sentBytes = 0;

  private constructor(
    context: Context,
    store: Store,
    options: HuggingFacePublisherOptions,
    hub: Hub,
    head: CommitId | MissingTarget,
  ) {
    this.#context = context;
    this.#store = store;
    this.#options = options;
    this.#hub = hub;
    this.#memory = new BlobMemory(store);
    this.#head = head;
  }

  /** Opens the repository and requests the commit of the branch. @throws {AuthenticationError} code `TOKEN_MISSING` */
  static async open(
    context: Context,
    store: Store,
    options: HuggingFacePublisherOptions,
  ): Promise<HuggingFacePublisher> {
    requireWriteToken(context.env, options.hub);
    const hub = new Hub(context, options.hub, PATIENT);
    hub.announce();
    return new HuggingFacePublisher(context, store, options, hub, await findTarget(hub));
  }

  [Symbol.dispose](): void {}

  /** Returns the last publish of this machine, if the branch has not moved since. */
  findPublished(release: Digest): HuggingFacePublication | undefined {
    const published = findPublished(this.#store, this.#target);
    if (published?.digest !== release || published.head !== this.#head) return undefined;
    if (this.#isSealDue(published)) return undefined;
    return this.#unchanged(published.head, published.sequence, published.signedBy);
  }

  async publish(set: ModelSet): Promise<HuggingFacePublication> {
    const { hub, isPrivate, rules } = this.#options;
    for (let attempt = 1; attempt <= COMMIT_ATTEMPTS_MAX; attempt++) {
      const known = this.findPublished(set.digest);
      if (known !== undefined) return known;
      const head = isThere(this.#head)
        ? this.#head
        : await makeTarget(this.#context, this.#hub, this.#head, isPrivate);
      const target = await readTarget(this.#context, this.#hub, head);
      const listed = target.manifest?.withdrawals ?? [];
      const sealed = await targetSeal(this.#options.seal, target);
      const own = ownWithdrawals(this.#options.seal, sealed, target.manifest);
      const withdrawals = carryWithdrawals(this.#store, own);
      refuseWithdrawnModels(withdrawals, set.digest, set.dir);
      const isDue = !isSameList(withdrawals, listed);
      const plan = await planUpload(
        this.#context,
        target,
        set,
        rules,
        (blob) => this.#memory.find(blob),
      );
      if (plan.isUnchanged && !isDue && !this.#isSealDue(sealed)) {
        return this.#alreadyThere(set, target, sealed);
      }
      try {
        return await this.#commit(set, target, plan, withdrawals);
      } catch (error) {
        if (!(error instanceof BranchMoved)) throw error;
      }
      this.#context.log.warn(
        `another uploader moved ${hub.revision} of ${hub.repoId} meanwhile; trying again on top of it`,
      );
      this.#head = (await this.#hub.findCommit()).commit;
    }
    throw new FailedError(
      `Cannot upload to ${hub.revision} of ${hub.repoId}: other uploaders were first, ${COMMIT_ATTEMPTS_MAX} times in a row`,
      { code: "UPLOAD_LOST", hint: "run again, and check which other machines upload there" },
    );
  }

  async #commit(
    set: ModelSet,
    target: UploadTarget,
    plan: UploadPlan,
    withdrawals: readonly Withdrawal[],
  ): Promise<HuggingFacePublication> {
    const { rules, asPullRequest, seal } = this.#options;
    const manifest = await this.#makeManifest(set, target.manifest, withdrawals);
    const result = {
      outcome: "published" as const,
      changed: countChanges(plan.changes),
      previous: target.manifest?.digest,
      signer: seal?.signer?.keyHint,
    };
    this.#sent = { manifest, result };
    this.#context.log.info(
      `uploading ${plural(plan.uploaded.length, "file")} as sequence ${manifest.sequence}`,
    );
    const text = formatManifest(manifest);
    const signature = await seal?.signer?.sign(manifest, text, rules.layout.folder);
    const isStale = signature === undefined && target.files.some(({ path }) => path === SIGNATURE_NAME);
    if (isStale) {
      this.#context.log.warn(
        `removing ${SIGNATURE_NAME}: it belongs to an earlier release, and no signing key is configured here`,
      );
    }
    const { commit, pullRequestUrl } = await commitToHub(this.#context, this.#hub, {
      parent: target.commit,
      message: this.#message(manifest.createdAt),
      files: plan.uploaded,
      texts: {
        [MANIFEST_NAME]: text,
        ...(signature === undefined ? {} : { [SIGNATURE_NAME]: signature }),
      },
      removed: [...plan.deleted, ...isStale ? [SIGNATURE_NAME] : []],
      held: new Set(target.files.flatMap(({ sha256 }) => sha256 ?? [])),
      asPullRequest,
      onSent: (bytes) => this.#sentBytes += bytes,
    });
    const sealed = { signedBy: result.signer, expiresAt: manifest.expiresAt };
    if (!asPullRequest) this.#remember(set, commit, manifest.sequence, sealed);
    return { ...this.#unchanged(commit, manifest.sequence, result.signer), ...result, pullRequestUrl };
  }

  /** Returns the result if the branch holds this release: nothing changed, or the response to the last commit was lost. */
  #alreadyThere(set: ModelSet, { commit, manifest }: UploadTarget, sealed: Sealed): HuggingFacePublication {
    const sequence = manifest?.sequence ?? 0;
    this.#remember(set, commit, sequence, sealed);
    const sent = this.#sent;
    const isOurs = manifest !== undefined && sent !== undefined &&
      formatManifest(manifest) === formatManifest(sent.manifest);
    return { ...this.#unchanged(commit, sequence, sealed.signedBy), ...(isOurs ? sent.result : {}) };
  }

  #isSealDue(sealed: Sealed): boolean {
    return isSealDue(this.#options.seal, sealed, this.#context.clock.now());
  }

  #unchanged(commit: CommitId, sequence: number, signer: string | undefined): HuggingFacePublication {
    const { repoId, revision } = this.#options.hub;
    return {
      outcome: "unchanged",
      sequence,
      changed: 0,
      sentBytes: this.#sentBytes,
      previous: undefined,
      signer,
      repoId,
      branch: revision,
      commit,
      pullRequestUrl: undefined,
    };
  }

  async #makeManifest(
    set: ModelSet,
    before: Manifest | undefined,
    withdrawals: readonly Withdrawal[],
  ): Promise<Manifest> {
    const { rules, seal } = this.#options;
    const now = this.#context.clock.now();
    const known = new Map(before?.files.map((file) => [file.sha256, file]));
    const files: ReleaseFile[] = [];
    for (const file of set.files) files.push(await this.#describe(file, known.get(file.sha256)));
    const folder = folderName(rules.layout.folder);
    const remembered = findPublished(this.#store, this.#target)?.sequence ?? 0;
    return await createManifest(files, {
      // One more than the higher of the branch's sequence and the last one that this machine published there.
      sequence: Math.max(before?.sequence ?? 0, remembered) + 1,
      createdAt: isoSeconds(now),
      ...expiryOf(seal, now),
      origin: {
        carrier: "huggingface",
        host: this.#context.host,
        ...(folder === undefined ? {} : { folder }),
      },
      withdrawals,
    });
  }

  /** Returns a manifest's entry. The chunks of a file whose digest was remembered are taken over from the manifest before. */
  async #describe({ location, ...file }: SetFile, before: ReleaseFile | undefined): Promise<ReleaseFile> {
    const contentChunks = file.contentChunks ?? before?.contentChunks;
    if (contentChunks !== undefined) return { ...file, contentChunks };
    const { path, size, sha256 } = file;
    if (!isChunked(size)) return file;
    const { signal, fs } = this.#context;
    const read = () => hashFile(fs, location, { signal, isForManifest: true });
    const digest = await readListed(fs, { path, location }, read);
    if (digest.sha256 !== sha256) throw changedFile(path);
    return releaseFile(path, digest);
  }

  #message(createdAt: string): string {
    const message = this.#options.commitMessage?.trim() ?? "";
    if (message !== "") return message;
    const sha = this.#context.env.get("GITHUB_SHA") ?? "";
    return sha === ""
      ? `chore(models): sync ${createdAt}`
      : `Auto-update models from GitHub Actions ${sha.slice(0, 7)}`;
  }

  #remember(set: ModelSet, head: CommitId, sequence: number, sealed: Sealed): void {
    this.#head = head;
    rememberPublished(this.#store, {
      ...sealed,
      target: this.#target,
      head,
      tree: head,
      digest: set.digest,
      sequence,
    });
  }

  get #target(): string {
    const { hub, rules } = this.#options;
    const parts = [redactUrls(hub.endpoint), hub.repoId, hub.revision, describeLayout(rules.layout)];
    // With deleteRemoved, the repository may hold other files although the release is the same.
    return `huggingface ${parts.join(" ")}${rules.deleteRemoved ? " alone" : ""}`;
  }
}
