import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
} from "node:crypto";
import { dirname } from "node:path";
import { diskError, UsageError } from "../core/errors.ts";
import {
  type FileSystem,
  findText,
  removeIfThere,
  syncFolder,
  UnusableFileError,
  writeAllSync,
} from "../core/files.ts";
import type { Sha256 } from "../core/hash.ts";
import { Secret } from "../core/secret.ts";

/** A public key that verifies signatures. */
export interface VerificationKey {
  readonly key: KeyObject;
  /** The hash for its curve. */
  readonly hash: "sha256" | "sha384" | "sha512";
  /** The SHA-256 of the key's PEM text, by which signatures name it. */
  readonly hint: Sha256;
}

/** A private key with its public one. */
export interface SigningKey {
  readonly key: KeyObject;
  readonly verification: VerificationKey;
}

/**
 * The curves of the specification and their hashes. Deno 2.6 has other names for them, and no P-521.
 */
const HASHES: ReadonlyMap<string | undefined, VerificationKey["hash"]> = new Map([
  ["prime256v1", "sha256"],
  ["p256", "sha256"],
  ["secp384r1", "sha384"],
  ["p384", "sha384"],
  ["secp521r1", "sha512"],
]);

/** Only the owner can read or write it. */
const PRIVATE_MODE = 0o600;
const OTHERS_MODE = 0o077;

/** A key has some hundred bytes, a file with comments some thousand. */
const KEY_BYTES_MAX = 64 * 1024;

const PUBLIC_BLOCK = /-----BEGIN PUBLIC KEY-----[^-]+-----END PUBLIC KEY-----/;
const PRIVATE_BLOCK = /-----BEGIN (EC )?PRIVATE KEY-----[^-]+-----END \1?PRIVATE KEY-----/;

/**
 * Parses a public key in PEM (SubjectPublicKeyInfo). Ignores text around it and the kind of its line ends.
 *
 * @param where named in errors: the file
 * @throws {UsageError} code `KEY_INVALID`
 */
export function parsePublicKey(pem: string, where: string): VerificationKey {
  const [block] = PUBLIC_BLOCK.exec(pem) ?? [];
  if (block === undefined) {
    const found = pem.includes("PRIVATE KEY-----")
      ? "it is a private key, which belongs only on the publishing side"
      : pem.includes("BEGIN CERTIFICATE")
      ? "it is a certificate, but only keys are supported"
      : "it contains no PUBLIC KEY in PEM";
    throw invalidKey("public", where, found);
  }
  return verificationKey(reading("public", where, () => createPublicKey(block)), where);
}

/**
 * Parses a private key in PEM (PKCS#8 or SEC1).
 *
 * @throws {UsageError} code `KEY_INVALID`
 */
export function parsePrivateKey(pem: Secret, where: string): SigningKey {
  const text = pem.reveal();
  if (/ENCRYPTED/.test(text)) {
    throw invalidKey(
      "private",
      where,
      "it is encrypted, but commands run without a person who enters its password",
    );
  }
  const [block] = PRIVATE_BLOCK.exec(text) ?? [];
  if (block === undefined) {
    const found = text.includes("PUBLIC KEY-----")
      ? "it is a public key"
      : text.includes("PRIVATE KEY-----")
      ? "its PEM is cut off (in a .env file, write its line ends as \\n)"
      : "it contains no PRIVATE KEY in PEM";
    throw invalidKey("private", where, found);
  }
  const key = reading("private", where, () => createPrivateKey(block));
  return { key, verification: verificationKey(createPublicKey(key), where) };
}

function reading(kind: string, where: string, read: () => KeyObject): KeyObject {
  try {
    return read();
  } catch (cause) {
    throw invalidKey(kind, where, "it is damaged or of an unsupported kind", cause);
  }
}

function verificationKey(key: KeyObject, where: string): VerificationKey {
  const curve = key.asymmetricKeyDetails?.namedCurve;
  const hash = HASHES.get(curve);
  if (key.asymmetricKeyType !== "ec" || hash === undefined) {
    const kind = curve ?? key.asymmetricKeyType ?? "unknown";
    throw invalidKey(
      "signing",
      where,
      `it is of the kind ${kind}, wanted an elliptic curve: P-256, P-384 or P-521`,
    );
  }
  return { key, hash, hint: createHash("sha256").update(publicPem(key)).digest("hex") };
}

