import { Hono } from "hono";
import { denialJson } from "../access/refusals.ts";
import { FAILURES } from "../api/failures.ts";
import type { App, AppEnv, Dashboard } from "./dashboard.ts";
import type { LiveMessage } from "./live_feed.ts";

/** Shorter than the half a minute after which proxies close silent connections. */
const KEEP_ALIVE_MS = 20_000;

/** Beats until a stream ends, after a minute. The page then reconnects, and the guard checks access again. */
const BEATS_MAX = 3;

/** Delay before a page reconnects: its instance may just have stopped. */
const RECONNECT_MS = 2_000;

/** Unread messages after which a stream ends. A slow page reconnects and continues from its version. */
const UNREAD_MAX = 100;

/** With more changed nodes than this, the page refreshes without a list. */
const NODES_MAX = 200;

/**
 * `GET /api/v1/live`: server-sent events with the names of changed nodes. An event's id is the version of the fleet, so
 * that a page that reconnects misses nothing, even on another instance.
 */
export function liveRoutes(dashboard: Dashboard): App {
  return new Hono<AppEnv>().get("/api/v1/live", (context) => {
    const since = context.req.header("last-event-id") ?? context.req.query("since") ?? "";
    const stream = liveStream(dashboard, VERSION.test(since) ? since : "", context.var.viewer === "operator");
    if (stream === undefined) return denialJson(FAILURES.tooManyReaders);
    return new Response(stream, {
      headers: {
        "content-type": "text/event-stream",
        "cache-control": "no-store",
        "x-accel-buffering": "no",
      },
    });
  });
}

/** A versionstamp. */
const VERSION = /^[0-9a-f]{20}$/;

function liveStream(
  { live, clock }: Dashboard,
  since: string,
  namesNodes: boolean,
): ReadableStream<Uint8Array> | undefined {
  const ending = new AbortController();
  const encoder = new TextEncoder();
  let isFull = false;
  const stream = new ReadableStream<Uint8Array>({
    start(controller) {
      const send = (text: string) => {
        // The page may have disconnected a moment ago.
        if (ending.signal.aborted) return;
        if ((controller.desiredSize ?? 0) < -UNREAD_MAX) return end();
        controller.enqueue(encoder.encode(text));
      };
      const end = () => {
        ending.abort();
        controller.close();
      };
      send(`retry: ${RECONNECT_MS}\n\n`);
      isFull = !live.subscribe({
        version: since,
        isOperator: namesNodes,
        signal: ending.signal,
        send: (message) => send(eventText(message, namesNodes)),
        end,
      });
      keepAlive(clock, ending.signal, () => send(": still here\n\n"), end);
    },
    cancel() {
      ending.abort();
    },
  });
  if (!isFull) return stream;
  ending.abort();
  return undefined;
}

async function keepAlive(
  clock: Dashboard["clock"],
  signal: AbortSignal,
  send: () => void,
  end: () => void,
): Promise<void> {
  for (let beat = 0; beat < BEATS_MAX && !signal.aborted; beat++) {
    await clock.sleep(KEEP_ALIVE_MS, signal).catch(() => {});
    send();
  }
  if (!signal.aborted) end();
}

/** Returns the text of an event. The public gets no names, and its pages refresh after every change. */
function eventText({ version, nodes }: LiveMessage, namesNodes: boolean): string {
  const named = namesNodes && nodes !== undefined && nodes.length <= NODES_MAX ? nodes : null;
  return `id: ${version}\ndata: ${JSON.stringify({ version, nodes: named })}\n\n`;
}
