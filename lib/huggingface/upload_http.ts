import * as z from "zod";
import type { Context, Http } from "../core/context.ts";
import { AuthenticationError, diskError, FailedError, RefusedError, TransientError } from "../core/errors.ts";
import { readBody } from "../http/request.ts";
import { statusError } from "../http/status_error.ts";
import { actionOf, networkError } from "../http/network_error.ts";
import type { NamedRequest } from "../http/request_types.ts";
import { type RetryPolicy, withRetry } from "../core/retry.ts";
import { StallWatch } from "../http/stall_watch.ts";
import type { Sha256 } from "../core/hash.ts";
import { HashedFileBlob } from "./hashed_file_blob.ts";
import type { Hub } from "./hub.ts";
import { urlOf } from "./hub_failures.ts";
import type { SharedProgress } from "./shared_progress.ts";

/** Another writer moved the branch after it was read. */
export class BranchMoved extends Error {}

export interface UploadPatience {
  /** A request is ended if no byte moves for this long. */
  readonly stallMs: number;
  readonly retries: RetryPolicy;
}

/** The hub needs minutes for a commit of thousands of files. */
export const UPLOAD_PATIENCE: UploadPatience = {
  stallMs: 4 * 60_000,
  retries: { attemptsMax: 6, firstDelayMs: 1_000, delayMsMax: 30_000 },
};

/**
 * Files that the hub keeps in git are sent base64-encoded in the body of the commit, which is in memory three times.
 * Files beyond this size, or beyond the total, go to LFS instead.
 */
const INLINE_FILE_BYTES_MAX = 1024 * 1024;
const INLINE_TOTAL_BYTES_MAX = 8 * 1024 * 1024;

const UploadModes = z.object({
  files: z.array(z.looseObject({ path: z.string(), uploadMode: z.enum(["lfs", "regular"]) })),
});
const LfsBatch = z.looseObject({ objects: z.array(z.looseObject({ oid: z.string() })) });

/** The largest answer of the hub, or of its storage. */
const ANSWER_BYTES_MAX = 16 * 1024 * 1024;

/** The contents that an upload may send, and how. */
export interface Upload {
  readonly hub: Hub;
  /** The size of each file by its path in the repository. */
  readonly sizes: ReadonlyMap<string, number>;
  /** The SHA-256 of each hashed file. Any other content means that a file has changed since. */
  readonly contents: ReadonlySet<Sha256>;
  readonly progress: SharedProgress;
  readonly patience: UploadPatience;
}

/**
 * Returns the `fetch` for `@huggingface/hub`. It adds what the package lacks: the token (of any form, to the hub's origin
 * only), retries with `Retry-After`, a stall limit, progress, our errors, each content sent once, and size limits.
 */
export function uploadHttp(context: Context, upload: Upload): Http {
  const { hub, patience } = upload;
  const { origin } = new URL(hub.settings.endpoint);
  let inlineBytes = 0;
  const chooseModes = (text: string): Response => {
    const modes = UploadModes.parse(JSON.parse(text));
    for (const file of modes.files) {
      const size = upload.sizes.get(file.path) ?? 0;
      if (file.uploadMode !== "regular" || size === 0) continue;
      if (size > INLINE_FILE_BYTES_MAX || inlineBytes + size > INLINE_TOTAL_BYTES_MAX) {
        file.uploadMode = "lfs";
      } else inlineBytes += size;
    }
    return Response.json(modes);
  };
  return async (input: URL | Request | string, init: RequestInit = {}) => {
    const url = new URL(urlOf(input));
    const isBatch = url.origin === origin && url.pathname.endsWith("/objects/batch");
    const request = isBatch ? { ...init, body: checkBatch(upload, init.body) } : init;
    const response = await withRetry(context, patience.retries, () => send(context, upload, url, request));
    const asksModes = url.origin === origin && url.pathname.includes("/preupload/");
    return asksModes ? chooseModes(await response.text()) : response;
  };
}

