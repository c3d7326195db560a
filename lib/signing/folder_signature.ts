import { basename, dirname, join, relative, sep } from "node:path";
import type { Context } from "../core/context.ts";
import { diskError, RefusedError, UsageError } from "../core/errors.ts";
import {
  absolutePath,
  type FileSystem,
  findFile,
  findText,
  ifFound,
  UnusableFileError,
} from "../core/files.ts";
import { replaceFile } from "../core/replace_file.ts";
import { SIGNATURE_BYTES_MAX } from "../release/registry_file.ts";
import { GIT_PATHS, hashTree, listTree } from "./hash_tree.ts";
import type { SigningKey } from "./key_files.ts";
import { signFiles, type TrustedKey, verifyFiles } from "./verify_files.ts";
import { invalidSignature, signatureMismatch } from "./signature_error.ts";

/** Signs and verifies a folder like the `model_signing` command: each accepts the signatures of the other. */

/** The result of signing or verifying a folder. */
export interface FolderSignature {
  readonly files: number;
  readonly keyHint: string;
}

/**
 * Signs every file of a folder and writes the signature. Replaces an existing one.
 *
 * @throws {RefusedError} codes `FOLDER_EMPTY`, `FOLDER_UNFIT`; {@link UsageError} code `SIGNATURE_NO_FILE`
 */
export async function signFolder(
  context: Context,
  key: SigningKey,
  folder: string,
  signaturePath: string,
): Promise<FolderSignature> {
  regularFile(context.fs, "write", signaturePath);
  const ignorePaths = [...GIT_PATHS, ...namesInside(context, folder, signaturePath)];
  const files = listTree(context, folder, ignorePaths);
  if (files.length === 0) {
    throw new RefusedError(`Cannot sign ${folder}: it contains no files to sign`, {
      code: "FOLDER_EMPTY",
      hint: "name the folder that holds the models",
    });
  }
  const resources = await hashTree(context, folder, files);
  const text = signFiles(key, basename(absolutePath(context.fs, folder)) || "model", {
    resources,
    ignorePaths,
  });
  try {
    context.fs.mkdirSync(dirname(signaturePath), { recursive: true });
    replaceFile(context.fs, signaturePath, text);
  } catch (error) {
    throw diskError(error, `write the signature ${signaturePath}`);
  }
  return { files: files.length, keyHint: key.verification.hint };
}

/**
 * Verifies a signature, and that the folder holds exactly the signed files.
 *
 * @throws {UsageError} codes `SIGNATURE_MISSING`, `SIGNATURE_NO_FILE`; {@link RefusedError} codes `SIGNATURE_INVALID`, `SIGNATURE_MISMATCH`,
 * `FOLDER_UNFIT`
 */
export async function verifyFolder(
  context: Context,
  keys: readonly TrustedKey[],
  folder: string,
  signaturePath: string,
): Promise<FolderSignature> {
  const where = `the signature ${signaturePath}`;
  const text = readSignature(context, signaturePath, where);
  const { resources, ignorePaths, key } = verifyFiles(text, keys, context.clock.now(), where);
  // A signer may include these files on request.
  const gitPaths = GIT_PATHS.filter((path) =>
    !resources.some(({ name }) => name === path || name.startsWith(`${path}/`))
  );
  const leftOut = [...gitPaths, ...ignorePaths, ...namesInside(context, folder, signaturePath)];
  const files = listTree(context, folder, leftOut);
  const present = new Set(files.map(({ name }) => name));
  const signed = new Set(resources.map(({ name }) => name));
  // Compare names first: a difference there needs no hashing.
  for (const { name } of resources) {
    if (!present.has(name)) throw signatureMismatch(folder, `${name} was signed and is missing`);
  }
  for (const { name } of files) {
    if (!signed.has(name)) throw signatureMismatch(folder, `${name} was not signed`);
  }
  const measured = new Map(
    (await hashTree(context, folder, files)).map(({ name, sha256 }) => [name, sha256]),
  );
  // Checks each entry: a name may be listed twice.
  for (const { name, sha256 } of resources) {
    const found = measured.get(name);
    if (found === sha256) continue;
    throw signatureMismatch(folder, `${name} has SHA-256 ${found}, the signature has ${sha256}`);
  }
  return { files: files.length, keyHint: key.hint };
}

function readSignature({ fs }: Context, path: string, where: string): string {
  const info = regularFile(fs, "read", path);
  if (info !== undefined && info.size > SIGNATURE_BYTES_MAX) {
    throw invalidSignature(where, `it has ${info.size} bytes, at most ${SIGNATURE_BYTES_MAX} are read`);
  }
  const text = findText(fs, path, SIGNATURE_BYTES_MAX);
  if (text !== undefined) return text;
  throw new UsageError(`Cannot read ${where}: there is no such file`, {
    code: "SIGNATURE_MISSING",
    hint: "name the file with --signature; model_signing calls it model.sig",
  });
}

/** Returns the info of a regular file; `undefined` without one. @throws {UsageError} if the path is not a file */
function regularFile(fs: FileSystem, doing: string, path: string): Deno.FileInfo | undefined {
  try {
    return findFile(fs, path);
  } catch (error) {
    if (!(error instanceof UnusableFileError)) throw error;
    throw new UsageError(`Cannot ${doing} the signature ${path}: ${error.reason}`, {
      code: "SIGNATURE_NO_FILE",
      hint: "name a file with --signature, such as model.sig",
    });
  }
}

/** Returns the path of a file relative to a folder, links above both resolved; none if it is outside. */
function namesInside({ fs }: Context, folder: string, path: string): string[] {
  const real = (name: string) => ifFound(() => fs.realPathSync(name)) ?? absolutePath(fs, name);
  const name = relative(real(folder), join(real(dirname(absolutePath(fs, path))), basename(path)));
  return name === "" || name.split(sep)[0] === ".." ? [] : [name.replaceAll(sep, "/")];
}
