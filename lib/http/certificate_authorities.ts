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
 * Returns the certificate authorities, in PEM, that the environment adds to the built-in ones: the file of `DENO_CERT`,
 * which the runtime reads by itself only from the variables of the process; and those that Python's clients take,
 * `SSL_CERT_FILE` (httpx, OpenSSL) and `REQUESTS_CA_BUNDLE`, else `CURL_CA_BUNDLE` (requests), a file or a folder. A
 * variable whose certificates cannot be used costs a warning, and is left out. Needs read permission.
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

/** @throws {Error} that says what is wrong with the file */
function readAuthorities(fs: FileSystem, path: string): readonly string[] {
  const isInFolder = isFolder(fs, path);
  const texts = (isInFolder ? folderFiles(fs, path) : [path]).flatMap((file) =>
    findText(fs, file, BUNDLE_BYTES_MAX) ?? []
  );
  if (texts.length === 0 && !isInFolder) throw new Error(`there is no ${path}`);
  const authorities = texts.filter((text) => text.includes(BEGIN));
  if (authorities.length === 0) throw new Error(`${path} holds no certificate in PEM`);
  tryAuthorities(path, authorities);
  return authorities;
}

/** The runtime refuses a client for one damaged certificate: here that costs one variable, not all. */
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
    // Reading it says what is wrong.
    return false;
  }
}

function folderFiles(fs: FileSystem, path: string): string[] {
  return [...fs.readDirSync(path)].filter(({ isDirectory }) => !isDirectory).slice(0, FOLDER_FILES_MAX)
    .map(({ name }) => join(path, name));
}
