import { join, posix } from "node:path";
import type { Context } from "../core/context.ts";
import { VERSION } from "../core/version.ts";
import { ATTRIBUTES, ATTRIBUTES_BYTES_MAX } from "../git/attributes.ts";
import { CloneDamagedError } from "../git/clone_damage.ts";
import type { Git } from "../git/git.ts";
import { redactUrls } from "../core/secret.ts";
import { BlobHasher, objectFormatOf, type ObjectId } from "../git/object_id.ts";
import type { Registry } from "../git/registry.ts";
import { type FoundPath, readPaths, textOf } from "../git/read_paths.ts";
import { readStoredBlob } from "../git/stored_blob.ts";
import { folderAbove, parseTreeObject } from "../git/tree_edit.ts";
import { listTree, manifestPathOf, signaturePathOf } from "../git/tree.ts";
import { ManifestText } from "../release/manifest_text.ts";
import { type Manifest, MANIFEST_BYTES_MAX } from "../release/manifest.ts";
import { SIGNATURE_BYTES_MAX } from "../release/registry_file.ts";
import { readSeal, type Seal, type Sealed } from "../signing/seal.ts";
import type { Published } from "../store/published.ts";
import type { ManifestClaim } from "./carrier.ts";
import { readManifestToReplace, readSignatureToReplace } from "./git_manifest.ts";

/** The base of a publish: the model set in a commit of the registry. */
export interface PublishBase {
  readonly manifest: Manifest | undefined;
  /** Its text, if this version of the program wrote it in the last publish. */
  readonly ownText: ManifestText | undefined;
  readonly sealed: Sealed;
  /** The record of this machine, if it knows that the files match the manifest. */
  readonly known: Published | undefined;
  /** Whether the manifest is damaged or lost. */
  readonly isDamaged: boolean;
  /** The text of the `.gitattributes` of the repository; empty if there are none. */
  readonly attributes: string;
}

/** The tree object of a folder with some 10,000 files: a registry has its files in a folder of it. */
const ROOT_BYTES_MAX = 1024 * 1024;

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
  { git, objectsDir }: Pick<Registry, "git" | "objectsDir">,
  head: ObjectId | undefined,
  place: PublishPlace,
  published: Published | undefined,
): Promise<PublishBase> {
  const nothing = { manifest: undefined, ownText: undefined, sealed: {}, known: undefined, attributes: "" };
  if (head === undefined) return { ...nothing, isDamaged: false };
  const { subdir, seal } = place;
  const path = manifestPathOf(subdir);
  const manifestFile = { path, bytesMax: MANIFEST_BYTES_MAX };
  const last = published?.checked === true && published.head === head ? published : undefined;
  const packed = last && seal === undefined ? await readPackedText(context, objectsDir, last) : undefined;
  const [tree, attributesFile, root, folder, signature, asked] = await readPaths(git, head, [
    { path: subdir, bytesMax: 0 },
    { path: ATTRIBUTES, bytesMax: ATTRIBUTES_BYTES_MAX },
    { path: "", bytesMax: ROOT_BYTES_MAX },
    { path: folderAbove(path), bytesMax: ROOT_BYTES_MAX },
    // Without a seal, nothing compares it.
    { path: signaturePathOf(subdir), bytesMax: seal === undefined ? 0 : SIGNATURE_BYTES_MAX },
    ...(packed === undefined ? [manifestFile] : []),
  ]);
  if (attributesFile === undefined) refuseLostAttributes(git, root);
  const attributes = attributesText(attributesFile, head);
  const ofLast = (ownText: ManifestText) => ({
    ...nothing,
    manifest: ownText.manifest,
    ownText,
    known: last,
    isDamaged: false,
    attributes,
  });
  const isInPlace = last?.tree === tree?.id && idIn(folder, posix.basename(path)) === last?.manifest?.blob;
  if (packed !== undefined && isInPlace) return ofLast(packed);
  const [found] = packed === undefined ? [asked] : await readPaths(git, head, [manifestFile]);
  if (found === undefined) {
    // Git answers the same for a manifest that it has lost: the sequence would begin again.
    const [listed] = await listTree(git, head, [path]);
    if (listed !== undefined) throw new CloneDamagedError(git.repoDir, `object ${listed.blob} is missing`);
    // A registry of the original scripts has no manifest. If this machine published to it, the manifest was lost.
    return { ...nothing, attributes, isDamaged: published !== undefined };
  }
  const where = `${path} of commit ${head.slice(0, 12)}`;
  const ownText = last && await readOwnText(found, last);
  if (ownText !== undefined && seal === undefined && last?.tree === tree?.id) return ofLast(ownText);
  const claim = await readManifestToReplace(
    context,
    (file) => textOf(found, file),
    where,
    last !== undefined,
  );
  if (claim === undefined) return { ...nothing, attributes, isDamaged: true };
  const { manifest } = claim;
  const isKnown = published?.checked === true && published.digest === manifest.digest &&
    published.tree === tree?.id;
  const sealed = await readSealOf(signature, claim, place);
  const known = isKnown ? published : undefined;
  return { manifest, ownText: undefined, sealed, known, isDamaged: false, attributes };
}

