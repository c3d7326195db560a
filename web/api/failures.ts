import { quote } from "../../lib/core/quote.ts";
import type { Denial } from "../access/refusals.ts";
import { EVENT_LIMITS, EVENTS_MAX, SEND_LESS } from "../access/read_body.ts";

/** Longer names are cut. */
const NAME_CHARS_MAX = 200;

/** Error answers of the API. */
export const FAILURES = {
  tooManyEvents: (count: number) => ({
    status: 413,
    code: "TOO_MANY_EVENTS",
    message: `Cannot accept ${count} events in one request: the limit is ${EVENTS_MAX}`,
    hint: SEND_LESS,
    limits: EVENT_LIMITS,
  }),
  contentType: {
    status: 415,
    code: "CONTENT_TYPE",
    message: "Cannot accept the request: its content type is not application/cloudevents-batch+json",
    hint: "send a JSON list of CloudEvents with this content type",
  },
  contentEncoding: {
    status: 415,
    code: "CONTENT_ENCODING",
    message: "Cannot accept the request: its body is compressed",
    hint: "send it without Content-Encoding",
    headers: { "accept-encoding": "identity" },
  },
  json: {
    status: 400,
    code: "JSON_INVALID",
    message: "Cannot accept the request: its body is not a JSON list",
    hint: "send a JSON list of CloudEvents, as model-sync does",
  },
  otherNode: (node: string) => ({
    status: 403,
    code: "NODE_REFUSED",
    message: `Cannot accept events of the node ${
      quote(node.slice(0, NAME_CHARS_MAX))
    }: the token belongs to another node`,
    hint: "give this node its own token, or set report.node to the token's name",
  }),
  notWritten: {
    status: 503,
    code: "DATABASE_UNAVAILABLE",
    message: "Cannot store the events: the dashboard's database cannot be written",
    hint: "send them again later; the dashboard's log has the reason",
    headers: { "retry-after": "30" },
  },
  unavailable: {
    status: 503,
    code: "DATABASE_UNAVAILABLE",
    message: "Cannot answer this request: the dashboard's database cannot be read",
    hint: "try again in a moment; the dashboard's log has the reason",
    headers: { "retry-after": "30" },
  },
  query: (message: string, hint: string) => ({
    status: 400,
    code: "QUERY_INVALID",
    message,
    hint,
  }),
  missing: (what: string, hint: string) => ({
    status: 404,
    code: "NOT_FOUND",
    message: `Cannot find ${what}`,
    hint,
  }),
  tooManyReaders: {
    status: 503,
    code: "TOO_MANY_READERS",
    message: "Too many pages are open",
    hint: "try again in a moment",
    headers: { "retry-after": "30" },
  },
  internal: {
    status: 500,
    code: "INTERNAL",
    message: "Cannot answer this request",
    hint: "the dashboard's log has the reason",
  },
} as const satisfies Readonly<Record<string, Denial | ((...args: never[]) => Denial)>>;
