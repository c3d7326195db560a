import type { Clock } from "../../lib/core/clock.ts";
import { concatenate } from "../../lib/core/concatenate.ts";
import { neverAborted } from "../../lib/core/context.ts";
import { withDeadline } from "../../lib/core/deadline.ts";
import { formatBytes } from "../../lib/core/format.ts";
import type { Context } from "hono";
import type { AccessEnv } from "./visit.ts";

/** The largest batch of events: twice what a node sends at once (`BATCH_BYTES_MAX`). */
export const EVENTS_BYTES_MAX = 1024 * 1024;
/** The longest form contains a password or the name of a node. */
export const FORM_BYTES_MAX = 16 * 1024;
/** A batch over a slow line takes a few seconds. A client that sends a byte a minute must not hold memory for days. */
const BODY_MS_MAX = 30_000;

/**
 * Returns a request's body. At most `bytesMax` and one chunk are read, for at most 30 seconds, whatever
 * `Content-Length` says. A request that declares too much is rejected immediately.
 */
export async function readBody(
  request: Request,
  bytesMax: number,
  clock: Clock,
): Promise<Uint8Array<ArrayBuffer> | "too long" | "broken off"> {
  const declared = Number(request.headers.get("content-length") ?? "0");
  if (!(declared <= bytesMax)) {
    await request.body?.cancel();
    return "too long";
  }
  const { body } = request;
  if (body === null) return new Uint8Array();
  try {
    return await withDeadline(
      // The body of a disconnected client fails by itself.
      { clock, signal: neverAborted() },
      BODY_MS_MAX,
      () => new DOMException("the body takes too long", "TimeoutError"),
      (signal) => readPieces(body, bytesMax, signal),
    );
  } catch {
    // The client disconnected or took too long. The runtime's errors for that differ.
    return "broken off";
  }
}

async function readPieces(
  stream: ReadableStream<Uint8Array<ArrayBuffer>>,
  bytesMax: number,
  signal: AbortSignal,
): Promise<Uint8Array<ArrayBuffer> | "too long"> {
  const reader = stream.getReader();
  // A stream that fails while it is cancelled has ended, as intended.
  const cancel = () => reader.cancel().catch(() => {});
  signal.addEventListener("abort", cancel, { once: true });
  const pieces: Uint8Array<ArrayBuffer>[] = [];
  let length = 0;
  for (;;) {
    const { done, value } = await reader.read();
    signal.throwIfAborted();
    if (done) break;
    length += value.length;
    if (length > bytesMax) {
      await cancel();
      return "too long";
    }
    pieces.push(value);
  }
  signal.removeEventListener("abort", cancel);
  return concatenate(pieces);
}

/** Events per request: twice what a node sends (`BATCH_EVENTS_MAX`). */
export const EVENTS_MAX = 1_000;

/** The limits of a request with events. */
export const EVENT_LIMITS = { events: EVENTS_MAX, bytes: EVENTS_BYTES_MAX } as const;

/** The hint for a request above the limits. */
export const SEND_LESS = `send at most ${EVENTS_MAX} events and ${formatBytes(EVENTS_BYTES_MAX)} at once`;

/**
 * Returns the fields of a submitted form; `undefined` for another content type. The guard has already limited the body.
 */
export async function formFields(c: Context<AccessEnv>): Promise<URLSearchParams | undefined> {
  const type = (c.req.header("content-type") ?? "").split(";")[0]?.trim().toLowerCase();
  return type === "application/x-www-form-urlencoded" ? new URLSearchParams(await c.req.text()) : undefined;
}
