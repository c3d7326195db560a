import { createHash, sign } from "node:crypto";
import { Buffer } from "node:buffer";
import { join } from "node:path";
import { verifyFolder } from "../../lib/signing/folder_signature.ts";
import type { TrustedKey } from "../../lib/signing/verify_files.ts";
import { type TestKey, testKey } from "../helpers/signing.ts";
import { tempDir, writeFiles } from "../helpers/temp_dir.ts";
import { testContext } from "../helpers/test_context.ts";

/** Creates signatures by the specification, without any code under test, and allows tampering with every part of them. */

const sha256 = (data: string | Uint8Array) => createHash("sha256").update(data).digest("hex");

const FILES = { "a.onnx": "one", "sub/b.bin": "", "sub/.dot": "three" };

/** The JSON of a tampered layer. */
export type Layer = Record<string, unknown>;

export function resource(name: string, content: string): Layer {
  return { name, digest: sha256(content), algorithm: "sha256" };
}

/** Returns a valid statement about resources. */
export function statementOf(resources: readonly Layer[]): {
  _type: unknown;
  subject: Layer[];
  predicateType: unknown;
  predicate: { resources: Layer[]; serialization: Layer };
} {
  const raw = Buffer.concat(resources.map(({ digest }) => Buffer.from(String(digest), "hex")));
  return {
    _type: "https://in-toto.io/Statement/v1",
    subject: [{ name: "models", digest: { sha256: sha256(raw) } }],
    predicateType: "https://model_signing/signature/v1.0",
    predicate: {
      resources: [...resources],
      serialization: {
        method: "files",
        hash_type: "sha256",
        allow_symlinks: false,
        ignore_paths: [".git", ".gitattributes", ".github", ".gitignore", "model.sig"],
      },
    },
  };
}

export const RESOURCES = Object.entries(FILES).sort(([a], [b]) => a < b ? -1 : 1).map(([name, content]) =>
  resource(name, content)
);

/** Signs a payload unchanged. */
export function bundleOf(key: TestKey, payload: string | Uint8Array): {
  mediaType: unknown;
  verificationMaterial: Layer;
  dsseEnvelope: { payload: unknown; payloadType: unknown; signatures: Layer[] };
} {
  const bytes = typeof payload === "string" ? Buffer.from(payload) : Buffer.from(payload);
  const type = "application/vnd.in-toto+json";
  const signed = Buffer.concat([Buffer.from(`DSSEv1 ${type.length} ${type} ${bytes.length} `), bytes]);
  const sig = sign(key.signing.verification.hash, signed, key.privatePem).toString("base64");
  return {
    mediaType: "application/vnd.dev.sigstore.bundle.v0.3+json",
    verificationMaterial: { publicKey: { hint: sha256(key.publicPem) }, tlogEntries: [] },
    dsseEnvelope: {
      payload: bytes.toString("base64"),
      payloadType: type,
      signatures: [{ sig, keyid: "" }],
    },
  };
}

/** The changes that make a signed folder invalid. */
export interface Tampering {
  /** Changes the statement before it is signed. */
  readonly statement?: (statement: ReturnType<typeof statementOf>) => unknown;
  /** Replaces the text of the statement. */
  readonly layout?: (statement: unknown) => string | Uint8Array;
  /** Changes the bundle after it was signed. */
  readonly bundle?: (bundle: ReturnType<typeof bundleOf>) => unknown;
  /** Replaces the text of the signature file. */
  readonly text?: (text: string) => string;
  /** Changes the folder. */
  readonly folder?: (dir: string) => void;
  readonly trusts?: readonly TrustedKey[];
  readonly key?: TestKey;
}

export const KEY = testKey();

/** Signs a folder, applies the changes, and verifies it. */
export async function verifyTampered(tampering: Tampering): Promise<void> {
  const { key = KEY, trusts = [key.trusted], layout = JSON.stringify } = tampering;
  using dir = tempDir();
  writeFiles(dir.path, FILES);
  const statement = statementOf(RESOURCES);
  const bundle = bundleOf(key, layout(tampering.statement?.(statement) ?? statement));
  const text = JSON.stringify(tampering.bundle?.(bundle) ?? bundle);
  Deno.writeTextFileSync(join(dir.path, "model.sig"), tampering.text?.(text) ?? text);
  tampering.folder?.(dir.path);
  await verifyFolder(testContext(), trusts, dir.path, join(dir.path, "model.sig"));
}
