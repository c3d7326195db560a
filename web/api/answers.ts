import * as z from "zod";
import { Envelope, Finished } from "../../lib/wire/schema.ts";
import { EVENTS_MAX } from "../access/read_body.ts";
import { GROUPS, STATES } from "../fleet/node_view.ts";

/**
 * The answers of the API. The OpenAPI description is generated from these schemas, and answers have their types. Later
 * versions may add fields, which readers ignore. For the public, fields with hosts, paths, errors and reasons are
 * `null` or empty.
 */

const Time = z.string().meta({ format: "date-time", description: "ISO 8601, in UTC" });
const Digest = z.string().regex(/^sha256:[0-9a-f]{64}$/);
const NodeName = z.string().meta({ description: "Untrusted text: escape it" });

const ReleaseName = z.object({ digest: Digest, sequence: z.number().nullable() })
  .meta({ id: "ReleaseName", description: "A release" });

export const Run = z.object({
  node: NodeName,
  runId: z.string().meta({ description: "Empty for the public" }),
  command: z.string(),
  outcome: z.string().meta({
    description: "As in the node's history, or `running`; later versions may add values",
  }),
  startedAt: Time,
  durationMs: z.number(),
  carrier: z.string().nullable(),
  release: Digest.nullable(),
  previous: Digest.nullable(),
  sequence: z.number().nullable(),
  files: z.number().nullable(),
  bytes: z.number().nullable().meta({ description: "The size of the release" }),
  writtenBytes: z.number().nullable(),
  changed: z.number().nullable(),
  error: z.object({ code: z.string(), message: z.string() }).nullable(),
}).meta({ id: "Run", description: "A run of a command on a node" });
export type Run = z.infer<typeof Run>;

export const Node = z.object({
  node: NodeName,
  group: z.enum(GROUPS),
  state: z.object({
    kind: z.enum(STATES),
    since: Time.nullable(),
    reason: z.string().meta({ description: "A sentence; empty for `up` and for the public" }),
  }),
  troubles: z.array(z.object({
    tone: z.enum(["bad", "warn"]),
    kind: z.enum(["down", "late", "failed", "rolled-back", "behind", "fault", "clock"]),
    label: z.string(),
    title: z.string(),
    text: z.string(),
    at: Time,
    command: z.string().nullable().meta({ description: "A command to run on the node" }),
  })).meta({ description: "Problems that need an operator, most urgent first" }),
  host: z.string().nullable(),
  active: ReleaseName.extend({ saidAt: Time }).nullable().meta({
    description: "The active release",
  }),
  lag: z.object({
    publisher: NodeName,
    newest: ReleaseName,
    releases: z.number().nullable().meta({
      description: "Newer releases than the active one; `null` where unknown",
    }),
    isAtLeast: z.boolean(),
    since: Time.nullable(),
  }).nullable(),
  last: Run.nullable(),
  next: z.object({ role: z.string(), at: Time }).nullable(),
  lastReceivedAt: Time.nullable(),
  lastSuccessAt: Time.nullable(),
  clockAheadMs: z.number(),
}).meta({ id: "Node", description: "A node as it is now" });
export type Node = z.infer<typeof Node>;

const Counts = z.object({
  up: z.number(),
  late: z.number(),
  down: z.number(),
  paused: z.number(),
  canary: z.number(),
  "never-reported": z.number(),
}).meta({ id: "Counts", description: "Nodes by state" });
export type Counts = z.infer<typeof Counts>;

export const Status = z.object({
  ok: z.boolean().meta({ description: "`true` if there are nodes and none needs an operator" }),
  sentence: z.string(),
  nodes: z.number(),
  counts: Counts,
}).meta({ id: "Status", description: "The fleet in a sentence" });
export type Status = z.infer<typeof Status>;

export const Fleet = z.object({
  version: z.string().meta({ description: "Grows with every report; the `since` of the live stream" }),
  status: Status,
  newest: z.array(ReleaseName.extend({ publisher: NodeName, at: Time })).meta({
    description: "The newest release of each publisher",
  }),
  nodes: z.array(Node).meta({ description: "By name" }),
  next: z.string().nullable().meta({ description: "The `cursor` of the next page" }),
}).meta({ id: "Fleet", description: "The fleet, filtered" });
export type Fleet = z.infer<typeof Fleet>;

const Period = ReleaseName.extend({
  node: NodeName,
  at: Time,
  until: Time.nullable(),
  runId: z.string(),
  outcome: z.string(),
}).meta({ id: "Period", description: "A period in which a release was active on a node" });
export type Period = z.infer<typeof Period>;