async function send(context: Context, upload: Upload, url: URL, init: RequestInit): Promise<Response> {
  const { hub, patience, progress } = upload;
  const { token, endpoint } = hub.settings;
  const isHubs = url.origin === new URL(endpoint).origin;
  const body = init.body;
  const named = body instanceof HashedFileBlob
    ? { verb: "upload", what: body.file.path }
    : { verb: "upload to", what: hub.settings.repoId };
  const signal = AbortSignal.any([context.signal, ...(init.signal ? [init.signal] : [])]);
  using watch = new StallWatch(
    { ...context, signal },
    patience.stallMs,
    () =>
      new TransientError(`Cannot ${actionOf(named)}: no data moved for ${patience.stallMs / 1000} s`, {
        code: "STALLED",
        hint: "check the network, or run again later",
      }),
  );
  const headers = new Headers(init.headers);
  headers.set("user-agent", "model-sync");
  if (isHubs && token !== undefined) headers.set("authorization", `Bearer ${token.reveal()}`);
  let unread: { readonly error: unknown } | undefined;
  const watched = body instanceof HashedFileBlob
    ? body.watched({
      onBytes: (bytes) => {
        watch.beat();
        progress.report(`${body.file.path} ${body.start}`, bytes);
      },
      onFailure: (error) => unread = { error },
    })
    : body;
  const request = { url: url.href, ...named };
  let response: Response;
  try {
    response = await hub.context.http(url, {
      ...init,
      headers,
      signal: watch.signal,
      ...(watched === undefined ? {} : { body: watched }),
    });
    if (response.ok) return await readWhole(response, request);
  } catch (error) {
    if (unread !== undefined) throw diskError(unread.error, actionOf(named));
    throw networkError(error, request, url.host, watch.signal);
  }
  if (isHubs && url.pathname.includes("/commit/") && [409, 412].includes(response.status)) {
    await response.body?.cancel();
    throw new BranchMoved();
  }
  throw await uploadError(context, hub, request, response, isHubs);
}

async function uploadError(
  context: Context,
  hub: Hub,
  request: NamedRequest & { readonly url: string },
  response: Response,
  isHubs: boolean,
): Promise<Error> {
  const error = await statusError(context, request, response);
  if (error instanceof TransientError) return error;
  // Storage refuses an expired address. The next run gets new ones, and skips files that are stored already.
  if (!isHubs) {
    return new FailedError(error.message, { code: "STORAGE_REFUSED", cause: error, hint: "run again" });
  }
  if (response.status === 403) {
    return new AuthenticationError(error.message, {
      code: error.code,
      cause: error,
      hint: `${hub.settings.tokenPlace} needs a token with write access to ${hub.settings.repoId}`,
    });
  }
  return error;
}

/** Reads an answer whole. The package leaves some unread; here, one that breaks off is retried. */
async function readWhole(
  response: Response,
  request: NamedRequest & { readonly url: string },
): Promise<Response> {
  const pieces: Uint8Array<ArrayBuffer>[] = [];
  for await (const piece of readBody(response, request, ANSWER_BYTES_MAX)) pieces.push(new Uint8Array(piece));
  const { status, headers } = response;
  return new Response(pieces.length === 0 ? null : new Blob(pieces), { status, headers });
}

/**
 * Returns the request for an LFS batch with each content once.
 *
 * @throws {RefusedError} code `FILE_CHANGED` if one was not hashed
 */
function checkBatch({ contents }: Upload, body: BodyInit | null | undefined): string {
  const batch = LfsBatch.parse(JSON.parse(typeof body === "string" ? body : ""));
  if (batch.objects.some(({ oid }) => !contents.has(oid))) {
    throw new RefusedError("Cannot upload the models: one of them changed while it was being published", {
      code: "FILE_CHANGED",
      hint: "wait until the training has ended, then run again",
    });
  }
  return JSON.stringify({
    ...batch,
    objects: [...new Map(batch.objects.map((one) => [one.oid, one])).values()],
  });
}
