import { quote } from "../core/quote.ts";
import * as z from "zod";
import { cleanLine } from "../core/clean_text.ts";
import type { FileDigest } from "../core/hash.ts";
import { chunkListsProblem } from "../core/chunk_list.ts";
import { RefusedError } from "../core/errors.ts";
import { jsonText, parseJson as findJson } from "../core/json.ts";
import { compareUtf8, findPathCollision, portablePathProblem } from "../core/portable_path.ts";
import { UNCOMPILED } from "../core/zod_options.ts";
import { type DigestedFile, hashLines } from "./digest_lines.ts";

/** The manifest's file name: beside the model folder in a repository or an archive, never inside it. */
export const MANIFEST_NAME = "model-sync.json";

/** The most files of a release: ten times the largest known set, with a manifest below 64 MiB. */
export const RELEASE_FILES_MAX = 200_000;

/** The largest manifest that is read: {@link RELEASE_FILES_MAX} entries of 320 bytes. */
export const MANIFEST_BYTES_MAX = 64 * 1024 * 1024;

/** The most characters of all chunk lists of a manifest: 300 GiB of models. The rest of it is far below its limit then. */
export const CHUNK_LISTS_CHARS_MAX = 32 * 1024 * 1024;

/**
 * The highest sequence. Publishing never counts so far, so a person must have written it. It is below 2^53, so that
 * comparisons with the next number are still exact.
 */
export const SEQUENCE_MAX = 2 ** 52;

const SHA256 = /^[0-9a-f]{64}$/;

/** The name of a release: `sha256:` and the digest of its file list. */
export type Digest = `sha256:${string}`;
export const Digest = z.custom<Digest>(
  (value) => typeof value === "string" && /^sha256:[0-9a-f]{64}$/.test(value),
  { error: "is not sha256: with 64 hexadecimal digits" },
);

export const CARRIERS = ["git", "runpod", "github-actions", "huggingface", "local"] as const;
/** The carrier of a release. `local`: a model folder from before model-sync. */
export type Carrier = (typeof CARRIERS)[number];

const ReleaseFile = z.lazy(() =>
  z.object({
    path: z.string(),
    size: z.number().int().min(0).max(Number.MAX_SAFE_INTEGER),
    sha256: z.string().regex(SHA256, "is not a lower-case SHA-256"),
    /** How the file divides into chunks that other files may have, too. Versions before 0.2 ignore it. */
    contentChunks: z.string().optional(),
  })
);
/** One file of a release: path relative to the model folder, size in bytes, SHA-256. */
export type ReleaseFile = Readonly<z.infer<typeof ReleaseFile>>;

/** The longest reason of a withdrawal: two lines of a terminal. */
const REASON_CHARS_MAX = 200;

/** The most withdrawals that are read. A publish writes far fewer; a later version may write more. */
const WITHDRAWALS_READ_MAX = 10_000;

/** The reason of a withdrawal as one clean line. It comes from another machine. */
export const WithdrawalReason = z.string().overwrite((text) =>
  cleanLine(text, { charsMax: REASON_CHARS_MAX })
);

export const Withdrawal = z.object({
  digest: Digest,
  /** `withdrawn`: clients refuse the release. `reinstated`: they accept it again. Readers ignore any other state. */
  state: z.string().max(40),
  /** Orders the changes of one release: of two, the later counts. */
  at: z.iso.datetime(),
  reason: WithdrawalReason.optional(),
});
/** The publisher's last word on a release: that it is withdrawn, or no longer is. */
export type Withdrawal = Readonly<z.infer<typeof Withdrawal>>;

/** What {@link readHead} reads. */
const HEAD = {
  schema: z.literal(1),
  digest: Digest,
  /** Grows by one with each publish. 0: created by a client for a registry without a manifest, so it orders nothing. */
  sequence: z.number().int().min(0).max(SEQUENCE_MAX),
  createdAt: z.iso.datetime(),
};

/** All of a manifest but its files. */
const DETAILS = {
  ...HEAD,
  /** Clients accept the release until then. */
  expiresAt: z.iso.datetime().optional(),
  origin: z.object({
    carrier: z.enum(CARRIERS),
    /** The carrier's immutable name for the source of the files, if it has one. */
    revision: z.string().max(200).optional(),
    host: z.string().max(255).optional(),
    /** The name of the model folder beside this manifest. */
    folder: z.string().max(255).optional(),
  }),
  /** Releases that clients refuse, whichever release this manifest describes. Each publish carries the list forward. */
  withdrawals: z.array(Withdrawal).max(WITHDRAWALS_READ_MAX).readonly().optional(),
};

