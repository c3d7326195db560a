import * as z from "zod";
import type { Context } from "../core/context.ts";
import { FileBlob } from "./file_blob.ts";
import { exchange } from "../http/request.ts";
import { statusError } from "../http/status_error.ts";
import { REQUEST_RETRIES, withRetry } from "../core/retry.ts";
import { parseWebAddress } from "../http/web_address.ts";

/** An archive on the disk. */
export interface WrittenArchive {
  readonly path: string;
  readonly bytes: number;
}

/** Uploads an archive and returns the address for clients. */
export type UploadArchive = (context: Context, archive: WrittenArchive) => Promise<string>;

const WebAddress = z.string().refine((text) => parseWebAddress(text) !== undefined, {
  error: "must be an http address",
});

/** The target of an archive: two addresses that storage has signed. */
export const PresignedTarget = z.object({
  upload_url: WebAddress,
  download_url: WebAddress,
  /** Headers that the signature covers, such as `x-ms-blob-type` for Azure. */
  upload_headers: z.record(z.string(), z.string()).default({}),
});
export type PresignedTarget = Readonly<z.infer<typeof PresignedTarget>>;

/** An hour moves 45 GB at 100 Mbit/s. */
export const UPLOAD_TIMEOUT_MS = 3_600_000;

/**
 * Uploads with one `PUT` to a signed address, streamed from the disk. Needs net and read permission.
 *
 * @throws {TransientError}, {@link AuthenticationError} and others of {@link statusError}
 */
export function uploadPresigned(target: PresignedTarget): UploadArchive {
  return async (context, archive) => {
    await withRetry(context, REQUEST_RETRIES, () => put(context, archive, target));
    return target.download_url;
  };
}

async function put(context: Context, archive: WrittenArchive, target: PresignedTarget): Promise<void> {
  const request = {
    url: target.upload_url,
    method: "PUT",
    headers: { "content-type": "application/zip", ...target.upload_headers },
    body: new FileBlob(context, archive.path, archive.bytes),
    verb: "upload",
    what: "the archive",
    timeoutMs: UPLOAD_TIMEOUT_MS,
  } as const;
  await exchange(context, request, async (response) => {
    if (!response.ok) throw await statusError(context, request, response);
    await response.body?.cancel();
  });
}