/** Returns the manifest that the last publish wrote into a pack, if the clone still has that pack. */
async function readPackedText(
  { fs }: Pick<Context, "fs">,
  objectsDir: string,
  published: Published,
): Promise<ManifestText | undefined> {
  const { blob: id, pack, offset } = published.manifest ?? {};
  if (id === undefined || pack === undefined || offset === undefined) return undefined;
  const content = readStoredBlob(fs, join(objectsDir, "pack", `${pack}.pack`), offset, MANIFEST_BYTES_MAX);
  return await readOwnText({ id, content }, published);
}

/** Returns git's name for an entry of a folder. */
function idIn(folder: FoundPath | undefined, name: string): ObjectId | undefined {
  return folder?.content && parseTreeObject(folder.content, objectFormatOf(folder.id))?.get(name)?.id;
}

/** Returns the manifest that the last publish wrote, if it is there byte for byte. */
async function readOwnText(
  { id, content }: Pick<FoundPath, "id" | "content">,
  { digest, manifest }: Published,
): Promise<ManifestText | undefined> {
  if (content === undefined || manifest?.blob !== id || manifest.version !== VERSION) return undefined;
  const hasher = await BlobHasher.create(objectFormatOf(id), content.length);
  hasher.update(content);
  if (hasher.id() !== id) return undefined;
  const text = ManifestText.read(content);
  return text?.manifest.digest === digest ? text : undefined;
}

/** Returns the signature and the expiry that a commit has; nothing if this publisher has no seal. */
async function readSealOf(
  signature: FoundPath | undefined,
  { manifest, text }: ManifestClaim,
  { seal }: PublishPlace,
): Promise<Sealed> {
  if (seal === undefined) return {};
  return await readSeal(
    seal,
    manifest,
    text,
    await readSignatureToReplace((file) => signature && textOf(signature, file)),
  );
}

/** Git answers the same for attributes that it has lost as for none: those of other programs would be removed. */
function refuseLostAttributes(git: Git, root: FoundPath | undefined): void {
  const lost = idIn(root, ATTRIBUTES);
  if (lost !== undefined) throw new CloneDamagedError(git.repoDir, `object ${lost} is missing`);
}

function attributesText(found: FoundPath | undefined, commit: ObjectId): string {
  if (found?.isFile !== true) return "";
  return textOf(found, {
    name: `${ATTRIBUTES} of commit ${commit.slice(0, 12)}`,
    bytesMax: ATTRIBUTES_BYTES_MAX,
    code: "REGISTRY_UNFIT",
  });
}

/** Returns the key under which a publish is remembered: registry, branch and folder. */
export function publishTarget({ remoteUrl, settings }: Registry, subdir: string): string {
  return `${redactUrls(remoteUrl.url)} ${settings.branch} ${subdir}`;
}

/** Returns git's object id of a file or a folder in a commit. */
export async function findObject(git: Git, commit: ObjectId, path: string): Promise<ObjectId | undefined> {
  const output = await git.text(["cat-file", "--batch-check=%(objectname)"], {
    action: `look for ${path}`,
    stdin: `${commit}:${path}\n`,
  });
  return /^[0-9a-f]{40,64}$/.test(output) ? output : undefined;
}
