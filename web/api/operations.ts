import type * as z from "zod";
import { BATCH_CONTENT_TYPE } from "../../lib/wire/event_names.ts";
import * as answers from "./answers.ts";
import { BadgeQuery, FleetQuery, LiveQuery, NodeQuery, RunQuery } from "./queries.ts";

/** Media types with their schemas. Without a schema, the content is text that is not described further. */
export type Media = Readonly<Record<string, { readonly schema?: z.ZodType }>>;

/** One answer of an operation. */
export interface Answer {
  readonly description: string;
  readonly content?: Media;
  readonly headers?: Readonly<Record<string, string>>;
}

/** One method of one address. */
export interface Operation {
  readonly method: "get" | "post";
  /** As OpenAPI writes it: `/api/v1/nodes/{node}`. */
  readonly path: string;
  /** As the router writes it, without patterns: `/api/v1/nodes/:node`. */
  readonly route: string;
  readonly summary: string;
  readonly tag: "reports" | "fleet" | "monitoring" | "pages";
  /** The credentials that are accepted; empty for everyone. */
  readonly security: readonly ("nodeToken" | "readToken" | "session")[];
  /** Whether it also answers people who are not signed in, if the dashboard is public. */
  readonly isPublic?: boolean;
  readonly pathParameters?: Readonly<Record<string, string>>;
  readonly query?: z.ZodObject;
  readonly body?: Media;
  readonly answers: Readonly<Record<number, Answer>>;
}

const READERS = ["session", "readToken"] as const;

function json(schema: z.ZodType): Media {
  return { "application/json": { schema } };
}

function ok(schema: z.ZodType, description: string): Answer {
  return { description, content: json(schema) };
}

function failure(description: string, headers: Readonly<Record<string, string>> = {}): Answer {
  return { description, content: json(answers.Failure), headers };
}

const RETRY = { "Retry-After": "Seconds to wait" };
const WHO = { "WWW-Authenticate": "`Bearer`" };

/** Answers of the guard, for all operations. */
const GUARD = {
  400: failure("The address or the query cannot be read"),
  403: failure("The host name or the proxy is refused because the dashboard has no password"),
  503: failure("No password is set, or the database cannot be read", RETRY),
} as const;

const READ = {
  ...GUARD,
  401: failure("The request has no session and no valid read token", WHO),
  500: failure("The dashboard's log has the reason"),
} as const;

const NODE = "The node's name; its slashes stay slashes, everything else is percent-encoded";

