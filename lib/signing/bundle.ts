import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import * as z from "zod";
import type { Sha256 } from "../core/hash.ts";
import { quote } from "../core/quote.ts";
import { invalidSignature } from "./signature_error.ts";

/** Reads and writes the outer layers of a signature: a sigstore bundle with a DSSE envelope. */

const MEDIA_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json";

/** A parsed bundle. Nothing in it is verified yet. */
export interface Bundle {
  /** The key that made it, as the bundle claims; optional in a bundle. */
  readonly keyHint: Sha256 | undefined;
  /** The signed bytes, unchanged. */
  readonly payload: Uint8Array;
  /** ECDSA, an ASN.1 SEQUENCE of r and s in DER. */
  readonly signature: Uint8Array;
}

const PublicKeyMaterial = z.object({
  hint: z.string().optional(),
  /** The key's PEM in base64, which versions of the reference before 1.1 wrote instead of the hint. */
  rawBytes: z.string().optional(),
});

/** The fields that are used. Others are ignored, such as `keyid` and the transparency log. */
const SigstoreBundle = z.object({
  mediaType: z.string(),
  verificationMaterial: z.object({
    publicKey: PublicKeyMaterial.optional(),
    certificate: z.unknown().optional(),
    x509CertificateChain: z.unknown().optional(),
  }),
  dsseEnvelope: z.object({
    payload: z.string(),
    payloadType: z.string(),
    signatures: z.array(z.object({ sig: z.string() })),
  }),
});

/**
 * Reads a bundle. Nothing in it decides what is trusted: a key in it only serves as a hint.
 *
 * @param where named in errors: `the signature of release 3f9a`
 * @throws {RefusedError} code `SIGNATURE_INVALID`
 */
export function parseBundle(text: string, where: string): Bundle {
  const { mediaType, verificationMaterial, dsseEnvelope } = readLayers(text, where);
  if (mediaType !== MEDIA_TYPE) {
    throw invalidSignature(where, `its media type is ${quote(mediaType)}, wanted ${MEDIA_TYPE}`);
  }
  const { publicKey, certificate, x509CertificateChain } = verificationMaterial;
  if (certificate !== undefined || x509CertificateChain !== undefined) {
    throw invalidSignature(
      where,
      "it was made with a certificate, but only signatures by a key are supported",
    );
  }
  if (publicKey === undefined) throw invalidSignature(where, "it does not say which key made it");
  const { payload, payloadType, signatures } = dsseEnvelope;
  if (payloadType !== PAYLOAD_TYPE) {
    throw invalidSignature(where, `its payload is of type ${quote(payloadType)}, wanted ${PAYLOAD_TYPE}`);
  }
  const [signature, ...others] = signatures;
  if (signature === undefined || others.length > 0) {
    throw invalidSignature(where, `its envelope has ${signatures.length} signatures, wanted one`);
  }
  return {
    keyHint: hintOf(publicKey, where),
    payload: decodeBase64(payload, "its payload", where),
    signature: decodeBase64(signature.sig, "its signature", where),
  };
}

/** Returns the text of a bundle. */
export function formatBundle(bundle: Bundle & { readonly keyHint: Sha256 }): string {
  const { keyHint, payload, signature } = bundle;
  const content = {
    mediaType: MEDIA_TYPE,
    verificationMaterial: { publicKey: { hint: keyHint }, tlogEntries: [] },
    dsseEnvelope: {
      payload: Buffer.from(payload).toString("base64"),
      payloadType: PAYLOAD_TYPE,
      signatures: [{ sig: Buffer.from(signature).toString("base64"), keyid: "" }],
    },
  };
  return `${JSON.stringify(content)}\n`;
}

function readLayers(text: string, where: string): z.infer<typeof SigstoreBundle> {
  let data: unknown;
  try {
    data = JSON.parse(text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw invalidSignature(where, "it is not JSON", error);
  }
  const result = SigstoreBundle.safeParse(data);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const place = issue?.path.join(".") ?? "";
  throw invalidSignature(where, `${place === "" ? "it" : place}: ${issue?.message}`, result.error);
}

function hintOf({ hint, rawBytes }: z.infer<typeof PublicKeyMaterial>, where: string): Sha256 | undefined {
  if (hint !== undefined) return hint;
  if (rawBytes === undefined) return undefined;
  return createHash("sha256").update(decodeBase64(rawBytes, "its key", where)).digest("hex");
}

/** Decodes base64 in its canonical form only: another reader might decode other forms differently. */
function decodeBase64(text: string, what: string, where: string): Uint8Array {
  const bytes = fromBase64(text);
  if (bytes !== undefined && bytes.length > 0 && bytes.toString("base64") === text) return bytes;
  throw invalidSignature(where, `${what} is not base64`);
}

function fromBase64(text: string): Buffer | undefined {
  try {
    return Buffer.from(text, "base64");
  } catch (error) {
    // Deno 2.6 throws for invalid base64, which Node ignores.
    if (error instanceof Error) return undefined;
    throw error;
  }
}

/** The only supported payload: an in-toto statement. */
const PAYLOAD_TYPE = "application/vnd.in-toto+json";

/**
 * Returns the bytes that a DSSE signature covers: `DSSEv1 28 application/vnd.in-toto+json 2 {}`, with lengths in bytes
 * (Dead Simple Signing Envelope 1.0, "Protocol").
 *
 * @param payload byte for byte as in the envelope: never JSON that was parsed and serialised again
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { preAuthEncoding } from "./bundle.ts";
 * const bytes = preAuthEncoding(new TextEncoder().encode('{"é":1}'));
 * assert.equal(new TextDecoder().decode(bytes), 'DSSEv1 28 application/vnd.in-toto+json 8 {"é":1}');
 * ```
 */
export function preAuthEncoding(payload: Uint8Array): Uint8Array {
  const head = new TextEncoder().encode(`DSSEv1 ${PAYLOAD_TYPE.length} ${PAYLOAD_TYPE} ${payload.length} `);
  const bytes = new Uint8Array(head.length + payload.length);
  bytes.set(head);
  bytes.set(payload, head.length);
  return bytes;
}