/** Returns the canonical PEM of a key: lines of 64 characters, `\n`, a final newline. */
function publicPem(key: KeyObject): string {
  return String(key.export({ type: "spki", format: "pem" }));
}

function invalidKey(kind: string, where: string, problem: string, cause?: unknown): UsageError {
  return new UsageError(`Cannot use the ${kind} key ${where}: ${problem}`, {
    code: "KEY_INVALID",
    cause,
    hint: "create a key pair with: model-sync keys generate --private-key KEY.pem --public-key PUB.pem",
  });
}

/** Reads a public key from its file. @throws {UsageError} codes `KEY_MISSING`, `KEY_INVALID` */
export function readPublicKeyFile(fs: FileSystem, path: string): VerificationKey {
  return parsePublicKey(readKeyText(fs, path, "public"), path);
}

/**
 * Reads a private key from its file, which no other user may be able to read.
 *
 * @throws {UsageError} codes `KEY_MISSING`, `KEY_EXPOSED`, `KEY_INVALID`
 */
export function readPrivateKeyFile(fs: FileSystem, path: string): SigningKey {
  const key = parsePrivateKey(new Secret(readKeyText(fs, path, "private")), path);
  const mode = Deno.build.os === "windows" ? null : fs.statSync(path).mode;
  if (mode !== null && (mode & OTHERS_MODE) !== 0) {
    const shown = (mode & 0o7777).toString(8).padStart(4, "0");
    throw new UsageError(`Cannot use the private key ${path}: its mode is ${shown}, wanted 0600`, {
      code: "KEY_EXPOSED",
      hint: `chmod 600 ${path}; if other users could read it, create a new key pair and replace the old one`,
    });
  }
  return key;
}

function readKeyText(fs: FileSystem, path: string, kind: string): string {
  try {
    const text = findText(fs, path, KEY_BYTES_MAX);
    if (text !== undefined) return text;
    throw new Deno.errors.NotFound(path);
  } catch (error) {
    if (error instanceof UnusableFileError) throw invalidKey(kind, path, error.reason);
    const problem = error instanceof Deno.errors.NotFound
      ? "there is no such file"
      : error instanceof Deno.errors.PermissionDenied
      ? "permission denied"
      : undefined;
    if (problem === undefined) throw error;
    throw new UsageError(`Cannot read the ${kind} key ${path}: ${problem}`, {
      code: "KEY_MISSING",
      cause: error,
      hint:
        "check the path, or create a key pair with: model-sync keys generate --private-key KEY.pem --public-key PUB.pem",
    });
  }
}

/**
 * Creates a P-256 key pair and writes it; the private key has mode 0600 from the start. Never overwrites a file.
 *
 * @returns the hint of the public key
 * @throws {UsageError} code `FILE_EXISTS`
 */
export function generateKeyFiles(fs: FileSystem, privatePath: string, publicPath: string): Sha256 {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  writeNew(fs, privatePath, String(privateKey.export({ type: "pkcs8", format: "pem" })), PRIVATE_MODE);
  try {
    writeNew(fs, publicPath, publicPem(publicKey), 0o644);
  } catch (error) {
    // Without the public key, the private one is useless and would block the next attempt.
    removeIfThere(fs, privatePath);
    throw error;
  }
  return verificationKey(publicKey, publicPath).hint;
}

function writeNew(fs: FileSystem, path: string, text: string, mode: number): void {
  try {
    fs.mkdirSync(dirname(path), { recursive: true });
    using file = fs.openSync(path, { write: true, createNew: true, mode });
    writeAllSync(file, new TextEncoder().encode(text));
    file.syncSync();
    syncFolder(fs, dirname(path));
  } catch (error) {
    if (!(error instanceof Deno.errors.AlreadyExists)) {
      removeIfThere(fs, path);
      throw diskError(error, `write the key ${path}`);
    }
    throw new UsageError(`Cannot write the key ${path}: it exists, and keys are never overwritten`, {
      code: "FILE_EXISTS",
      cause: error,
      hint: "name another file, or move the old key away once it is no longer needed",
    });
  }
}
