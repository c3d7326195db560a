import * as z from "zod";
import { decodeUtf8 } from "../core/decode_utf8.ts";
import type { Sha256 } from "../core/hash.ts";
import { compareUtf8 } from "../core/portable_path.ts";
import { quote } from "../core/quote.ts";
import { RELEASE_FILES_MAX } from "../release/manifest.ts";
import { invalidSignature } from "./signature_error.ts";
import { createHash } from "node:crypto";

/**
 * Reads and writes what is signed: an in-toto statement with the predicate of OpenSSF Model Signing 1.0
 * (github.com/ossf/model-signing-spec, spec/v1.0.md).
 */

const STATEMENT_TYPE = "https://in-toto.io/Statement/v1";
const PREDICATE_TYPE = "https://model_signing/signature/v1.0";

/** The files of a release, and its manifest. */
const RESOURCES_MAX = RELEASE_FILES_MAX + 1;

/** A signed file. */
export interface Resource {
  /** The path in the signed folder, with `/`; compared byte for byte. */
  readonly name: string;
  readonly sha256: Sha256;
}

/** The files that a signature covers. */
export interface SignedSet {
  readonly resources: readonly Resource[];
  /** Files and folders that were left out, with everything in them: relative paths, not patterns. */
  readonly ignorePaths: readonly string[];
}

const HexDigest = z.string().regex(/^[0-9a-f]{64}$/, "is not a lower-case SHA-256");

const Name = z.string().refine(isName, {
  error: ({ input }) => `${quote(String(input))} is not a valid file name`,
});

const Statement = z.object({
  _type: z.literal(STATEMENT_TYPE),
  predicateType: z.literal(PREDICATE_TYPE),
  subject: z.array(z.object({ name: z.string().min(1), digest: z.object({ sha256: HexDigest }) })).length(1),
  predicate: z.object({
    resources: z.array(z.object({ name: Name, digest: HexDigest, algorithm: z.literal("sha256") })).min(1)
      .max(RESOURCES_MAX),
    serialization: z.object({
      method: z.literal("files", {
        error: ({ input }) =>
          `is ${quote(String(input))}; only whole files ("files") are supported, not parts of files`,
      }),
      hash_type: z.literal("sha256"),
      ignore_paths: z.array(Name).max(RESOURCES_MAX).default([]),
    }),
  }),
});

/** Returns the text of a statement. Its files are in the order of the specification: by code point. */
export function formatStatement(subject: string, { resources, ignorePaths }: SignedSet): string {
  const sorted = resources.toSorted((a, b) => compareUtf8(a.name, b.name));
  return JSON.stringify({
    _type: STATEMENT_TYPE,
    subject: [{ name: subject, digest: { sha256: rootDigest(sorted) } }],
    predicateType: PREDICATE_TYPE,
    predicate: {
      resources: sorted.map(({ name, sha256 }) => ({ name, digest: sha256, algorithm: "sha256" })),
      serialization: {
        method: "files",
        hash_type: "sha256",
        allow_symlinks: false,
        ignore_paths: ignorePaths.toSorted(compareUtf8),
      },
    },
  });
}

/**
 * Parses a statement whose signature is verified. Accepts its files in any order.
 *
 * @throws {RefusedError} code `SIGNATURE_INVALID`
 */
export function parseStatement(payload: Uint8Array, where: string): SignedSet {
  const { subject, predicate } = readStatement(payload, where);
  const resources = predicate.resources.map(({ name, digest }) => ({ name, sha256: digest }));
  const root = rootDigest(resources);
  const claimed = subject[0]?.digest.sha256;
  if (root !== claimed) {
    throw invalidSignature(where, `its root digest is ${claimed}, but its files give ${root}`);
  }
  return { resources, ignorePaths: predicate.serialization.ignore_paths };
}

function readStatement(payload: Uint8Array, where: string): z.infer<typeof Statement> {
  const text = decodeUtf8(payload);
  if (text === undefined) throw invalidSignature(where, "its statement is not UTF-8");
  let data: unknown;
  try {
    data = JSON.parse(text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw invalidSignature(where, "its statement is not JSON", error);
  }
  const result = Statement.safeParse(data);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw invalidSignature(where, `${issue?.path.join(".")}: ${issue?.message}`, result.error);
}

/** Whether a name is a relative path without `..`, `.` and empty parts. */
function isName(name: string): boolean {
  return name.split("/").every((part) => part !== "" && part !== "." && part !== "..");
}

/**
 * Returns the digest of a set of files: the SHA-256 of their raw digests, 32 bytes each, in the given order.
 *
 * @example In a shell: `printf %s "$(sha256sum < a | cut -c-64)" | xxd -r -p | sha256sum`
 * ```ts
 * import assert from "node:assert/strict";
 * import { rootDigest } from "./statement.ts";
 * const a = { sha256: "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" };
 * assert.equal(rootDigest([a]), "4f8b42c22dd3729b519ba6f68d2da7cc5b2d606d05daed5ad5128cc03e6c6358");
 * ```
 */
export function rootDigest(files: Iterable<{ readonly sha256: Sha256 }>): Sha256 {
  const hash = createHash("sha256");
  for (const { sha256 } of files) hash.update(sha256, "hex");
  return hash.digest("hex");
}
