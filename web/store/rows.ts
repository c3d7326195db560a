import { z } from "zod";
import { Digest } from "../../lib/release/manifest.ts";

/**
 * The values of the dashboard's database. They come from the wire ([schema.ts](../../lib/wire/schema.ts)), which has
 * bounded them, and from the dashboard itself. Times are ISO 8601 in UTC. "Received" is the dashboard's clock, everything
 * else the node's.
 */

const Time = z.string();

/** A run that has not ended: no node reports this outcome. */
export const RUNNING = "running";

/** A run in lists. */
export const RunRow = z.object({
  node: z.string(),
  runId: z.string(),
  command: z.string(),
  /** As the node's history has it, or {@link RUNNING}. */
  outcome: z.string(),
  startedAt: Time,
  durationMs: z.number(),
  carrier: z.string().optional(),
  release: Digest.optional(),
  previous: Digest.optional(),
  sequence: z.number().optional(),
  files: z.number().optional(),
  bytes: z.number().optional(),
  writtenBytes: z.number().optional(),
  changed: z.number().optional(),
  /** The message is cut: the whole one is in the run's details. */
  error: z.object({ code: z.string(), message: z.string() }).optional(),
});
export type RunRow = Readonly<z.infer<typeof RunRow>>;

/** One of the last runs of a node, as the strip and the judgement of lateness need it. */
export const StripRun = z.object({
  runId: z.string(),
  command: z.string(),
  outcome: z.string(),
  startedAt: Time,
  durationMs: z.number(),
});
export type StripRun = Readonly<z.infer<typeof StripRun>>;

export const RunPlace = z.object({ startedAt: Time });

/** A release, as short as a list names it. */
export const ReleaseName = z.object({ digest: Digest, sequence: z.number().optional() });
export type ReleaseName = Readonly<z.infer<typeof ReleaseName>>;

const Pause = z.object({ since: Time, until: Time.nullable(), reason: z.string().optional() });

/** A role of a daemon with what it says of its schedule. */
export const RoleRow = z.object({
  role: z.string(),
  /** When it runs next; `null` for never. */
  next: Time.nullable(),
  /** In words, at most a few. */
  times: z.array(z.string()),
  timeZone: z.string(),
  splaySeconds: z.number(),
  pause: Pause.nullable(),
});
export type RoleRow = Readonly<z.infer<typeof RoleRow>>;

/** What a node's newest heartbeat says, as the fleet needs it. */
export const Report = z.object({
  /** When the node made it, by its clock, and when it arrived. */
  at: Time,
  receivedAt: Time,
  /** When the last heartbeat of its daemon arrived, where the state was reported without a daemon since. */
  heartbeatAt: Time.optional(),
  version: z.string(),
  configFingerprint: z.string(),
  /** 0 for a node that has not been heard to have a daemon. */
  intervalSeconds: z.number(),
  roles: z.array(RoleRow),
  canary: z.object({
    digest: Digest,
    status: z.string(),
    reason: z.string(),
    startedAt: Time,
    leftMs: z.number(),
  }).nullable(),
  /** The newest of the quarantine. */
  quarantine: z.array(Digest),
  freeBytes: z.number().nullable(),
  /** Why consumers do not see the active release, or the quarantine or canary cannot be read. */
  fault: z.string().nullable(),
});
export type Report = Readonly<z.infer<typeof Report>>;

/** A release that a node published. */
export const PublishedName = z.object({
  digest: Digest,
  sequence: z.number(),
  at: Time,
  /** When the first report of it arrived: of two nodes that claim one digest, the first has it. */
  receivedAt: Time.optional(),
});
export type PublishedName = Readonly<z.infer<typeof PublishedName>>;

/** What the newest run or heartbeat says is active; `null` for no release. */
const Said = z.object({ digest: Digest.nullable(), sequence: z.number().optional(), at: Time });
export type Said = Readonly<z.infer<typeof Said>>;

/** A node: all that the fleet page shows of it. */
export const NodeRow = z.object({
  node: z.string(),
  /** `null` before its first event. */
  host: z.string().nullable(),
  /** The time of the event that named the host. */
  hostSaidAt: Time.optional(),
  firstReceivedAt: Time.nullable(),
  /** When the last event arrived that changed the row; an event that is sent again changes nothing. */
  lastReceivedAt: Time.nullable(),
  report: Report.nullable(),
  /** The release that consumers of this node see, and when a run or heartbeat last said so. */
  active: ReleaseName.extend({ saidAt: Time }).nullable(),
  /** What `active` is made of, without what `activation` adds. */
  said: Said.optional(),
  /** The last activation that is known, also of a release that is no longer active. */
  activation: z.object({ digest: Digest, sequence: z.number().optional(), at: Time }).nullable(),
  /** What this node published last, newest first. */
  published: z.array(PublishedName),
  /** The last runs that have ended, by their end, oldest first. */
  strip: z.array(StripRun),
  /** The run that ended last. */
  last: RunRow.nullable(),
  /** Runs that have begun and not ended, newest first. */
  running: z.array(
    z.object({ runId: z.string(), command: z.string(), startedAt: Time, step: z.string().nullable() }),
  ),
  /** The last run that succeeded. */
  lastSuccessAt: Time.nullable(),
});
export type NodeRow = Readonly<z.infer<typeof NodeRow>>;

