import { isoSeconds } from "../core/clock.ts";
import type { Context } from "../core/context.ts";
import { FailedError, RefusedError } from "../core/errors.ts";
import { loadSha256Of, type Sha256 } from "../core/hash.ts";
import { repeatIfWrong } from "../http/repeat_wrong.ts";
import { formatManifest } from "../release/format_manifest.ts";
import {
  createManifest,
  type Digest,
  type Manifest,
  MANIFEST_NAME,
  shortDigest,
  type Withdrawal,
} from "../release/manifest.ts";
import { findWithdrawn, mergeWithdrawals } from "../release/withdrawals.ts";
import { SIGNATURE_NAME } from "../release/registry_file.ts";
import type { SignedManifest } from "../signing/release_signature.ts";
import { expiryOf, ownWithdrawals, readSeal, type Seal } from "../signing/seal.ts";
import { type CommitLine, deletedLine, fileLine, lfsLine, textLine } from "./commit_lines.ts";
import { type CommitId, Hub, type HubFile } from "./hub.ts";
import { nameOf } from "./hub_files.ts";
import type { HubSettings } from "./hub_settings.ts";
import { type RepoLayout, repoPath } from "./repo_layout.ts";
import { readTarget, type UploadTarget } from "./upload_target.ts";

/** How many commits are searched for the previous release: other writers may have committed in between. */
export const COMMITS_LOOKED_AT = 50;

export interface RestoreOptions {
  /** The newest release of the branch. */
  readonly failed: Digest;
  /** Signs the new commit's release. */
  readonly seal: Seal | undefined;
  /** The withdrawals that this machine knows. */
  readonly known: readonly Withdrawal[];
  /** Returns whether a release may be restored and signed. Every writer of the repository can add releases. */
  readonly isTrusted: (
    claim: SignedManifest & { readonly signature: string | undefined },
  ) => Promise<boolean>;
}

/** A commit that published an older release again. */
export interface RestoredRelease {
  readonly release: Digest;
  readonly sequence: number;
  readonly commit: CommitId;
}

/**
 * Publishes the release before `failed` again, by a new commit with a higher sequence, so that clients with the failed
 * release pull it. `failed` has to be the branch's newest release. Large files are in the hub's storage already and are
 * not sent again.
 *
 * @throws {FailedError} codes `NOTHING_TO_RESTORE`, `RELEASE_REPLACED`; {@link RefusedError} codes `SIGNATURE_MISSING`,
 * `DIGEST_MISMATCH`; {@link AuthenticationError}, {@link UnreachableError}
 */
export async function restoreRelease(
  context: Context,
  settings: HubSettings,
  layout: RepoLayout,
  { failed, seal, known, isTrusted }: RestoreOptions,
): Promise<RestoredRelease> {
  const hub = new Hub(context, settings);
  const { commit: head } = await hub.findCommit();
  const now = await readTarget(context, hub, head);
  if (now.manifest?.digest !== failed) throw replaced(settings, failed, now.manifest?.digest);
  if (now.signature !== undefined && seal?.signer === undefined) throw unsigned(settings);
  const held = await readSeal(seal, now.manifest, now.text ?? "", now.signature);
  const withdrawals = mergeWithdrawals(ownWithdrawals(seal, held, now.manifest), known);
  let damage: RefusedError | undefined;
  let restored: readonly CommitLine[] = [];
  const isGood = async (target: PublishedTarget) => {
    const { manifest, text = "", signature } = target;
    if (findWithdrawn(withdrawals, manifest.digest) !== undefined) return false;
    if (!await isTrusted({ manifest, text, signature })) return false;
    const found = await linesOrDamage(hub, layout, now, target);
    if (!(found instanceof RefusedError)) {
      restored = found;
      return true;
    }
    context.log.warn(`${found.message}; trying an older release`);
    damage ??= found;
    return false;
  };
  const before = await findBefore(context, hub, layout, now, isGood);
  if (before === undefined) throw damage ?? nothingBefore(settings);
  const time = context.clock.now();
  const manifest = await createManifest(before.manifest.files, {
    sequence: Math.max(now.manifest.sequence, before.manifest.sequence) + 1,
    createdAt: isoSeconds(time),
    ...expiryOf(seal, time),
    origin: before.manifest.origin,
    withdrawals,
  });
  const { digest: release, sequence } = manifest;
  context.log.info(`restoring release ${shortDigest(release)} as sequence ${sequence}`);
  const summary = `revert(models): back to ${shortDigest(release)}`;
  const commit = await commitManifest(hub, layout, { now, restored, manifest, seal, summary });
  return { release, sequence, commit };
}

