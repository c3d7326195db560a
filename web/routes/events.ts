import { type Context, Hono } from "hono";
import * as z from "zod";
import { messageAndHint } from "../../lib/core/errors.ts";
import { plural } from "../../lib/core/format.ts";
import { BATCH_BYTES_MAX, BATCH_CONTENT_TYPE, nodeOf } from "../../lib/wire/event_names.ts";
import { parseBatch, type ParsedBatch } from "../../lib/wire/parse_batch.ts";
import { type Denial, denialJson, REFUSALS } from "../access/refusals.ts";
import { EVENTS_MAX } from "../access/read_body.ts";
import { mayReport } from "../access/tokens.ts";
import type { Taken } from "../api/answers.ts";
import { FAILURES } from "../api/failures.ts";
import type { App, AppEnv, Dashboard } from "./dashboard.ts";
import { ingest } from "../store/ingest.ts";
import { kvFailure } from "../store/kv_failure.ts";

/**
 * `POST /api/v1/events`: stores a batch of a node's events. Unknown types and invalid events are counted and skipped
 * with a 200, because nodes resend rejected batches: a newer node would never get past such an event. After any other
 * answer than 2xx, nothing may be stored, and the same batch may be sent again.
 */
export function eventRoutes(dashboard: Dashboard): App {
  return new Hono<AppEnv>().post("/api/v1/events", async (context) => {
    const taken = await take(dashboard, context);
    return "status" in taken ? denialJson(taken) : context.json(taken);
  });
}

async function take(dashboard: Dashboard, context: Context<AppEnv>): Promise<Taken | Denial> {
  const token = context.get("nodeToken");
  if (token === undefined) return REFUSALS.nodeToken;
  const items = await readItems(context.req.raw);
  if (!Array.isArray(items)) return items;
  const other = sourcesOf(items).find((node) => !mayReport(token, node));
  if (other !== undefined) return FAILURES.otherNode(other);
  return await store(dashboard, parseBatch(items));
}

/** Returns the items of a request, or why it is rejected. */
async function readItems(request: Request): Promise<unknown[] | Denial> {
  const [type = ""] = (request.headers.get("content-type") ?? "").split(";");
  if (type.trim().toLowerCase() !== BATCH_CONTENT_TYPE) return FAILURES.contentType;
  const encoding = request.headers.get("content-encoding")?.trim().toLowerCase() ?? "";
  if (encoding !== "" && encoding !== "identity") return FAILURES.contentEncoding;
  // The guard has limited its length.
  const body = new Uint8Array(await request.arrayBuffer());
  const items = parseJson(body);
  if (!Array.isArray(items)) return FAILURES.json;
  if (items.length > EVENTS_MAX) return FAILURES.tooManyEvents(items.length);
  return body.length > BATCH_BYTES_MAX ? items.map(withoutOversized) : items;
}

function parseJson(body: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(body));
  } catch {
    return undefined;
  }
}

/**
 * Drops an item that is larger than a batch: no node sends one, and the database allows little more in one operation.
 */
function withoutOversized(item: unknown): unknown {
  return isOversized(item) ? undefined : item;
}

function isOversized(item: unknown): boolean {
  try {
    return new TextEncoder().encode(JSON.stringify(item)).length > BATCH_BYTES_MAX;
  } catch {
    // Nested deeper than the runtime's stack.
    return true;
  }
}

const Sourced = z.object({ source: z.string() });

/** Returns the nodes of all items, including unknown types. */
function sourcesOf(items: readonly unknown[]): string[] {
  const sources = new Set(items.map((item) => Sourced.safeParse(item).data?.source ?? ""));
  return Array.from(sources).flatMap((source) => {
    try {
      const node = nodeOf(source);
      return node === "" ? [] : [node];
    } catch {
      // An event without a valid source is invalid, and belongs to no node.
      return [];
    }
  });
}

async function store(
  dashboard: Dashboard,
  { events, unknownTypes, invalid }: ParsedBatch,
): Promise<Taken | Denial> {
  const { clock, log, live, counts } = dashboard;
  const startMs = clock.monotonicMs();
  try {
    await ingest(dashboard, events);
  } catch (error) {
    counts.failed++;
    log.error(`cannot store ${plural(events.length, "event")}: ${messageAndHint(kvFailure(error) ?? error)}`);
    return FAILURES.notWritten;
  } finally {
    counts.time((clock.monotonicMs() - startMs) / 1000);
  }
  if (events.length > 0) live.poke();
  const taken = { accepted: events.length, unknownTypes, invalid };
  counts.note(taken);
  return taken;
}