const Manifest = z.lazy(() =>
  z.object({ ...DETAILS, files: z.array(ReleaseFile).min(1).max(RELEASE_FILES_MAX) })
);

/** As {@link Manifest}, for a list of files in which nothing has to be changed. */
const PlainManifest = z.object({ ...DETAILS, files: z.custom<ReleaseFile[]>(isPlainFileList) });

/** The files of a release, and its origin. Unknown fields of a later version are ignored; the digest covers the files. */
export type Manifest = Readonly<z.infer<typeof Manifest>>;

/**
 * Returns the name of a release: the SHA-256 of its sorted lines `<sha256>  <size>  <path>\n`. It depends only on the
 * files, so the same models have the same name with every carrier.
 *
 * @example The same in a shell: `printf '%s  3  a.onnx\n' "$(sha256sum < a.onnx | cut -c-64)" | sort | sha256sum`
 * ```ts
 * import assert from "node:assert/strict";
 * import { releaseDigest } from "./manifest.ts";
 * const a = { path: "a.onnx", size: 3, sha256: "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" };
 * assert.equal(await releaseDigest([a]), "sha256:e1d2a679ee632e49904b4e25586fbc51472acece33e23e15c82750b4a7ffb765");
 * ```
 */
export async function releaseDigest(files: Iterable<DigestedFile>): Promise<Digest> {
  return `sha256:${await hashLines([...files])}`;
}

/** Returns the manifest's entry of a hashed file. */
export function releaseFile(path: string, digest: FileDigest): ReleaseFile {
  const { bytes: size, sha256, contentChunks } = digest;
  return contentChunks === undefined ? { path, size, sha256 } : { path, size, sha256, contentChunks };
}

/** The fields of a manifest besides its files. */
export type ManifestDetails = Pick<
  Manifest,
  "sequence" | "createdAt" | "expiresAt" | "origin" | "withdrawals"
>;

/**
 * Creates the manifest of files: sorts them and computes the release digest.
 *
 * @param known a release whose digest is used if it has the same files
 */
export async function createManifest(
  files: readonly ReleaseFile[],
  details: ManifestDetails,
  known?: { readonly digest: Digest; readonly files: readonly DigestedFile[] },
): Promise<Manifest> {
  const sorted = limitChunkLists([...files].sort((a, b) => compareUtf8(a.path, b.path)));
  const isKnown = known !== undefined && isSameFileList(known.files, sorted);
  const digest = isKnown ? known.digest : await releaseDigest(sorted);
  return { ...manifestHead(digest, details), files: sorted };
}

/** Returns a manifest without its files. Fields without a value are left out. */
export function manifestHead(digest: Digest, details: ManifestDetails): Omit<Manifest, "files"> {
  const { sequence, createdAt, expiresAt, origin, withdrawals = [] } = details;
  const term = expiresAt === undefined ? {} : { expiresAt };
  const list = withdrawals.length === 0 ? {} : { withdrawals };
  return { schema: 1, digest, sequence, createdAt, ...term, origin, ...list };
}

/** Returns the files without the chunk lists that would make a manifest too long to be read. */
function limitChunkLists(files: readonly ReleaseFile[]): ReleaseFile[] {
  let chars = 0;
  return files.map((file) => {
    if (file.contentChunks === undefined) return file;
    const { contentChunks, ...rest } = file;
    if (chars + contentChunks.length > CHUNK_LISTS_CHARS_MAX) return rest;
    chars += contentChunks.length;
    return file;
  });
}

function isSameFileList(files: readonly DigestedFile[], others: readonly DigestedFile[]): boolean {
  return files.length === others.length && files.every(({ path, size, sha256 }, row) => {
    const other = others[row];
    return other?.path === path && other.size === size && other.sha256 === sha256;
  });
}

/**
 * Parses a manifest from a carrier, and checks everything in it: shape, paths, chunks, digest.
 *
 * @param where named in errors: `model-sync.json of commit 1a2b3c4`
 * @throws {RefusedError} code `MANIFEST_INVALID`
 */
export async function parseManifest(text: string, where: string): Promise<Manifest> {
  const manifest = readManifest(text, where);
  const problem = fileListProblem(manifest.files.map(({ path }) => path)) ??
    chunkListsProblem(manifest.files) ?? await digestProblem(manifest);
  if (problem !== undefined) throw invalid(where, problem);
  return manifest;
}

/**
 * Parses a manifest of the store. {@link parseManifest} has checked it before it was written, so this checks only its
 * shape: a rollback does not wait for the digest of a long list. `verify` checks the digest again.
 *
 * @throws {RefusedError} code `MANIFEST_INVALID`
 */
