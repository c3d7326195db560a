import { MANIFEST_BYTES_MAX } from "./manifest.ts";

/** The signature's file name: beside the manifest, never part of the model set. */
export const SIGNATURE_NAME = "model.sig";

/** What is read of a signature at most: its payload lists what the manifest lists, and base64 makes 4 bytes of 3. */
export const SIGNATURE_BYTES_MAX = Math.ceil(MANIFEST_BYTES_MAX * 4 / 3) + 1024 * 1024;
