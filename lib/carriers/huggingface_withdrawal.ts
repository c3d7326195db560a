import { isoSeconds } from "../core/clock.ts";
import type { Context } from "../core/context.ts";
import { FailedError, ModelSyncError, RefusedError } from "../core/errors.ts";
import { Hub, PATIENT } from "../huggingface/hub.ts";
import { type HubSettings, requireWriteToken } from "../huggingface/hub_settings.ts";
import { findHubWriter } from "../huggingface/other_writer.ts";
import type { RepoLayout } from "../huggingface/repo_layout.ts";
import {
  commitManifest,
  COMMITS_LOOKED_AT,
  findBefore,
  type PublishedTarget,
  restoringLines,
} from "../huggingface/restore_release.ts";
import { folderName } from "../huggingface/upload_plan.ts";
import { readTarget } from "../huggingface/upload_target.ts";
import {
  createManifest,
  type Digest,
  type Manifest,
  SEQUENCE_MAX,
  type Withdrawal,
} from "../release/manifest.ts";
import { findWithdrawn, type WithdrawalChange } from "../release/withdrawals.ts";
import { expiryOf, isOwn, readSeal, type Seal } from "../signing/seal.ts";
import {
  commitSubject,
  type NamedRelease,
  type NewestManifest,
  nothingRestored,
  planList,
  type PlannedList,
  readNewestManifest,
  refuseUnsigned,
  requireManifest,
  type WithdrawalResult,
  type WithdrawalTarget,
} from "./withdrawal_target.ts";

export interface HuggingFaceWithdrawalOptions {
  readonly hub: HubSettings;
  readonly layout: RepoLayout;
  readonly seal: Seal | undefined;
}

/** How often a commit is repeated when another uploader moved the branch first, as for an upload. */
const COMMIT_ATTEMPTS_MAX = 5;

/** The hub's answers if the branch is no longer at the commit's parent. */
const MOVED_CODES = ["HTTP_409", "HTTP_412"];

/** The list of withdrawals of a repository on a Hugging Face hub. */
export class HuggingFaceWithdrawal implements WithdrawalTarget {
  readonly #context: Context;
  readonly #options: HuggingFaceWithdrawalOptions;
  readonly #hub: Hub;
  #now: PublishedTarget;
  #newest: NewestManifest;

  private constructor(
    context: Context,
    options: HuggingFaceWithdrawalOptions,
    hub: Hub,
    { now, newest }: Opened,
  ) {
    this.#context = context;
    this.#options = options;
    this.#hub = hub;
    this.#now = now;
    this.#newest = newest;
  }

  /**
   * Opens the repository and reads its newest manifest.
   *
   * @throws {AuthenticationError} code `TOKEN_MISSING`; {@link UsageError} code `NOTHING_PUBLISHED`
   */
  static async open(context: Context, options: HuggingFaceWithdrawalOptions): Promise<HuggingFaceWithdrawal> {
    requireWriteToken(context.env, options.hub);
    const hub = new Hub(context, options.hub, PATIENT);
    hub.announce();
    return new HuggingFaceWithdrawal(context, options, hub, await readNewest(context, hub, options.seal));
  }

  [Symbol.dispose](): void {}

  get withdrawals(): readonly Withdrawal[] {
    return this.#newest.withdrawals;
  }

  get newest(): NamedRelease {
    return this.#now.manifest;
  }

