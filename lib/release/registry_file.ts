import { RefusedError } from "../core/errors.ts";
import { MANIFEST_BYTES_MAX } from "./manifest.ts";

/** A small file of a registry or an archive that is to be read. */
export interface RegistryFile {
  /** For messages: `model-sync.json of commit 1a2b3c4`. */
  readonly name: string;
  /** A larger file is refused. */
  readonly bytesMax: number;
  /** The code of the refusal: `MANIFEST_INVALID`. */
  readonly code: string;
}

/** Describes a manifest. @param name the name in messages */
export function manifestFile(name: string): RegistryFile {
  return { name, bytesMax: MANIFEST_BYTES_MAX, code: "MANIFEST_INVALID" };
}

/** Describes a signature. @param name the name in messages */
export function signatureFile(name: string): RegistryFile {
  return { name, bytesMax: SIGNATURE_BYTES_MAX, code: "SIGNATURE_INVALID" };
}

/**
 * Refuses a file that is too large to be read.
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

/** The file name of the signature: beside the manifest, never part of the model set. */
export const SIGNATURE_NAME = "model.sig";

/** The largest signature that is read: it lists the files of the manifest, in base64, which makes 4 bytes of 3. */
export const SIGNATURE_BYTES_MAX = Math.ceil(MANIFEST_BYTES_MAX * 4 / 3) + 1024 * 1024;
