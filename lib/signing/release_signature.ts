import { RefusedError, UsageError } from "../core/errors.ts";
import { plural } from "../core/format.ts";
import { sha256Hex } from "../core/hash.ts";
import { compareUtf8 } from "../core/portable_path.ts";
import { type Manifest, MANIFEST_NAME, shortDigest } from "../release/manifest.ts";
import { SIGNATURE_NAME } from "../release/registry_file.ts";
import { GIT_PATHS } from "./hash_tree.ts";
import type { SigningKey } from "./key_files.ts";
import type { ReleaseSigner } from "./seal.ts";
import { signFiles, type TrustedKey, verifyFiles } from "./verify_files.ts";
import { signatureMismatch } from "./signature_error.ts";
import type { Resource } from "./statement.ts";

/**
 * The signature of a release covers every file and the manifest, whose text includes sequence and expiry. The digests of
 * the files come from the manifest; staging compares them with the bytes. No file is read here.
 */

/** A manifest and its text, byte for byte. */
export interface SignedManifest {
  readonly manifest: Manifest;
  readonly text: string;
}

/** Returns the signer of a key. */
export function makeReleaseSigner(key: SigningKey): ReleaseSigner {
  return {
    keyHint: key.verification.hint,
    sign: (manifest, text, folder) => signRelease(key, { manifest, text }, folder),
    async hasSigned(signature, manifest, text) {
      const own = { ...key.verification, source: "our own key" };
      try {
        await verifyRelease(signature, { manifest, text }, [own], new Date(0));
        return true;
      } catch (error) {
        if (error instanceof RefusedError) return false;
        throw error;
      }
    },
  };
}

async function signRelease(
  key: SigningKey,
  { manifest, text }: SignedManifest,
  folder: string,
): Promise<string> {
  const prefix = folder === "" ? "" : `${folder}/`;
  const resources: Resource[] = [
    ...manifest.files.map(({ path, sha256 }) => ({ name: prefix + path, sha256 })),
    { name: MANIFEST_NAME, sha256: await sha256Hex(text) },
  ];
  const ignorePaths = [...GIT_PATHS, SIGNATURE_NAME];
  const unsignable = resources.find(({ name }) =>
    ignorePaths.some((path) => name === path || name.startsWith(`${path}/`))
  );
  if (unsignable !== undefined) {
    throw new UsageError(
      `Cannot sign ${unsignable.name}: verifiers of model signatures ignore files with this name`,
      {
        code: "UNSIGNABLE",
        hint: "remove it from the model folder, or keep the models in a folder of their own",
      },
    );
  }
  return signFiles(key, `model-sync-${shortDigest(manifest.digest)}`, { resources, ignorePaths });
}

/**
 * Verifies that a trusted key signed exactly this manifest and the files that it lists.
 *
 * The folder of the models is derived from the signed names. That is safe because the manifest is signed, too: under
 * another folder name, the same files are required.
 *
 * @returns the key
 * @throws {RefusedError} codes `SIGNATURE_INVALID`, `SIGNATURE_MISMATCH`
 */
export async function verifyRelease(
  signature: string,
  { manifest, text }: SignedManifest,
  keys: readonly TrustedKey[],
  now: Date,
): Promise<TrustedKey> {
  const where = `the signature of release ${shortDigest(manifest.digest)}`;
  const { resources, key } = verifyFiles(signature, keys, now, where);
  const problem = await manifestProblem(resources, text) ?? filesProblem(resources, manifest);
  if (problem !== undefined) throw signatureMismatch(where, problem);
  return key;
}

async function manifestProblem(resources: readonly Resource[], text: string): Promise<string | undefined> {
  const [signed, ...others] = resources.filter(({ name }) => name === MANIFEST_NAME);
  if (signed === undefined) return `it does not cover ${MANIFEST_NAME}`;
  if (others.length > 0) return `it lists ${MANIFEST_NAME} more than once`;
  const sha256 = await sha256Hex(text);
  if (sha256 === signed.sha256) return undefined;
  return `${MANIFEST_NAME} has SHA-256 ${sha256}, the signature has ${signed.sha256}`;
}

/** Compares the signed files with the manifest. All signed names must have the same folder before the path. */
function filesProblem(resources: readonly Resource[], { files }: Manifest): string | undefined {
  const signed = resources.filter(({ name }) => name !== MANIFEST_NAME)
    .toSorted((a, b) => compareUtf8(a.name, b.name));
  const listed = files.toSorted((a, b) => compareUtf8(a.path, b.path));
  if (signed.length !== listed.length) {
    return `it covers ${plural(signed.length, "file")}, the manifest lists ${listed.length}`;
  }
  const [first] = listed;
  const prefix = signed[0]?.name.slice(0, -(first?.path.length ?? 0)) ?? "";
  if (prefix !== "" && !prefix.endsWith("/")) {
    return `it covers ${signed[0]?.name}, which is not a file of the release`;
  }
  for (const [index, { path, sha256 }] of listed.entries()) {
    const resource = signed[index];
    if (resource?.name !== prefix + path) return `it covers ${resource?.name} instead of ${prefix}${path}`;
    if (resource.sha256 !== sha256) {
      return `${path} has SHA-256 ${sha256} in the manifest, the signature has ${resource.sha256}`;
    }
  }
  return undefined;
}
