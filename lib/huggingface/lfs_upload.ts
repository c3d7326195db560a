import * as z from "zod";
import { cleanLine } from "../core/clean_text.ts";
import { eachAtOnce } from "../core/concurrency.ts";
import type { Context } from "../core/context.ts";
import { FailedError } from "../core/errors.ts";
import type { Sha256 } from "../core/hash.ts";
import { SMALL_FILE_BYTES_MAX } from "../http/download_small.ts";
import { HashedFileBlob, refuseChanged } from "./hashed_file_blob.ts";
import type { Hub } from "./hub.ts";
import { notAHub, type UploadSender } from "./upload_http.ts";

/** The hub's limit for one request. */
const OBJECTS_MAX = 100;

/** Small files mostly wait for the storage. */
const SMALL_FILES_MAX = 32;

/** The downloads of large files have the same limits. */
const LARGE_FILES_MAX = 4;
const PARTS_AT_ONCE_MAX = 4;

/** How much of the hub's reason for a refusal is shown. */
const REASON_CHARS_MAX = 200;

const LFS_TYPE = "application/vnd.git-lfs+json";

const Address = z.url({ protocol: /^https?$/ });

/** Where a content is sent: whole, or in the parts that the header lists by their numbers. */
const UploadAction = z.object({
  href: Address,
  header: z.record(z.string(), z.coerce.string()).default({}),
}).transform(({ href, header: { chunk_size: partBytes, ...header } }) => ({
  href,
  parts: partBytes === undefined ? null : { partBytes, addresses: numbered(header) },
})).pipe(z.object({
  href: z.string(),
  parts: z.object({
    partBytes: z.coerce.number<string>().int().positive(),
    addresses: z.array(z.object({ partNumber: z.number(), url: Address })),
  }).nullable(),
}));
type UploadAction = z.infer<typeof UploadAction>;
type UploadParts = NonNullable<UploadAction["parts"]>;

const LfsBatch = z.object({
  objects: z.array(z.object({
    oid: z.string(),
    error: z.object({ message: z.string() }).optional(),
    actions: z.object({ upload: UploadAction.optional() }).optional(),
  })),
});

function numbered(header: Readonly<Record<string, string>>) {
  return Object.entries(header)
    .flatMap(([key, url]) => /^\d{1,5}$/.test(key) ? [{ partNumber: Number(key), url }] : [])
    .sort((a, b) => a.partNumber - b.partNumber);
}

/** A content to upload, and its path in the repository. */
export interface UploadContent {
  readonly path: string;
  readonly sha256: Sha256;
  readonly blob: HashedFileBlob | Blob;
}

/** Where LFS contents are sent, and how. */
export interface LfsTarget {
  readonly hub: Hub;
  readonly sender: UploadSender;
  /** Storage checks the rights to this branch; `undefined` for a pull request. */
  readonly branch: string | undefined;
}

/**
 * Sends contents to the hub's storage, by Git LFS: those that it lacks, each once, in parts where the hub wants that.
 *
 * @param onSent called with each content that was sent
 * @throws {FailedError} codes `MODELS_CHANGING`, `UPLOAD_REFUSED`, `STORAGE_REFUSED`; {@link
 * AuthenticationError}; {@link UnreachableError}
 */
export async function uploadToLfs(
  context: Context,
  target: LfsTarget,
  contents: readonly UploadContent[],
  onSent: (content: UploadContent) => void,
): Promise<void> {
  const { signal } = context;
  const unique = [...new Map(contents.map((content) => [content.sha256, content])).values()];
  for (let start = 0; start < unique.length; start += OBJECTS_MAX) {
    const missing = await findMissing(target, unique.slice(start, start + OBJECTS_MAX), signal);
    const send = async ({ content, action }: Missing, signal: AbortSignal) => {
      await sendContent({ ...context, signal }, target, content, action);
      onSent(content);
    };
    const isSmall = ({ content }: Missing) => content.blob.size <= SMALL_FILE_BYTES_MAX;
    await eachAtOnce(signal, missing.filter(isSmall), SMALL_FILES_MAX, send);
    await eachAtOnce(signal, missing.filter((one) => !isSmall(one)), LARGE_FILES_MAX, send);
  }
}

