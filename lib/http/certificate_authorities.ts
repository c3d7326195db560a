import { join } from "node:path";
import type { Context } from "../core/context.ts";
import { messageOf } from "../core/errors.ts";
import { type FileSystem, findText } from "../core/files.ts";

/** Debian's whole bundle has 0.2 MB. */
const BUNDLE_BYTES_MAX = 16 * 1024 * 1024;

/** Debian's folder of single certificates has 300 entries. */
const FOLDER_FILES_MAX = 2_000;

const BEGIN = "-----BEGIN CERTIFICATE-----";

/**
 * Returns the certificate authorities, in PEM, that the environment adds to the built-in ones. `DENO_CERT` names a
 * file; the runtime itself reads it only from the variables of the process. The variables of Python's clients name a
 * file or a folder: `SSL_CERT_FILE` (httpx, OpenSSL), and `REQUESTS_CA_BUNDLE` or else `CURL_CA_BUNDLE` (requests). A
 * variable whose certificates cannot be used is skipped with a warning. Needs read permission.
 */
export function certificateAuthorities(
  { env, fs, log }: Pick<Context, "env" | "fs" | "log">,
): readonly string[] {
  const bundle = isSet(env.get("REQUESTS_CA_BUNDLE")) ? "REQUESTS_CA_BUNDLE" : "CURL_CA_BUNDLE";
  const found = new Map<string, readonly string[]>();
  for (const variable of ["DENO_CERT", "SSL_CERT_FILE", bundle]) {
    const path = env.get(variable)?.trim() ?? "";
    if (path === "" || found.has(path)) continue;
    try {
      found.set(path, readAuthorities(fs, path));
    } catch (error) {
      log.warn(`Cannot use ${variable}: ${messageOf(error)}`);
    }
  }
  return [...found.values()].flat();
}

function isSet(value: string | undefined): boolean {
  return value !== undefined && value.trim() !== "";
}

/** @throws {Error} with the problem of the file */
function readAuthorities(fs: FileSystem, path: string): readonly string[] {
  const isInFolder = isFolder(fs, path);
  const texts = (isInFolder ? folderFiles(fs, path) : [path]).flatMap((file) =>
    findText(fs, file, BUNDLE_BYTES_MAX) ?? []
  );
  if (texts.length === 0 && !isInFolder) throw new Error(`${path} does not exist`);
  const authorities = texts.filter((text) => text.includes(BEGIN));
  if (authorities.length === 0) throw new Error(`${path} holds no certificate in PEM`);
  tryAuthorities(path, authorities);
  return authorities;
}

/**
 * The runtime refuses all certificates if one is damaged. Trying each variable alone limits the loss to that variable.
 */
function tryAuthorities(path: string, authorities: readonly string[]): void {
  try {
    Deno.createHttpClient({ caCerts: [...authorities] }).close();
  } catch (error) {
    throw new Error(`${path} holds a damaged certificate (${messageOf(error)})`);
  }
}

function isFolder(fs: FileSystem, path: string): boolean {
  try {
    return fs.statSync(path).isDirectory;
  } catch {
    // The later read reports the problem.
    return false;
  }
}

function folderFiles(fs: FileSystem, path: string): string[] {
  return [...fs.readDirSync(path)].filter(({ isDirectory }) => !isDirectory).slice(0, FOLDER_FILES_MAX)
    .map(({ name }) => join(path, name));
}
