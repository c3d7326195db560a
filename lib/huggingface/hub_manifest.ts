import { RefusedError } from "../core/errors.ts";
import { sha256Hex } from "../core/hash.ts";
import { type Manifest, MANIFEST_BYTES_MAX, MANIFEST_NAME, parseManifest } from "../release/manifest.ts";
import { SIGNATURE_BYTES_MAX, SIGNATURE_NAME } from "../release/signature_file.ts";
import { gitBlobIdOf } from "./git_blob_id.ts";
import type { CommitId, Hub, HubFile } from "./hub.ts";

/** A manifest with its text and the signature beside it, as they stand at the root of a commit. */
export interface HubManifest {
  readonly manifest: Manifest;
  readonly text: string;
  readonly signature: string | undefined;
}

/**
 * Reads the manifest at the root of a commit with its signature, and holds both against what the hub's list names them
 * by.
 *
 * @param listed the files of the commit
 * @returns nothing where the commit has no manifest
 * @throws {RefusedError} codes `MANIFEST_INVALID`, `SIGNATURE_INVALID`, `DIGEST_MISMATCH`
 */
export async function readHubManifest(
  hub: Hub,
  commit: CommitId,
  listed: readonly HubFile[],
): Promise<HubManifest | undefined> {
  const file = listed.find(({ path }) => path === MANIFEST_NAME);
  if (file === undefined) return undefined;
  const text = await readText(hub, commit, file, MANIFEST_BYTES_MAX, "MANIFEST_INVALID");
  const manifest = await parseManifest(text, nameOf(hub, commit, file));
  const signature = listed.find(({ path }) => path === SIGNATURE_NAME);
  return {
    manifest,
    text,
    signature: signature === undefined
      ? undefined
      : await readText(hub, commit, signature, SIGNATURE_BYTES_MAX, "SIGNATURE_INVALID"),
  };
}

async function readText(
  hub: Hub,
  commit: CommitId,
  file: HubFile,
  bytesMax: number,
  code: string,
): Promise<string> {
  const name = nameOf(hub, commit, file);
  if (file.size > bytesMax) {
    throw new RefusedError(`Cannot use ${name}: it has ${file.size} bytes, at most ${bytesMax} are read`, {
      code,
      hint: "publish the release again; the active release is untouched",
    });
  }
  const bytes = await hub.readFile(commit, file);
  const text = new TextDecoder().decode(bytes);
  const isListed = file.sha256 === undefined
    ? await gitBlobIdOf(bytes) === file.blob
    : await sha256Hex(text) === file.sha256;
  if (isListed) return text;
  throw new RefusedError(`Cannot accept ${name}: its bytes are not those that the hub lists`, {
    code: "DIGEST_MISMATCH",
    hint: "run again later; the active release is untouched",
  });
}

function nameOf(hub: Hub, commit: CommitId, { path }: HubFile): string {
  return `${path} of ${hub.settings.repoId} at ${commit.slice(0, 12)}`;
}
