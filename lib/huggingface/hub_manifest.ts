import { RefusedError } from "../core/errors.ts";
import { sha256Hex } from "../core/hash.ts";
import { type Manifest, MANIFEST_BYTES_MAX, MANIFEST_NAME, parseManifest } from "../release/manifest.ts";
import { gitBlobIdOf } from "./git_blob_id.ts";
import type { CommitId, Hub, HubFile } from "./hub.ts";

/**
 * Reads the manifest at the root of a commit, and holds it against what the hub's list names it by.
 *
 * @throws {RefusedError} codes `MANIFEST_INVALID`, `DIGEST_MISMATCH`
 */
export async function readHubManifest(
  hub: Hub,
  commit: CommitId,
  file: HubFile,
): Promise<{ readonly manifest: Manifest; readonly text: string }> {
  const name = `${MANIFEST_NAME} of ${hub.settings.repoId} at ${commit.slice(0, 12)}`;
  if (file.size > MANIFEST_BYTES_MAX) {
    throw new RefusedError(
      `Cannot use ${name}: it has ${file.size} bytes, at most ${MANIFEST_BYTES_MAX} are read`,
      {
        code: "MANIFEST_INVALID",
        hint: "publish the release again; the active release is untouched",
      },
    );
  }
  const bytes = await hub.readFile(commit, file);
  const text = new TextDecoder().decode(bytes);
  const isListed = file.sha256 === undefined
    ? await gitBlobIdOf(bytes) === file.blob
    : await sha256Hex(text) === file.sha256;
  if (!isListed) {
    throw new RefusedError(`Cannot accept ${name}: its bytes are not those that the hub lists`, {
      code: "DIGEST_MISMATCH",
      hint: "run again later; the active release is untouched",
    });
  }
  return { manifest: await parseManifest(text, name), text };
}
