/**
 * Every key of the dashboard's database, with the queries that it serves. Values are rows of [rows.ts](rows.ts) unless
 * the comment says otherwise. Values with unbounded texts are split into parts ([long_value.ts](long_value.ts)),
 * because a value has at most 64 KiB.
 *
 * The first part is the version of this layout. Node names have at most 512 bytes and run ids 765, so keys stay below
 * Deno KV's limit of 2 KiB.
 */

const LAYOUT = "v1";

/** Number of shards: a check for changes is 32 small reads, and then 30 rows for each changed shard of 1,000 nodes. */
export const SHARDS = 32;

/** Sorts after every text and number in a key. */
export const ABOVE = true;

export const keys = {
  /** The last change of a shard: written with every change of its nodes. The value is the name of the changed node. */
  pulse: (shard: number) => [LAYOUT, "pulse", shard],
  pulses: () => [LAYOUT, "pulse"],

  /** The fleet: one {@link NodeRow} a node, with everything that the first page shows. */
  node: (node: string) => [LAYOUT, "node", shardOf(node), node],
  nodesOfShard: (shard: number) => [LAYOUT, "node", shard],
  nodes: () => [LAYOUT, "node"],
  /** A node's newest heartbeat: the wire's data, in parts. */
  heartbeat: (node: string) => [LAYOUT, "heartbeat", node],

  /** A node's runs by start time: {@link RunRow}. `at` is the start, which run ids begin with, too. */
  run: (node: string, at: string, runId: string) => [LAYOUT, "run", node, at, runId],
  runs: (node: string) => [LAYOUT, "run", node],
  allRuns: () => [LAYOUT, "run"],
  /** A run's steps, error and log: the wire's data, in parts. */
  runDetail: (node: string, runId: string) => [LAYOUT, "run_detail", node, runId],
  /** Which nodes have a run of this id, and when it began: {@link RunPlace}. */
  runPlace: (runId: string, node: string) => [LAYOUT, "run_place", runId, node],
  runPlaces: (runId: string) => [LAYOUT, "run_place", runId],
  /** The activity of the fleet: runs that changed something or failed, by their end: {@link RunRow}. */
  news: (at: string, node: string, runId: string) => [LAYOUT, "news", at, node, runId],
  allNews: () => [LAYOUT, "news"],

  /** A release: {@link ReleaseRow}. */
  release: (digest: string) => [LAYOUT, "release", digest],
  /** Releases by when they were first seen. The value is the digest. */
  releaseAt: (at: string, digest: string) => [LAYOUT, "release_at", at, digest],
  releasesByTime: () => [LAYOUT, "release_at"],
  /** A release's files: the wire's list, in parts. */
  releaseFiles: (digest: string) => [LAYOUT, "release_files", digest],
  /** Publications of a release by node, carrier and time: {@link Publication}. */
  publication: (digest: string, node: string, carrier: string, at: string) => [
    LAYOUT,
    "publication",
    digest,
    node,
    carrier,
    at,
  ],
  publications: (digest: string) => [LAYOUT, "publication", digest],
  allPublications: () => [LAYOUT, "publication"],

  /** Activations on a node: {@link Activation}. Each ends the one before it. */
  activation: (node: string, at: string, runId: string) => [LAYOUT, "activation", node, at, runId],
  activations: (node: string) => [LAYOUT, "activation", node],
  allActivations: () => [LAYOUT, "activation"],
  /** Activations of a release: {@link Activation}. */
  activationOf: (digest: string, at: string, node: string, runId: string) => [
    LAYOUT,
    "activation_of",
    digest,
    at,
    node,
    runId,
  ],
  activationsOf: (digest: string) => [LAYOUT, "activation_of", digest],

  /** The course of a release's canary on a node: {@link CanaryCourse}. */
  canary: (digest: string, node: string) => [LAYOUT, "canary", digest, node],
  canaries: (digest: string) => [LAYOUT, "canary", digest],
  allCanaries: () => [LAYOUT, "canary"],
  /** Nodes that have quarantined a release, with the reason: {@link QuarantineNote}. */
  quarantine: (digest: string, node: string) => [LAYOUT, "quarantine", digest, node],
  quarantines: (digest: string) => [LAYOUT, "quarantine", digest],
  allQuarantines: () => [LAYOUT, "quarantine"],

  /** Pull requests of the reference sync: {@link PullRequestRow}. */
  pullRequest: (node: string, repository: string, number: number) => [
    LAYOUT,
    "pull_request",
    node,
    repository,
    number,
  ],
  pullRequests: () => [LAYOUT, "pull_request"],
  pullRequestsOf: (node: string) => [LAYOUT, "pull_request", node],

  /** Incidents by start: {@link IncidentRow}. */
  incident: (at: string, node: string) => [LAYOUT, "incident", at, node],
  incidents: () => [LAYOUT, "incident"],
  /** The open incident of a node: the same {@link IncidentRow} as under its start. */
  openIncident: (node: string) => [LAYOUT, "open_incident", node],
  openIncidents: () => [LAYOUT, "open_incident"],
  /** Incidents of one node by start: the same {@link IncidentRow} again. */
  incidentOf: (node: string, at: string) => [LAYOUT, "incident_of", node, at],
  incidentsOf: (node: string) => [LAYOUT, "incident_of", node],
  /** Closed incidents whose recovery has not been sent to all channels. The value is the node. */
  unsentRecovery: (at: string, node: string) => [LAYOUT, "unsent_recovery", at, node],
  unsentRecoveries: () => [LAYOUT, "unsent_recovery"],
  /** When any instance last checked the nodes: {@link WatchRow}. */
  watch: () => [LAYOUT, "watch"],

  /** Tokens by their hash: {@link TokenRow}. */
  token: (hash: string) => [LAYOUT, "token", hash],
  tokens: () => [LAYOUT, "token"],
  /** {@link SettingsRow} */
  settings: () => [LAYOUT, "settings"],
  /** The key that signs sessions, 32 bytes. Replacing it signs everyone out. */
  sessionKey: () => [LAYOUT, "session_key"],
  /** The number of failed sign-ins of one address in one window. It expires. */
  signIns: (address: string, window: number) => [LAYOUT, "sign_ins", address, window],
  /** How far the history of a store on this machine was stored: a `HistoryCursor`. */
  localHistory: (root: string) => [LAYOUT, "local_history", root],
  /** Removed nodes, and how far their entries are deleted: {@link ForgettingRow}. */
  forgetting: (node: string) => [LAYOUT, "forgetting", node],
  allForgetting: () => [LAYOUT, "forgetting"],
  /** Where the sweep of old entries continues: {@link SweepRow}. */
  sweep: () => [LAYOUT, "sweep"],
} as const;

/** Returns the shard of a node (FNV-1a over UTF-16 units). It never changes, and is the same on every instance. */
export function shardOf(node: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < node.length; index++) {
    hash = Math.imul(hash ^ node.charCodeAt(index), 0x01000193);
  }
  return (hash >>> 0) % SHARDS;
}

/** A name of 128 characters of four bytes. */
const NODE_BYTES_MAX = 512;
/** 255 UTF-16 units of three bytes. */
const RUN_BYTES_MAX = 765;

/** Returns whether a node can be stored under this name: longer names do not fit into keys. */
export function isNodeKey(node: string): boolean {
  return node !== "" && bytesOf(node) <= NODE_BYTES_MAX;
}

/** Returns whether a run can have this id. */
export function isRunKey(runId: string): boolean {
  return runId !== "" && bytesOf(runId) <= RUN_BYTES_MAX;
}

/** Returns whether a text is the digest of a release. */
export function isDigest(text: string): text is `sha256:${string}` {
  return /^sha256:[0-9a-f]{64}$/.test(text);
}

function bytesOf(text: string): number {
  // Far too long texts are not encoded: a UTF-16 unit has at least one byte.
  return text.length > RUN_BYTES_MAX ? Infinity : new TextEncoder().encode(text).length;
}
