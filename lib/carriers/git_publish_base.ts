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

/** The base of a publish: the model set in a commit of the registry. */
export interface PublishBase {
  readonly manifest: Manifest | undefined;
  readonly sealed: Sealed;
  /** The record of this machine, if it knows that the files match the manifest. */
  readonly known: Published | undefined;
  /** Whether the manifest is damaged or lost. */
  readonly isDamaged: boolean;
}

/** The folder of the models in the registry, and how their releases are signed. */
export interface PublishPlace {
  readonly subdir: string;
  readonly seal?: Seal | undefined;
}

/**
 * Reads what a publish builds on.
 *
 * @param head `undefined` on a branch without commits
 * @param published the last publish of this machine to this target
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
  const [blob, tree, signatureBlob] = await findObjects(git, head, [
    path,
    place.subdir,
    signaturePathOf(place.subdir),
  ]);
  // A registry of the original scripts has no manifest. If this machine published to it, the manifest was lost.
  if (blob === undefined) return { ...nothing, isDamaged: published !== undefined };
  const where = `${path} of commit ${head.slice(0, 12)}`;
  const isOfLastPublish = published?.checked === true && published.head === head;
  const claim = await readManifestToReplace(context, git, blob, where, isOfLastPublish);
  if (claim === undefined) return { ...nothing, isDamaged: true };
  const { manifest } = claim;
  const isKnown = published?.checked === true && published.digest === manifest.digest &&
    published.tree === tree;
  const sealed = await readSealOf(git, signatureBlob, claim, place);
  return { manifest, sealed, known: isKnown ? published : undefined, isDamaged: false };
}

/** Returns the signature and the expiry that a commit has; reads nothing if this publisher has no seal. */
async function readSealOf(
  git: Git,
  signatureBlob: ObjectId | undefined,
  { manifest, text }: ManifestClaim,
  { seal }: PublishPlace,
): Promise<Sealed> {
  if (seal === undefined) return {};
  return await readSeal(seal, manifest, text, await readSignatureToReplace(git, signatureBlob));
}

/** Returns the key under which a publish is remembered: registry, branch and folder. */
export function publishTarget({ remoteUrl, settings }: Registry, subdir: string): string {
  return `${redactUrls(remoteUrl.url)} ${settings.branch} ${subdir}`;
}

/** Returns git's object id of a file or a folder in a commit. */
export async function findObject(git: Git, commit: ObjectId, path: string): Promise<ObjectId | undefined> {
  const [id] = await findObjects(git, commit, [path]);
  return id;
}

/** As {@link findObject}, for several paths. */
async function findObjects(
  git: Git,
  commit: ObjectId,
  paths: readonly string[],
): Promise<(ObjectId | undefined)[]> {
  const output = await git.text(["cat-file", "--batch-check=%(objectname)"], {
    action: `look for ${paths[0]}`,
    stdin: paths.map((path) => `${commit}:${path}\n`).join(""),
  });
  return output.split("\n").map((line) => /^[0-9a-f]{40,64}$/.test(line) ? line : undefined);
}