/** A content that the hub lacks, and where to send it. */
interface Missing {
  readonly content: UploadContent;
  readonly action: UploadAction;
}

async function findMissing(
  { hub, sender, branch }: LfsTarget,
  contents: readonly UploadContent[],
  signal: AbortSignal,
): Promise<Missing[]> {
  const { endpoint, repoId } = hub.settings;
  const { objects } = await sender.ask({
    url: `${endpoint}/${repoId}.git/info/lfs/objects/batch`,
    method: "POST",
    headers: { "accept": LFS_TYPE, "content-type": LFS_TYPE },
    body: JSON.stringify({
      operation: "upload",
      // The hub's own protocol for parts.
      transfers: ["basic", "multipart"],
      hash_algo: "sha_256",
      ...(branch === undefined ? {} : { ref: { name: branch } }),
      objects: contents.map(({ sha256: oid, blob: { size } }) => ({ oid, size })),
    }),
    signal,
  }, LfsBatch);
  const asked = new Map(contents.map((content) => [content.sha256, content]));
  for (const { oid, error } of objects) {
    if (error !== undefined) throw refused(hub, asked.get(oid)?.path ?? oid, error.message);
  }
  const answers = new Map(objects.map((one) => [one.oid, one]));
  return contents.flatMap((content) => {
    const answer = answers.get(content.sha256);
    if (answer === undefined) throw notAHub(hub);
    const action = answer.actions?.upload;
    return action === undefined ? [] : [{ content, action }];
  });
}

function refused({ host, settings: { endpoint, repoId } }: Hub, path: string, reason: string) {
  const said = cleanLine(reason, { charsMax: REASON_CHARS_MAX });
  return new FailedError(`Cannot upload to ${repoId}: ${host} refuses a file: ${path}: ${said}`, {
    code: "UPLOAD_REFUSED",
    hint: `check ${endpoint}/${repoId} and its owner's storage quota`,
  });
}

async function sendContent(
  context: Context,
  target: LfsTarget,
  content: UploadContent,
  { href, parts }: UploadAction,
): Promise<void> {
  const { signal } = context;
  if (parts !== null) return await sendParts(context, target, content, { href, ...parts });
  await target.sender.send({ url: href, method: "PUT", body: content.blob, signal });
}

/** Sends a content in parts. Together they are not hashed again, so the file must not have been written since. */
async function sendParts(
  { fs, signal }: Context,
  { hub, sender }: LfsTarget,
  { sha256, blob }: UploadContent,
  { href, partBytes, addresses }: { readonly href: string } & UploadParts,
): Promise<void> {
  const count = Math.ceil(blob.size / partBytes);
  const isWhole = addresses.length === count &&
    addresses.every(({ partNumber }, index) => partNumber === index + 1);
  if (!isWhole) throw notAHub(hub);
  const parts: { readonly partNumber: number; readonly etag: string }[] = [];
  await eachAtOnce(signal, addresses, PARTS_AT_ONCE_MAX, async ({ partNumber, url }, signal) => {
    const start = (partNumber - 1) * partBytes;
    const body = blob.slice(start, start + partBytes);
    const { headers } = await sender.send({ url, method: "PUT", body, signal });
    const etag = headers.get("etag");
    if (etag === null) throw notAHub(hub);
    parts.push({ partNumber, etag });
  });
  if (blob instanceof HashedFileBlob) refuseChanged(fs, blob.file);
  parts.sort((a, b) => a.partNumber - b.partNumber);
  await sender.send({
    url: href,
    method: "POST",
    headers: { "accept": LFS_TYPE, "content-type": LFS_TYPE },
    body: JSON.stringify({ oid: sha256, parts }),
    signal,
  });
}