  /** Each commit costs some requests, so only the last ones are searched. */
  async find(isWanted: (release: NamedRelease) => boolean): Promise<Digest | undefined> {
    for (const { id } of await this.#hub.listCommits(COMMITS_LOOKED_AT)) {
      const { manifest } = await readTarget(this.#context, this.#hub, id);
      if (manifest !== undefined && isWanted(manifest)) return manifest.digest;
    }
    return undefined;
  }

  async preview(change: WithdrawalChange, known: readonly Withdrawal[]): Promise<WithdrawalResult> {
    const plan = this.#plan(change, known);
    if (!plan.isChanged) return this.#unchanged();
    const before = await this.#findRestored(plan);
    return this.#result(await this.#makeManifest(plan, before), before, undefined);
  }

  /** Publishes the change; again on top of the new commit if another uploader moved the branch first. */
  async publish(change: WithdrawalChange, known: readonly Withdrawal[]): Promise<WithdrawalResult> {
    for (let attempt = 1; attempt <= COMMIT_ATTEMPTS_MAX; attempt++) {
      const plan = this.#plan(change, known);
      if (!plan.isChanged) return this.#unchanged();
      try {
        return await this.#commit(change, plan);
      } catch (error) {
        if (!(error instanceof ModelSyncError) || !MOVED_CODES.includes(error.code)) throw error;
      }
      this.#context.log.warn(`another uploader moved ${this.#target} meanwhile; trying again on top of it`);
      const { now, newest } = await readNewest(this.#context, this.#hub, this.#options.seal);
      [this.#now, this.#newest] = [now, newest];
    }
    throw new FailedError(
      `Cannot commit to ${this.#target}: other uploaders were first, ${COMMIT_ATTEMPTS_MAX} times in a row`,
      { code: "UPLOAD_LOST", hint: "run again, and check which other machines upload there" },
    );
  }

  #plan(change: WithdrawalChange, known: readonly Withdrawal[]): PlannedList {
    return planList(this.#newest, known, change, this.#context.clock.now());
  }

  get #target(): string {
    return targetOf(this.#hub);
  }

  async #commit(change: WithdrawalChange, plan: PlannedList): Promise<WithdrawalResult> {
    const { layout, seal } = this.#options;
    const before = await this.#findRestored(plan);
    refuseUnsigned(this.#newest, seal, before !== undefined, this.#target);
    if (before === undefined) await this.#refuseOtherWriter();
    const manifest = await this.#makeManifest(plan, before);
    const summary = `${commitSubject(change)}${change.reason === undefined ? "" : `: ${change.reason}`}`;
    this.#context.log.info(`publishing the list of withdrawals as sequence ${manifest.sequence}`);
    const commit = await commitManifest(this.#hub, layout, {
      now: this.#now,
      restored: before === undefined ? [] : await restoringLines(this.#hub, layout, this.#now, before),
      manifest,
      seal,
      summary,
    });
    return this.#result(manifest, before, commit);
  }

  #unchanged(): WithdrawalResult {
    const { manifest, commit } = this.#now;
    return { ...this.#result(manifest, undefined, commit), outcome: "unchanged", signer: undefined };
  }

  #result(
    manifest: Manifest,
    before: PublishedTarget | undefined,
    commit: string | undefined,
  ): WithdrawalResult {
    return {
      carrier: "huggingface",
      target: this.#target,
      outcome: "published",
      release: manifest.digest,
      sequence: manifest.sequence,
      replaced: before === undefined ? undefined : this.#now.manifest.digest,
      files: manifest.files.length,
      commit,
      signer: this.#options.seal?.signer?.keyHint,
    };
  }

  /** Returns the manifest with the new list: of the restored release, else of the newest one, whose age stays. */
  async #makeManifest({ withdrawals }: PlannedList, before: PublishedTarget | undefined): Promise<Manifest> {
    const { layout, seal } = this.#options;
    const { manifest } = this.#now;
    const now = this.#context.clock.now();
    const folder = folderName(layout.folder);
    return await createManifest((before ?? this.#now).manifest.files, {
      sequence: Math.min(SEQUENCE_MAX, manifest.sequence + 1),
      createdAt: before === undefined ? manifest.createdAt : isoSeconds(now),
      ...expiryOf(seal, now),
      origin: {
        carrier: "huggingface",
        host: this.#context.host,
        ...(folder === undefined ? {} : { folder }),
      },
      withdrawals,
    });
  }

  /** Returns the newest earlier release that is not withdrawn, if the newest release is. */
  async #findRestored(plan: PlannedList): Promise<PublishedTarget | undefined> {
    if (!plan.replacesNewest) return undefined;
    const { layout, seal } = this.#options;
    const foreign = new Set<Digest>();
    const isGood = async ({ manifest, text = "", signature }: PublishedTarget) => {
      if (findWithdrawn(plan.withdrawals, manifest.digest) !== undefined) return false;
      if (isOwn(seal, await readSeal(seal, manifest, text, signature))) return true;
      foreign.add(manifest.digest);
      return false;
    };
    const found = await findBefore(this.#context, this.#hub, layout, this.#now, isGood);
    if (found === undefined) this.#context.log.warn(nothingRestored(this.#target, foreign.size, "upload"));
    return found;
  }

  /**
   * Refuses to publish a manifest over another program's change of the models: it would seem to describe that change.
   *
   * @throws {RefusedError} code `OTHER_WRITER`
   */
  async #refuseOtherWriter(): Promise<void> {
    const { manifest } = this.#now;
    const other = await findHubWriter(this.#hub, this.#now, manifest, this.#options.layout, () => undefined);
    if (other === undefined) return;
    throw new RefusedError(
      `Cannot change the withdrawals of ${this.#target}: commit ${
        other.revision.slice(0, 12)
      } ("${other.subject}", by ${other.author}) changed the models without their manifest`,
      { code: "OTHER_WRITER", hint: "upload first, and withdraw then" },
    );
  }
}

function targetOf({ settings: { repoId, revision } }: Hub): string {
  return `${repoId} ${revision}`;
}

/** The newest commit of the branch, and what the publisher may take from its manifest. */
interface Opened {
  readonly now: PublishedTarget;
  readonly newest: NewestManifest;
}

/** @throws {UsageError} code `NOTHING_PUBLISHED` */
async function readNewest(context: Context, hub: Hub, seal: Seal | undefined): Promise<Opened> {
  const target = await readTarget(context, hub, (await hub.findCommit()).commit);
  const manifest = requireManifest(target.manifest, targetOf(hub));
  const { text = "", signature } = target;
  const newest = await readNewestManifest({ manifest, text, signature }, seal, context.clock.now());
  return { now: { ...target, manifest }, newest };
}
