import type { Context } from "../core/context.ts";
import type { Git } from "../git/git.ts";
import { redactUrls } from "../core/secret.ts";
import type { ObjectId } from "../git/object_id.ts";
import type { Registry } from "../git/registry.ts";
import { manifestPathOf, signaturePathOf } from "../git/tree.ts";
import type { Manifest } from "../release/manifest.ts";
import { readSeal, type Seal, type Sealed } from "../signing/seal.ts";
import type { Published } from "../store/published.ts";
import type { ManifestClaim } from "./carrier.ts";
import { readManifestToReplace, readSignatureToReplace } from "./git_manifest.ts";

/** What a commit of the registry holds of the model set, for a publish that builds on it. */
export interface PublishBase {
  readonly manifest: Manifest | undefined;
  readonly sealed: Sealed;
  /** What this machine remembers of it, if it knows that the files are what the manifest says. */
  readonly known: Published | undefined;
  /** There is a manifest that nobody can use. */
  readonly isDamaged: boolean;
}

/** Where in the registry the models are, and what seals them. */
export interface PublishPlace {
  readonly subdir: string;
  readonly seal?: Seal | undefined;
}

/**
 * Reads what a publish builds on.
 *
 * @param head missing on a branch without commits
 * @param published what this machine published there last
 */
export async function readPublishBase(
  context: Context,
  git: Git,
  head: ObjectId | undefined,
  place: PublishPlace,
  published: Published | undefined,
): Promise<PublishBase> {
  const nothing = { manifest: undefined, sealed: {}, known: undefined };
  if (head === undefined) return { ...nothing, isDamaged: false };
  const path = manifestPathOf(place.subdir);
  const blob = await findObject(git, head, path);
  // A registry of the original scripts has none; one that this machine published to has lost it.
  if (blob === undefined) return { ...nothing, isDamaged: published !== undefined };
  const where = `${path} of commit ${head.slice(0, 12)}`;
  const claim = await readManifestToReplace(context, git, blob, where);
  if (claim === undefined) return { ...nothing, isDamaged: true };
  const { manifest } = claim;
  const isKnown = published?.checked === true && published.digest === manifest.digest &&
    published.tree === await findObject(git, head, place.subdir);
  const sealed = await readSealOf(git, head, claim, place);
  return { manifest, sealed, known: isKnown ? published : undefined, isDamaged: false };
}

/** What of our seal a commit has; nothing is looked for where there is none to compare it with. */
async function readSealOf(
  git: Git,
  head: ObjectId,
  { manifest, text }: ManifestClaim,
  { subdir, seal }: PublishPlace,
): Promise<Sealed> {
  if (seal === undefined) return {};
  const blob = await findObject(git, head, signaturePathOf(subdir));
  return await readSeal(seal, manifest, text, await readSignatureToReplace(git, blob));
}

/** What a machine remembers its publishes by: registry, branch and folder. */
export function publishTarget({ remoteUrl, settings }: Registry, subdir: string): string {
  return `${redactUrls(remoteUrl.url)} ${settings.branch} ${subdir}`;
}

/** Git's name for a file or a folder of a commit. */
export async function findObject(git: Git, commit: ObjectId, path: string): Promise<ObjectId | undefined> {
  const result = await git.attempt(["rev-parse", "--verify", "--quiet", `${commit}:${path}`], {
    action: `look for ${path}`,
  });
  return result.code === 0 ? new TextDecoder().decode(result.stdout).trim() : undefined;
}
