import { RefusedError } from "../core/errors.ts";
import { sha256Hex } from "../core/hash.ts";
import { repeatIfWrong } from "../http/repeat_wrong.ts";
import { type Manifest, MANIFEST_NAME, parseManifest } from "../release/manifest.ts";
import {
  manifestFile,
  refuseOversized,
  type RegistryFile,
  SIGNATURE_NAME,
  signatureFile,
} from "../release/registry_file.ts";
import { gitBlobIdOf } from "./git_blob_id.ts";
import type { CommitId, Hub, HubFile } from "./hub.ts";

/** The manifest at the root of a commit, with its text and the signature beside it. */
export interface HubManifest {
  readonly manifest: Manifest;
  readonly text: string;
  readonly signature: string | undefined;
}

/**
 * Returns the manifest at the root of a commit with its signature, both verified with the digests in the hub's list.
 *
 * @param listed the files of the commit
 * @returns `undefined` if the commit has no manifest
 * @throws {RefusedError} codes `MANIFEST_INVALID`, `SIGNATURE_INVALID`, `DIGEST_MISMATCH`
 */
export async function readHubManifest(
  hub: Hub,
  commit: CommitId,
  listed: readonly HubFile[],
): Promise<HubManifest | undefined> {
  const file = listed.find(({ path }) => path === MANIFEST_NAME);
  if (file === undefined) return undefined;
  const name = nameOf(hub, commit, file);
  const text = await readText(hub, commit, file, manifestFile(name));
  const manifest = await parseManifest(text, name);
  const signature = listed.find(({ path }) => path === SIGNATURE_NAME);
  return {
    manifest,
    text,
    signature: signature === undefined
      ? undefined
      : await readText(hub, commit, signature, signatureFile(nameOf(hub, commit, signature))),
  };
}

async function readText(hub: Hub, commit: CommitId, file: HubFile, limits: RegistryFile): Promise<string> {
  refuseOversized(limits, file.size);
  return await repeatIfWrong(hub.context, async () => {
    const bytes = await hub.readFile(commit, file);
    const text = new TextDecoder().decode(bytes);
    const isListed = file.sha256 === undefined
      ? await gitBlobIdOf(bytes) === file.blob
      : await sha256Hex(text) === file.sha256;
    if (isListed) return text;
    throw new RefusedError(`Cannot accept ${limits.name}: its bytes are not those that the hub lists`, {
      code: "DIGEST_MISMATCH",
      hint: "run again later; the active release is untouched",
    });
  });
}

function nameOf(hub: Hub, commit: CommitId, { path }: HubFile): string {
  return `${path} of ${hub.settings.repoId} at ${commit.slice(0, 12)}`;
}