export const ReleaseRow = z.object({
  digest: Digest,
  /** The node whose word counts. */
  namedBy: z.string().optional(),
  /** The same, where it is the one that first reported having published the release. */
  publisher: z.string().optional(),
  sequence: z.number().optional(),
  /** When the dashboard first heard of it, by the clock of the node that named it. */
  firstAt: Time,
  files: z.number().optional(),
  bytes: z.number().optional(),
  /**
   * What is known of the files: `none`; `claimed` by a node, as of a release with more files than an event lists; or
   * `proven`: they give the digest.
   */
  fileList: z.enum(["none", "claimed", "proven"]),
  /** How it travelled, as far as nodes said. */
  carriers: z.array(z.string()),
  /** The key that signed it, as its publisher named it. */
  signer: z.string().optional(),
});
export type ReleaseRow = Readonly<z.infer<typeof ReleaseRow>>;

export const Publication = z.object({
  node: z.string(),
  at: Time,
  runId: z.string(),
  carrier: z.string().optional(),
  revision: z.string().optional(),
  previous: Digest.optional(),
});
export type Publication = Readonly<z.infer<typeof Publication>>;

export const Activation = z.object({
  node: z.string(),
  digest: Digest,
  previous: Digest.optional(),
  sequence: z.number().optional(),
  at: Time,
  runId: z.string(),
  outcome: z.string(),
});
export type Activation = Readonly<z.infer<typeof Activation>>;

/** What heartbeats said of one metric of a canary, oldest first. */
export const MetricCourse = z.object({
  name: z.string(),
  direction: z.string().nullable(),
  baseline: z.number().nullable(),
  maxDegradation: z.number().nullable(),
  catastrophic: z.number().nullable(),
  samples: z.array(z.object({ at: Time, value: z.number().nullable() })),
});
export type MetricCourse = Readonly<z.infer<typeof MetricCourse>>;

export const CanaryCourse = z.object({
  node: z.string(),
  digest: Digest,
  previous: Digest,
  runId: z.string(),
  status: z.string(),
  reason: z.string(),
  startedAt: Time,
  concludedAt: Time.nullable(),
  /** The heartbeat that said so. */
  saidAt: Time,
  metrics: z.array(MetricCourse),
});
export type CanaryCourse = Readonly<z.infer<typeof CanaryCourse>>;

export const QuarantineNote = z.object({ node: z.string(), reason: z.string(), at: Time, saidAt: Time });
export type QuarantineNote = Readonly<z.infer<typeof QuarantineNote>>;

export const PullRequestRow = z.object({
  repository: z.string(),
  number: z.number(),
  url: z.string().optional(),
  /** What the last run that named it did with it: `created`, `updated`, `closed`. */
  outcome: z.string(),
  changes: z.number(),
  node: z.string(),
  runId: z.string(),
  firstAt: Time,
  at: Time,
});
export type PullRequestRow = Readonly<z.infer<typeof PullRequestRow>>;

export const IncidentRow = z.object({
  node: z.string(),
  /** A late node that goes down has one incident, which is `down` from then on. */
  kind: z.enum(["late", "down"]),
  reason: z.string(),
  /** By the dashboard's clock, as are all times here: since when the node was late or down as it opened. */
  startedAt: Time,
  endedAt: Time.nullable(),
  /** How it ended: the node works again, an operator paused or removed it. */
  ending: z.enum(["recovered", "paused", "forgotten"]).nullable(),
  /** What had last been heard of the node when the incident began: it ends with news. */
  heard: z.string(),
  /** When the first channel took its alert; `null` where none has. */
  alertedAt: Time.nullable(),
  /** The channels that have taken the alert, and the one of its end; hashes. */
  alertedTo: z.array(z.string()),
  recoveryAlertedTo: z.array(z.string()),
  /** Until when an instance has taken it on to send an alert. */
  claimedUntil: Time.nullable(),
});
export type IncidentRow = Readonly<z.infer<typeof IncidentRow>>;

/** How long the dashboard has been watching. */
export const WatchRow = z.object({
  at: Time,
  /** Since when it has looked without a pause. */
  resumedAt: Time,
});
export type WatchRow = Readonly<z.infer<typeof WatchRow>>;

/** The end of a key, after the prefix of a list: the last entry that was looked at. */
export const Place = z.array(z.union([z.string(), z.number()])).readonly();
export type Place = z.infer<typeof Place>;

export const SWEEP_PHASES = [
  "runs",
  "activations",
  "news",
  "incidents",
  "pull-requests",
  "canaries",
  "quarantine",
  "releases",
] as const;
export type SweepPhase = (typeof SWEEP_PHASES)[number];

/** How far the sweep of old entries is. */
export const SweepRow = z.object({
  phase: z.enum(SWEEP_PHASES),
  /** `null` at the beginning of the phase. */
  after: Place.nullable(),
  /** When the last round began; a round that is over has no phase left. */
  beganAt: Time,
  isOver: z.boolean(),
});
export type SweepRow = Readonly<z.infer<typeof SweepRow>>;

/** A node that an operator removed. */
export const ForgettingRow = z.object({
  at: Time,
  /** Of the lists by release: which, and the last release of it that is done. */
  after: Place.nullable(),
});
export type ForgettingRow = Readonly<z.infer<typeof ForgettingRow>>;

/** A token for the API; only its hash is kept. */
export const TokenRow = z.object({
  id: z.string(),
  /** `node`: reports events of one node. `read`: reads everything that a person who signed in sees. */
  kind: z.enum(["node", "read"]),
  /** The node, or the purpose. */
  name: z.string(),
  createdAt: Time,
  /** Within an hour. */
  usedAt: Time.nullable(),
});
export type TokenRow = Readonly<z.infer<typeof TokenRow>>;

export const SettingsRow = z.object({
  /** Whether people who did not sign in see states and release names. */
  isPublic: z.boolean(),
  /** How long runs, incidents and what belongs to them stay. */
  retentionDays: z.number(),
  /** A scrypt hash; missing where the environment holds the password, or none is needed. */
  passwordHash: z.string().optional(),
});
export type SettingsRow = Readonly<z.infer<typeof SettingsRow>>;