export function readManifest(text: string, where: string): Manifest {
  const data = parseJson(text, where);
  if (typeof data === "object" && data !== null && "schema" in data && data.schema !== 1) {
    throw invalid(
      where,
      `it has schema ${shorten(jsonText(data.schema))}, this program reads schema 1: update model-sync`,
    );
  }
  const plain = PlainManifest.safeParse(data, UNCOMPILED);
  if (plain.success) return plain.data;
  const result = Manifest.safeParse(data);
  if (!result.success) throw invalid(where, firstIssue(result.error), result.error);
  return result.data;
}

const Head = z.lazy(() => z.object(HEAD));

/** Returns what a manifest says besides its files; `undefined` if that is not valid. */
export function readHead(data: unknown): Readonly<z.infer<typeof Head>> | undefined {
  return Head.safeParse(data, UNCOMPILED).data;
}

/** What is in the text of a manifest before the lines of its files, and after the last one, which has no comma. */
export const BEFORE_FILES = ',\n  "files": [\n';
export const AFTER_FILES = "\n  ]\n}\n";

const WithoutFiles = z.lazy(() => z.object(DETAILS));

/**
 * Returns all that a manifest says besides its files; `undefined` if that is not valid.
 *
 * @param beginning of its text, before the list of its files
 */
export function readBeginning(beginning: string): Omit<Manifest, "files"> | undefined {
  return WithoutFiles.safeParse(findJson(`${beginning}\n}`), UNCOMPILED).data;
}

/**
 * Returns whether a list of files is what {@link Manifest} would return for it. For 50,000 files, this check takes 10 ms,
 * and that of the schema 50 ms and a copy of the list. The schema says what is wrong with another list.
 */
function isPlainFileList(files: unknown): files is ReleaseFile[] {
  if (!Array.isArray(files) || files.length === 0 || files.length > RELEASE_FILES_MAX) return false;
  return files.every(isPlainFile);
}

function isPlainFile(file: unknown): boolean {
  if (typeof file !== "object" || file === null || !("path" in file && "size" in file && "sha256" in file)) {
    return false;
  }
  const { path, size, sha256 } = file;
  const chunks = "contentChunks" in file ? file.contentChunks : undefined;
  return typeof path === "string" && typeof size === "number" && Number.isSafeInteger(size) && size >= 0 &&
    typeof sha256 === "string" && SHA256.test(sha256) &&
    (chunks === undefined || typeof chunks === "string") &&
    Object.keys(file).length === (chunks === undefined ? 3 : 4);
}

/** Returns the sum of the sizes of files, in bytes. */
export function totalBytes(files: Iterable<Pick<ReleaseFile, "size">>): number {
  let bytes = 0;
  for (const file of files) bytes += file.size;
  return bytes;
}

/** Returns the first twelve hexadecimal digits, which people see and type. */
export function shortDigest(digest: Digest): string {
  return digest.slice("sha256:".length, "sha256:".length + 12);
}

/** Returns why a file list is unsafe for file systems; `undefined` if it is safe. */
export function fileListProblem(paths: readonly string[]): string | undefined {
  if (paths.length > RELEASE_FILES_MAX) {
    return `it has ${paths.length} files, at most ${RELEASE_FILES_MAX} are possible`;
  }
  for (const path of paths) {
    const problem = portablePathProblem(path);
    if (problem !== undefined) return `the path ${quote(path)} ${problem}`;
  }
  const collision = findPathCollision(paths);
  if (collision === undefined) return undefined;
  return `the paths ${quote(collision.first)} and ${quote(collision.second)} ${collision.reason}`;
}

async function digestProblem(manifest: Manifest): Promise<string | undefined> {
  const digest = await releaseDigest(manifest.files);
  if (digest === manifest.digest) return undefined;
  return `its digest is ${manifest.digest}, but its file list gives ${digest}`;
}

function invalid(where: string, problem: string, cause?: unknown): RefusedError {
  return new RefusedError(`Cannot use ${where}: ${problem}`, {
    code: "MANIFEST_INVALID",
    cause,
    hint: "publish the release again; the active release is untouched",
  });
}

/** The most characters of a value that a message shows. */
const SHOWN_CHARS_MAX = 60;

function shorten(text: string): string {
  return text.length > SHOWN_CHARS_MAX ? `${text.slice(0, SHOWN_CHARS_MAX)}…` : text;
}

function parseJson(text: string, where: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw invalid(where, `it is not JSON (${error.message})`, error);
  }
}

function firstIssue(error: z.ZodError): string {
  const issue = error.issues[0];
  if (issue === undefined) return error.message;
  const path = issue.path.map((part) => typeof part === "number" ? `[${part}]` : `.${String(part)}`).join("");
  return `${path.replace(/^\./, "") || "it"}: ${issue.message}`;
}