/** The operations for programs. */
export const API_OPERATIONS: readonly Operation[] = [
  {
    method: "post",
    path: "/api/v1/events",
    route: "/api/v1/events",
    summary: "Stores a batch of a node's events",
    tag: "reports",
    security: ["nodeToken"],
    body: { [BATCH_CONTENT_TYPE]: { schema: answers.Batch } },
    answers: {
      ...GUARD,
      200: ok(
        answers.Taken,
        "All events that this version understands are stored. A batch may be sent again",
      ),
      400: failure("The body is not a JSON list"),
      401: failure("The request has no valid node token", WHO),
      403: failure("An event belongs to a node that the token does not cover; nothing was stored"),
      408: failure("The body did not arrive"),
      413: failure("The request has more than 1,000 events or 1 MiB; see `limits`"),
      415: failure("The content type is wrong, or the body is compressed"),
      500: failure("The dashboard's log has the reason"),
      503: failure("The database cannot be written; the same batch can be sent again", RETRY),
    },
  },
  {
    method: "get",
    path: "/api/v1/fleet",
    route: "/api/v1/fleet",
    summary: "Returns every node with its state, by name",
    tag: "fleet",
    security: READERS,
    isPublic: true,
    query: FleetQuery,
    answers: {
      ...READ,
      200: { ...ok(answers.Fleet, "The fleet as it is now"), headers: { ETag: "Changes with the content" } },
      304: { description: "The content still has the `ETag` in `If-None-Match`" },
    },
  },
  {
    method: "get",
    path: "/api/v1/nodes/{node}",
    route: "/api/v1/nodes/:node",
    summary: "Returns a node with its history",
    tag: "fleet",
    security: READERS,
    isPublic: true,
    pathParameters: { node: NODE },
    query: NodeQuery,
    answers: {
      ...READ,
      200: ok(answers.NodeDetails, "The node"),
      404: failure("No node has this name"),
    },
  },
  {
    method: "get",
    path: "/api/v1/runs/{run}",
    route: "/api/v1/runs/:run",
    summary: "Returns a run with its steps, its error and the end of its log",
    tag: "fleet",
    security: READERS,
    pathParameters: { run: "The id of the run" },
    query: RunQuery,
    answers: { ...READ, 200: ok(answers.RunDetails, "The run"), 404: failure("No run has this id") },
  },
  {
    method: "get",
    path: "/api/v1/releases/{digest}",
    route: "/api/v1/releases/:digest",
    summary: "Returns a release: its files, and where it was active",
    tag: "fleet",
    security: READERS,
    isPublic: true,
    pathParameters: { digest: "`sha256:` and 64 hexadecimal digits" },
    answers: { ...READ, 200: ok(answers.Release, "The release"), 404: failure("No node has reported it") },
  },
  {
    method: "get",
    path: "/api/v1/live",
    route: "/api/v1/live",
    summary: "Sends which nodes changed, as server-sent events",
    tag: "fleet",
    security: READERS,
    isPublic: true,
    query: LiveQuery,
    answers: {
      ...READ,
      200: {
        description: "A stream; each event's `data` is JSON with `version` and `nodes`, its id the version",
        content: { "text/event-stream": {} },
      },
      503: failure("Too many pages are open, or the database cannot be read", RETRY),
    },
  },
  {
    method: "get",
    path: "/api/v1/openapi.json",
    route: "/api/v1/openapi.json",
    summary: "Returns this description",
    tag: "fleet",
    security: [],
    answers: {
      400: GUARD[400],
      200: { description: "OpenAPI 3.1", content: { "application/json": {} } },
    },
  },
  {
    method: "get",
    path: "/status.json",
    route: "/status.json",
    summary: "Returns the state of the fleet in a sentence, for monitors",
    tag: "monitoring",
    security: READERS,
    isPublic: true,
    answers: { ...READ, 200: ok(answers.Status, "The state of the fleet") },
  },
  {
    method: "get",
    path: "/healthz",
    route: "/healthz",
    summary: "Checks whether the database answers within two seconds",
    tag: "monitoring",
    security: [],
    answers: {
      400: GUARD[400],
      200: ok(answers.Health, "The database answers"),
      503: failure("The database does not answer", RETRY),
    },
  },
  {
    method: "get",
    path: "/badge/{file}",
    route: "/badge/:file",
    summary: "Returns a badge with the state or the active release of a node",
    tag: "monitoring",
    security: READERS,
    isPublic: true,
    pathParameters: { file: `${NODE}, with \`.svg\` at its end` },
    query: BadgeQuery,
    answers: {
      ...READ,
      200: { description: "The badge", content: { "image/svg+xml": {} } },
      404: { description: "A badge that says `unknown node`", content: { "image/svg+xml": {} } },
    },
  },
  {
    method: "get",
    path: "/metrics",
    route: "/metrics",
    summary: "Returns the metrics of the fleet and of this process for Prometheus",
    tag: "monitoring",
    security: READERS,
    answers: { ...READ, 200: { description: "Text format 0.0.4", content: { "text/plain": {} } } },
  },
  {
    method: "get",
    path: "/incidents.atom",
    route: "/incidents.atom",
    summary: "Returns the incidents as a feed",
    tag: "monitoring",
    security: READERS,
    isPublic: true,
    answers: { ...READ, 200: { description: "Atom", content: { "application/atom+xml": {} } } },
  },
];
