import { RefusedError } from "../core/errors.ts";
import { MANIFEST_BYTES_MAX } from "./manifest.ts";

/** A small file of a registry or an archive, before it is read. */
export interface RegistryFile {
  /** For messages: `model-sync.json of commit 1a2b3c4`. */
  readonly name: string;
  /** The most bytes that are read of it. */
  readonly bytesMax: number;
  /** The code of the refusal: `MANIFEST_INVALID`. */
  readonly code: string;
}

/** Returns what is read of a manifest. @param name as messages name it */
export function manifestFile(name: string): RegistryFile {
  return { name, bytesMax: MANIFEST_BYTES_MAX, code: "MANIFEST_INVALID" };
}

/** Returns what is read of a signature. @param name as messages name it */
export function signatureFile(name: string): RegistryFile {
  return { name, bytesMax: SIGNATURE_BYTES_MAX, code: "SIGNATURE_INVALID" };
}

/**
 * Refuses a file that is larger than what is read of it.
 *
 * @throws {RefusedError} with the code of the file
 */
export function refuseOversized({ name, bytesMax, code }: RegistryFile, bytes: number): void {
  if (bytes <= bytesMax) return;
  throw new RefusedError(`Cannot use ${name}: it has ${bytes} bytes, at most ${bytesMax} are read`, {
    code,
    hint: "publish the release again; the active release is untouched",
  });
}

/** The signature's file name: beside the manifest, never part of the model set. */
export const SIGNATURE_NAME = "model.sig";

/** What is read of a signature at most: its payload lists what the manifest lists, and base64 makes 4 bytes of 3. */
export const SIGNATURE_BYTES_MAX = Math.ceil(MANIFEST_BYTES_MAX * 4 / 3) + 1024 * 1024;
