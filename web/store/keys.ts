/**
 * Every key of the dashboard's database, with the queries that it serves. Values are rows of [rows.ts](rows.ts) unless
 * the comment says otherwise. Values with unbounded texts are cut into parts ([long_value.ts](long_value.ts)), because a
 * value holds at most 64 KiB.
 *
 * The first part is the version of this layout. Node names are at most 512 bytes and run ids 765, so that no key comes
 * near Deno KV's limit of 2 KiB.
 */

const LAYOUT = "v1";

/** As many shards as keep a look for what changed small: 32 small reads, and then 30 rows each of 1,000 nodes. */
export const SHARDS = 32;

/** Sorts behind every text and number of a key. */
export const ABOVE = true;

export const keys = {
  /** What changed? One entry a shard, written with every change of its nodes; the value is the last node's name. */
  pulse: (shard: number) => [LAYOUT, "pulse", shard],
  pulses: () => [LAYOUT, "pulse"],

  /** The fleet: one {@link NodeRow} a node, all that the first page shows of it. */
  node: (node: string) => [LAYOUT, "node", shardOf(node), node],
  nodesOfShard: (shard: number) => [LAYOUT, "node", shard],
  nodes: () => [LAYOUT, "node"],
  /** A node's newest heartbeat: the wire's data, in parts. */
  heartbeat: (node: string) => [LAYOUT, "heartbeat", node],

  /** A node's runs by time: {@link RunRow}. Run ids begin with the time, and `at` is the time of their start. */
  run: (node: string, at: string, runId: string) => [LAYOUT, "run", node, at, runId],
  runs: (node: string) => [LAYOUT, "run", node],
  allRuns: () => [LAYOUT, "run"],
  /** A run's steps, error and log: the wire's data, in parts. */
  runDetail: (node: string, runId: string) => [LAYOUT, "run_detail", node, runId],
  /** Which nodes have a run of this id, and when it began: {@link RunPlace}. */
  runPlace: (runId: string, node: string) => [LAYOUT, "run_place", runId, node],
  runPlaces: (runId: string) => [LAYOUT, "run_place", runId],
  /** What happened in the fleet: the runs that changed something or failed, by their end; {@link RunRow}. */
  news: (at: string, node: string, runId: string) => [LAYOUT, "news", at, node, runId],
  allNews: () => [LAYOUT, "news"],

  /** A release: {@link ReleaseRow}. */
  release: (digest: string) => [LAYOUT, "release", digest],
  /** Releases by the time that they were first seen; the value is the digest. */
  releaseAt: (at: string, digest: string) => [LAYOUT, "release_at", at, digest],
  releasesByTime: () => [LAYOUT, "release_at"],
  /** A release's files: the wire's list, in parts. */
  releaseFiles: (digest: string) => [LAYOUT, "release_files", digest],
  /** Which node published a release, over which carrier and when: {@link Publication}. */
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

  /** What was active on a node, from when on: {@link Activation}. The next entry ends it. */
  activation: (node: string, at: string, runId: string) => [LAYOUT, "activation", node, at, runId],
  activations: (node: string) => [LAYOUT, "activation", node],
  allActivations: () => [LAYOUT, "activation"],
  /** Where and when a release was active: {@link Activation}. */
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
  /** Which nodes keep a release in quarantine, and why: {@link QuarantineNote}. */
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

  /** Incidents by their beginning: {@link IncidentRow}. */
  incident: (at: string, node: string) => [LAYOUT, "incident", at, node],
  incidents: () => [LAYOUT, "incident"],
  /** The open incident of a node: {@link IncidentRow}, the same as under its time. */
  openIncident: (node: string) => [LAYOUT, "open_incident", node],
  openIncidents: () => [LAYOUT, "open_incident"],
  /** Incidents of one node by their beginning: {@link IncidentRow}, the same again. */
  incidentOf: (node: string, at: string) => [LAYOUT, "incident_of", node, at],
  incidentsOf: (node: string) => [LAYOUT, "incident_of", node],
  /** Past incidents and whose recovery some channel has not heard of; the value is the node. */
  unsentRecovery: (at: string, node: string) => [LAYOUT, "unsent_recovery", at, node],
  unsentRecoveries: () => [LAYOUT, "unsent_recovery"],
  /** When nodes were last judged, on any instance: {@link WatchRow}. */
  watch: () => [LAYOUT, "watch"],

  /** Tokens by their hash: {@link TokenRow}. */
  token: (hash: string) => [LAYOUT, "token", hash],
  tokens: () => [LAYOUT, "token"],
  /** {@link SettingsRow} */
  settings: () => [LAYOUT, "settings"],
  /** The key that sessions are signed with, 32 bytes. Replacing it signs out all operators. */
  sessionKey: () => [LAYOUT, "session_key"],
  /** Failed sign-ins of one address within one window; a count that expires. */
  signIns: (address: string, window: number) => [LAYOUT, "sign_ins", address, window],
  /** Up to where the history of a store on this machine was taken in: a `HistoryCursor`. */
  localHistory: (root: string) => [LAYOUT, "local_history", root],
  /** Nodes that an operator removed, and how far their entries are: {@link ForgettingRow}. */
  forgetting: (node: string) => [LAYOUT, "forgetting", node],
  allForgetting: () => [LAYOUT, "forgetting"],
  /** Where the sweep of old entries continues: {@link SweepRow}. */
  sweep: () => [LAYOUT, "sweep"],
} as const;

/** Returns the shard of a node: the same on every instance and for ever (FNV-1a over UTF-16 units). */
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

/** Returns whether a node can have this name: longer ones do not fit into keys, so that nothing is stored under them. */
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
  // A UTF-16 unit has at least one byte: what is far too long is not encoded.
  return text.length > RUN_BYTES_MAX ? Infinity : new TextEncoder().encode(text).length;
}