export const NodeDetails = Node.extend({
  report: z.object({
    at: Time,
    receivedAt: Time,
    intervalSeconds: z.number(),
    version: z.string(),
    configFingerprint: z.string(),
    freeBytes: z.number().nullable(),
    fault: z.string().nullable(),
    quarantine: z.array(Digest),
    roles: z.array(z.object({
      role: z.string(),
      next: Time.nullable(),
      times: z.array(z.string()),
      timeZone: z.string(),
      splaySeconds: z.number(),
      pause: z.object({ since: Time, until: Time.nullable(), reason: z.string().nullable() }).nullable(),
    })),
    canary: z.object({
      digest: Digest,
      status: z.string(),
      reason: z.string(),
      startedAt: z.string(),
      leftMs: z.number(),
    }).nullable(),
  }).nullable().meta({ description: "The newest heartbeat; `null` for a machine without a daemon" }),
  running: z.array(z.object({
    runId: z.string(),
    command: z.string(),
    startedAt: Time,
    step: z.string().nullable(),
  })),
  periods: z.array(Period).meta({
    description: "Releases that were active in the last 30 days, oldest first",
  }),
  runs: z.array(Run).meta({ description: "Newest first" }),
  older: z.string().nullable().meta({ description: "The `before` of the next page of runs" }),
}).meta({ id: "NodeDetails", description: "A node with its history" });
export type NodeDetails = z.infer<typeof NodeDetails>;

export const RunDetails = z.object({
  run: Run,
  details: Finished.nullable().meta({
    description: "As the node reported it: steps, the whole error, the end of the log",
  }),
  nodes: z.array(NodeName).meta({ description: "Every node that reported a run of this id" }),
}).meta({ id: "RunDetails", description: "A run with its steps, error and log" });
export type RunDetails = z.infer<typeof RunDetails>;

export const Release = z.object({
  digest: Digest,
  sequence: z.number().nullable(),
  firstAt: Time,
  filesTotal: z.number().nullable(),
  bytes: z.number().nullable(),
  carriers: z.array(z.string()),
  signer: z.string().nullable(),
  withdrawal: z.object({ at: Time, reason: z.string() }).nullable().meta({
    description: "When and why its publisher withdrew it; `null` if it is not withdrawn",
  }),
  fileList: z.enum(["none", "claimed", "proven"]).meta({
    description: "`proven`: the digest of the list is the digest of the release",
  }),
  files: z.array(z.object({ path: z.string(), size: z.number(), sha256: z.string() })),
  publications: z.array(z.object({
    node: NodeName,
    at: Time,
    runId: z.string(),
    carrier: z.string().nullable(),
    revision: z.string().nullable(),
    previous: Digest.nullable(),
  })),
  active: z.array(Period).meta({ description: "Periods in which the release was active, newest first" }),
  quarantines: z.array(z.object({ node: NodeName, reason: z.string(), at: z.string() })),
  canaries: z.array(z.object({
    node: NodeName,
    previous: Digest,
    runId: z.string(),
    status: z.string(),
    reason: z.string(),
    startedAt: z.string(),
    concludedAt: z.string().nullable(),
    metrics: z.array(z.object({
      name: z.string(),
      direction: z.string().nullable(),
      baseline: z.number().nullable(),
      maxDegradation: z.number().nullable(),
      catastrophic: z.number().nullable(),
      samples: z.array(z.object({ at: z.string(), value: z.number().nullable() })),
    })),
  })),
}).meta({ id: "Release", description: "A release: its files, and where it was active" });
export type Release = z.infer<typeof Release>;

export const Taken = z.object({
  accepted: z.number(),
  unknownTypes: z.number().meta({ description: "Events of unknown types, which were skipped" }),
  invalid: z.number().meta({ description: "Items that are not valid events, which were skipped" }),
}).meta({ id: "Taken", description: "The result of a batch" });
export type Taken = z.infer<typeof Taken>;

export const Health = z.object({ ok: z.literal(true) }).meta({
  id: "Health",
  description: "The dashboard and its database answer",
});

export const Failure = z.object({
  error: z.object({
    code: z.string().meta({ description: "Stable, for programs" }),
    message: z.string(),
    hint: z.string().meta({ description: "What to do next" }),
    limits: z.object({ events: z.number(), bytes: z.number() }).optional().meta({
      description: "With 413: the limits of one request",
    }),
  }),
}).meta({ id: "Failure", description: "Why the request failed" });
export type Failure = z.infer<typeof Failure>;

/** The request body of nodes. */
export const Batch = z.array(
  Envelope.extend({ data: z.record(z.string(), z.unknown()) }).meta({
    id: "Event",
    description: "A CloudEvent 1.0; `data` depends on `type`",
  }),
).max(EVENTS_MAX).meta({ id: "Batch", description: "Events of one node, in any order" });

/** All schemas in the description. */
export const SCHEMAS = {
  Fleet,
  NodeDetails,
  RunDetails,
  Release,
  Status,
  Health,
  Taken,
  Failure,
  Batch,
} as const;
