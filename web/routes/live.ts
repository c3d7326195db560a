import { Hono } from "hono";
import { denialJson } from "../access/refusals.ts";
import { FAILURES } from "../api/failures.ts";
import type { App, AppEnv, Dashboard } from "./dashboard.ts";
import type { LiveMessage } from "./live_feed.ts";

/** Proxies close connections that are silent for half a minute. */
const KEEP_ALIVE_MS = 20_000;

/** A minute: then the page connects again, and the guard checks again whether its reader may see it. */
const BEATS_MAX = 3;

/** How soon a page connects again: the instance that served it may just have been stopped. */
const RECONNECT_MS = 2_000;

/** Messages that a page has not taken yet: a page that is slower connects again, and goes on from what it knows. */
const UNREAD_MAX = 100;

/** Names of more nodes than this are not worth sending: the page looks at everything. */
const NODES_MAX = 200;

/**
 * `GET /api/v1/live`: server-sent events that name the nodes that changed. An event's id is the version of the fleet, so
 * that a page that reconnects, also to another instance, misses nothing.
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
        // The other end may have gone a moment ago.
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

/** What the public sees of names is made for pages: it looks at everything again. */
function eventText({ version, nodes }: LiveMessage, namesNodes: boolean): string {
  const named = namesNodes && nodes !== undefined && nodes.length <= NODES_MAX ? nodes : null;
  return `id: ${version}\ndata: ${JSON.stringify({ version, nodes: named })}\n\n`;
}