/** A commit of a manifest. */
export interface ManifestCommit {
  /** The newest commit of the branch. */
  readonly now: UploadTarget;
  /** The changes of the branch's files; none if they stay. */
  readonly restored: readonly CommitLine[];
  readonly manifest: Manifest;
  readonly seal: Seal | undefined;
  /** The commit's message: its first line. */
  readonly summary: string;
}

/** Commits a manifest with its signature, and changes of files. */
export async function commitManifest(
  hub: Hub,
  layout: RepoLayout,
  { now, restored, manifest, seal, summary }: ManifestCommit,
): Promise<CommitId> {
  const text = formatManifest(manifest);
  const operations = [
    ...restored,
    textLine(MANIFEST_NAME, text),
    ...await signatureLines(seal, layout, now, manifest, text),
  ];
  return await hub.commit({ summary, parentCommit: now.commit }, operations);
}

/** Clients that require signatures would refuse an unsigned release. */
function unsigned({ repoId, revision }: HubSettings): RefusedError {
  return new RefusedError(
    `Cannot restore a release of ${repoId}: the manifest of ${revision} is signed, and no signing key is configured here`,
    { code: "SIGNATURE_MISSING", hint: "set model_sync.signing.private_key to the publisher's key" },
  );
}

/**
 * Returns the error for a branch with a newer release: it has not failed, and its previous release may be the failed
 * one.
 */
function replaced({ repoId, revision }: HubSettings, failed: Digest, held: Digest | undefined): FailedError {
  const holds = held === undefined ? "no release" : `release ${shortDigest(held)}`;
  return new FailedError(
    `Cannot roll back from release ${shortDigest(failed)}: ${revision} of ${repoId} now has ${holds}`,
    {
      code: "RELEASE_REPLACED",
      hint: "check which other programs upload to the repository, and redeploy the branch's release",
    },
  );
}

/** A commit with a release. */
export type PublishedTarget = UploadTarget & { readonly manifest: Manifest };

/**
 * Returns the newest whole and good release that is not the branch's newest: the commit that published it. Later commits
 * with its manifest may be other programs', whose files it does not describe.
 */
export async function findBefore(
  context: Context,
  hub: Hub,
  layout: RepoLayout,
  now: UploadTarget,
  isGood: (target: PublishedTarget) => boolean | Promise<boolean>,
): Promise<PublishedTarget | undefined> {
  const isWanted = async (target: PublishedTarget) => isWhole(layout, target) && await isGood(target);
  const commits = (await hub.listCommits(COMMITS_LOOKED_AT)).map(({ id }) => id);
  let candidate: PublishedTarget | undefined;
  for (const commit of commits.filter((id) => id !== now.commit)) {
    const { manifest, ...target } = await readTarget(context, hub, commit);
    const isSame = manifest !== undefined && target.text === candidate?.text;
    if (candidate !== undefined && !isSame && await isWanted(candidate)) return candidate;
    const isNewest = manifest?.digest === now.manifest?.digest;
    candidate = manifest === undefined || isNewest ? undefined : { ...target, manifest };
  }
  return candidate !== undefined && await isWanted(candidate) ? candidate : undefined;
}

/** Whether a commit has every file of its manifest. */
function isWhole(layout: RepoLayout, { manifest, files }: PublishedTarget): boolean {
  const there = new Map(files.map((file) => [file.path, file]));
  return manifest.files.every(({ path, size, sha256 }) => {
    const file = there.get(repoPath(layout, path));
    return file?.size === size && (file.sha256 ?? sha256) === sha256;
  });
}

