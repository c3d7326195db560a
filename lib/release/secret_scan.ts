import { Buffer } from "node:buffer";
import { SECRET_SHAPE_CHARS_MAX, secretInText } from "../core/secret_shapes.ts";

/** Names of files that hold credentials. Examples and templates are meant to be shared. */
const SECRET_NAME =
  /(?:^|\/)(\.env(\..+)?|\.aws\/credentials|id_(rsa|dsa|ecdsa|ed25519)|\.netrc|_netrc|\.git-credentials|\.npmrc|\.pypirc|.+\.(p12|pfx|ppk))$/i;
const TEMPLATE_NAME = /(?:^|\/)\.env\.(example|sample|template|dist)$/i;

/** A file with a NUL byte in its first bytes is binary. Only the beginning of those is scanned, where metadata is. */
const BINARY_PROBE_BYTES = 8 * 1024;
const BINARY_SCAN_BYTES_MAX = 64 * 1024;

/** Returns the kind of secret that a file's path shows; `undefined` without one. */
export function secretInName(path: string): string | undefined {
  return SECRET_NAME.test(path) && !TEMPLATE_NAME.test(path) ? "a credentials file" : undefined;
}

/** Scans the pieces of a file for secrets. */
export class SecretScanner {
  #tail = "";
  #binary: boolean | undefined;
  #found: string | undefined;

  /** The kind of the first secret that was found. */
  get found(): string | undefined {
    return this.#found;
  }

  scan(piece: Uint8Array): void {
    if (this.#found !== undefined || (this.#binary === true && this.#tail !== "")) return;
    this.#binary ??= piece.subarray(0, BINARY_PROBE_BYTES).includes(0);
    const text = this.#tail + latin1(this.#binary ? piece.subarray(0, BINARY_SCAN_BYTES_MAX) : piece);
    this.#found = secretInText(text);
    this.#tail = text.slice(-SECRET_SHAPE_CHARS_MAX);
  }
}

/** Returns bytes as characters with the same numbers. `TextDecoder` takes ten times as long. */
function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1");
}
