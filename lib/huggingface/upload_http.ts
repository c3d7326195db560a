import type * as z from "zod";
import type { Context } from "../core/context.ts";
import {
  AuthenticationError,
  diskError,
  FailedError,
  TransientError,
  UnreachableError,
} from "../core/errors.ts";
import { parseJson } from "../core/json.ts";
import { bearer, readBody, sendRequest } from "../http/request.ts";
import { statusError } from "../http/status_error.ts";
import { actionOf, networkError } from "../http/network_error.ts";
import type { NamedRequest } from "../http/request_types.ts";
import { type RetryPolicy, withRetry } from "../core/retry.ts";
import { StallWatch } from "../http/stall_watch.ts";
import { HashedFileBlob } from "./hashed_file_blob.ts";
import type { Hub } from "./hub.ts";
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

/** The largest answer of the hub, or of its storage. */
const ANSWER_BYTES_MAX = 16 * 1024 * 1024;

/** A request of an upload. */
export interface UploadRequest {
  readonly url: string;
  readonly method: "POST" | "PUT";
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: string | HashedFileBlob | Blob;
  readonly signal: AbortSignal;
}

/** Sends the requests of one upload. */
export interface UploadSender {
  /**
   * Returns the answer, of any content type and complete. The request is repeated after temporary failures.
   *
   * @throws {BranchMoved}; {@link FailedError} code `MODELS_CHANGING`; {@link RefusedError} code `REDIRECT_REFUSED`; {@link
   * AuthenticationError}; {@link UnreachableError}; {@link FailedError} code `STORAGE_REFUSED`
   */
  send(request: UploadRequest): Promise<Response>;
  /** As {@link send}, for an answer of the hub in JSON. @throws {UnreachableError} code `ANSWER_INVALID` */
  ask<Schema extends z.ZodType>(request: UploadRequest, schema: Schema): Promise<z.infer<Schema>>;
}

/** Returns a sender. The token is sent to the hub's origin only. */
export function uploadSender(
  context: Context,
  hub: Hub,
  progress: SharedProgress,
  patience: UploadPatience,
): UploadSender {
  const send = (request: UploadRequest) => {
    const upload = { ...context, signal: request.signal };
    return withRetry(upload, patience.retries, () => sendOnce(upload, { hub, progress, patience }, request));
  };
  return {
    send,
    async ask(request, schema) {
      const answer = schema.safeParse(parseJson(await (await send(request)).text()));
      if (!answer.success) throw notAHub(hub, answer.error);
      return answer.data;
    },
  };
}

/** Returns the error for an answer that no hub gives. */
export function notAHub(hub: Hub, cause?: unknown): UnreachableError {
  return new UnreachableError(
    `Cannot upload to ${hub.settings.repoId}: ${hub.host} did not answer as a hub does`,
    {
      code: "ANSWER_INVALID",
      cause,
      hint: "check HF_ENDPOINT and run again: files that arrived are not sent again",
    },
  );
}

async function sendOnce(
  context: Context,
  { hub, progress, patience }: {
    readonly hub: Hub;
    readonly progress: SharedProgress;
    readonly patience: UploadPatience;
  },
  { url: address, method, headers: given, body }: UploadRequest,
): Promise<Response> {
  const url = new URL(address);
  const { token, endpoint } = hub.settings;
  const isHubs = url.origin === new URL(endpoint).origin;
  const named = body instanceof HashedFileBlob
    ? { verb: "upload", what: body.file.path }
    : { verb: "upload to", what: hub.settings.repoId };
  using watch = new StallWatch(
    context,
    patience.stallMs,
    () =>
      new TransientError(`Cannot ${actionOf(named)}: no data moved for ${patience.stallMs / 1000} s`, {
        code: "STALLED",
        hint: "check the network, or run again later",
      }),
  );
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
    const credentials = token === undefined ? undefined : bearer(endpoint, token);
    const sent = {
      ...request,
      method,
      ...(given === undefined ? {} : { headers: given }),
      body: watched,
      credentials,
    };
    ({ response } = await sendRequest(hub.context, sent, watch.signal));
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

/** Reads an answer whole: one that breaks off is repeated. */
async function readWhole(
  response: Response,
  request: NamedRequest & { readonly url: string },
): Promise<Response> {
  const pieces: Uint8Array<ArrayBuffer>[] = [];
  for await (const piece of readBody(response, request, ANSWER_BYTES_MAX)) pieces.push(new Uint8Array(piece));
  const { status, headers } = response;
  return new Response(pieces.length === 0 ? null : new Blob(pieces), { status, headers });
}