function nothingBefore({ repoId, revision }: HubSettings): FailedError {
  return new FailedError(
    `Cannot restore a release of ${repoId}: ${revision} has no earlier one that is whole, trusted and not withdrawn`,
    { code: "NOTHING_TO_RESTORE", hint: "upload the models that worked: model-sync hf-upload" },
  );
}

/**
 * Returns the changes that restore the files of an earlier commit. Large files are in the hub's storage already and are not
 * sent again.
 *
 * @throws {RefusedError} code `DIGEST_MISMATCH` for a small file of the older release that has other bytes than its manifest
 * lists
 */
export async function restoringLines(
  hub: Hub,
  layout: RepoLayout,
  now: UploadTarget,
  before: PublishedTarget,
): Promise<CommitLine[]> {
  return [...await restoredFiles(hub, layout, now, before), ...removedFiles(layout, now, before)];
}

/** Returns the files of the older release that the branch lacks, or has with other contents. */
async function restoredFiles(
  hub: Hub,
  layout: RepoLayout,
  now: UploadTarget,
  before: PublishedTarget,
): Promise<CommitLine[]> {
  const held = new Map(now.files.map((file) => [file.path, file.blob]));
  const there = new Map(before.files.map((file) => [file.path, file]));
  const lines: CommitLine[] = [];
  for (const { path, sha256 } of before.manifest.files) {
    const file = there.get(repoPath(layout, path));
    if (file === undefined || held.get(file.path) === file.blob) continue;
    lines.push(
      file.sha256 === undefined
        ? fileLine(file.path, await readClaimed(hub, before.commit, file, sha256))
        : lfsLine(file.path, file.sha256, file.size),
    );
  }
  return lines;
}

/** As {@link restoringLines}, with the error for a damaged release as a result. */
async function linesOrDamage(
  hub: Hub,
  layout: RepoLayout,
  now: UploadTarget,
  before: PublishedTarget,
): Promise<readonly CommitLine[] | RefusedError> {
  try {
    return await restoringLines(hub, layout, now, before);
  } catch (error) {
    if (error instanceof RefusedError && error.code === "DIGEST_MISMATCH") return error;
    throw error;
  }
}

/** Returns the bytes of a small file. @throws {RefusedError} code `DIGEST_MISMATCH` if the manifest lists others */
async function readClaimed(
  hub: Hub,
  commit: CommitId,
  file: HubFile,
  claimed: Sha256,
): Promise<Uint8Array<ArrayBuffer>> {
  const sha256Of = await loadSha256Of();
  return await repeatIfWrong(hub.context, async () => {
    const bytes = await hub.readFile(commit, file);
    const sha256 = sha256Of(bytes);
    if (sha256 === claimed) return bytes;
    throw new RefusedError(
      `Cannot restore ${nameOf(hub, file)}: its SHA-256 is ${sha256}, manifest says ${claimed}`,
      {
        code: "DIGEST_MISMATCH",
        hint:
          "run again later, or upload the models that worked: model-sync hf-upload; the branch is unchanged",
      },
    );
  });
}

/** Returns the files that only the newer release has. */
function removedFiles(layout: RepoLayout, now: UploadTarget, before: PublishedTarget): CommitLine[] {
  const kept = new Set(before.manifest.files.map(({ path }) => path));
  const there = new Set(now.files.map((file: HubFile) => file.path));
  return (now.manifest?.files ?? [])
    .filter(({ path }) => !kept.has(path) && there.has(repoPath(layout, path)))
    .map(({ path }) => deletedLine(repoPath(layout, path)));
}

/** Returns the operation for the signature: without a key, it removes the failed release's signature. */
async function signatureLines(
  seal: Seal | undefined,
  { folder }: RepoLayout,
  now: UploadTarget,
  manifest: Manifest,
  text: string,
): Promise<CommitLine[]> {
  const signature = await seal?.signer?.sign(manifest, text, folder);
  if (signature !== undefined) return [textLine(SIGNATURE_NAME, signature)];
  const isThere = now.files.some(({ path }) => path === SIGNATURE_NAME);
  return isThere ? [deletedLine(SIGNATURE_NAME)] : [];
}
