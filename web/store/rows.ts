import * as z from "zod";
import { Digest } from "../../lib/release/manifest.ts";

/**
 * The values of the dashboard's database. They come from the wire ([schema.ts](../../lib/wire/schema.ts)), whose
 * schemas bound them, and from the dashboard itself. Times are ISO 8601 in UTC. "Received" times are by the dashboard's
 * clock, all others by the node's.
 */

const Time = z.string();

/** The outcome of a run in progress. No node reports it. */
export const RUNNING = "running";

/** A run in lists. */
export const RunRow = z.object({
  node: z.string(),
  runId: z.string(),
  command: z.string(),
  /** As in the node's history, or {@link RUNNING}. */
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
  /** The message may be cut. The run's details have all of it. */
  error: z.object({ code: z.string(), message: z.string() }).optional(),
});
export type RunRow = Readonly<z.infer<typeof RunRow>>;

/** One of a node's last runs, for the strip and for deciding whether the node is late. */
export const StripRun = z.object({
  runId: z.string(),
  command: z.string(),
  outcome: z.string(),
  startedAt: Time,
  durationMs: z.number(),
});
export type StripRun = Readonly<z.infer<typeof StripRun>>;

export const RunPlace = z.object({ startedAt: Time });

/** The short name of a release for lists. */
export const ReleaseName = z.object({ digest: Digest, sequence: z.number().optional() });
export type ReleaseName = Readonly<z.infer<typeof ReleaseName>>;

const Pause = z.object({ since: Time, until: Time.nullable(), reason: z.string().optional() });

/** A role of a daemon with its schedule. */
export const RoleRow = z.object({
  role: z.string(),
  /** When it runs next; `null` for never. */
  next: Time.nullable(),
  /** In words. */
  times: z.array(z.string()),
  timeZone: z.string(),
  splaySeconds: z.number(),
  pause: Pause.nullable(),
});
export type RoleRow = Readonly<z.infer<typeof RoleRow>>;

/** The part of a node's newest heartbeat that the fleet page needs. */
export const Report = z.object({
  /** When the node sent it, by its clock. */
  at: Time,
  receivedAt: Time,
  /** When the daemon's last heartbeat arrived, if the state has been reported without a daemon since. */
  heartbeatAt: Time.optional(),
  version: z.string(),
  configFingerprint: z.string(),
  /** 0 if no daemon of the node has reported. */
  intervalSeconds: z.number(),
  roles: z.array(RoleRow),
  canary: z.object({
    digest: Digest,
    status: z.string(),
    reason: z.string(),
    startedAt: Time,
    leftMs: z.number(),
  }).nullable(),
  /** The newest entries of the quarantine. */
  quarantine: z.array(Digest),
  /** The newest releases that the node knows to be withdrawn. Older nodes do not report it. */
  withdrawn: z.array(Digest).optional(),
  /** The newest killed runs that the node has not recorded yet. Older nodes do not report them. */
  interrupted: z.array(z.object({ command: z.string(), startedAt: Time, step: z.string().nullable() }))
    .optional(),
  freeBytes: z.number().nullable(),
  /** Why consumers do not see the active release, or why the quarantine or canary cannot be read. */
  fault: z.string().nullable(),
});
export type Report = Readonly<z.infer<typeof Report>>;

/** A release that a node published. */
export const PublishedName = z.object({
  digest: Digest,
  sequence: z.number(),
  at: Time,
  /** When its first report arrived. If two nodes claim a digest, it belongs to the first. */
  receivedAt: Time.optional(),
});
export type PublishedName = Readonly<z.infer<typeof PublishedName>>;

/** The active release in the newest report; `null` for none. */
const Said = z.object({ digest: Digest.nullable(), sequence: z.number().optional(), at: Time });
export type Said = Readonly<z.infer<typeof Said>>;

/** A node, with everything that the fleet page shows. */
export const NodeRow = z.object({
  node: z.string(),
  /** `null` before its first event. */
  host: z.string().nullable(),
  /** The time of the event that named the host. */
  hostSaidAt: Time.optional(),
  firstReceivedAt: Time.nullable(),
  /** When the last event arrived that changed the row. A repeated event changes nothing. */
  lastReceivedAt: Time.nullable(),
  report: Report.nullable(),
  /** The active release, and when it was last reported. */
  active: ReleaseName.extend({ saidAt: Time }).nullable(),
  /** The source of `active`, without what `activation` adds. */
  said: Said.optional(),
  /** The last known activation, even if that release is no longer active. */
  activation: z.object({ digest: Digest, sequence: z.number().optional(), at: Time }).nullable(),
  /** The last releases that this node published, newest first. */
  published: z.array(PublishedName),
  /** The last runs that have ended, in the order of their ends, oldest first. */
  strip: z.array(StripRun),
  /** The run that ended last. */
  last: RunRow.nullable(),
  /** Runs in progress, newest first. */
  running: z.array(
    z.object({ runId: z.string(), command: z.string(), startedAt: Time, step: z.string().nullable() }),
  ),
  /** The last run that succeeded. */
  lastSuccessAt: Time.nullable(),
});
export type NodeRow = Readonly<z.infer<typeof NodeRow>>;

export const ReleaseRow = z.object({
  digest: Digest,
  /** The node whose reports count. */
  namedBy: z.string().optional(),
  /** The same node, if it was the first to report having published the release. */
  publisher: z.string().optional(),
  sequence: z.number().optional(),
  /** When the release was first reported, by the clock of the node in `namedBy`. */
  firstAt: Time,
  files: z.number().optional(),
  bytes: z.number().optional(),
  /**
   * What is known about the files. `none`; `claimed`: a node's list that is incomplete or does not match the digest;
   * `proven`: the list matches the digest.
   */
  fileList: z.enum(["none", "claimed", "proven"]),
  /** The carriers that nodes reported. */
  carriers: z.array(z.string()),
  /** The key that signed it, as its publisher reported it. */
  signer: z.string().optional(),
  /** The last word on whether it is withdrawn, from the run of any node that published or followed it. */
  withdrawal: z.object({ state: z.string(), at: Time, reason: z.string().optional() }).optional(),
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

/** The samples of a canary's metric from heartbeats, oldest first. */
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
  /** The time of the last heartbeat of this canary. */
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
  /** The last run's action: `created`, `updated`, `closed`. */
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
  /** A late node that goes down keeps its incident, which becomes `down`. */
  kind: z.enum(["late", "down"]),
  reason: z.string(),
  /**
   * When the node became late or down, as known when the incident opened. All times here are by the dashboard's clock.
   */
  startedAt: Time,
  endedAt: Time.nullable(),
  /** How it ended: the node recovered, or an operator paused or removed it. */
  ending: z.enum(["recovered", "paused", "forgotten"]).nullable(),
  /** The node's last report when the incident opened. A newer report can end the incident. */
  heard: z.string(),
  /** When the first channel accepted its alert; `null` if none has. */
  alertedAt: Time.nullable(),
  /** Hashes of the channels that accepted the alert, and of those that accepted the recovery. */
  alertedTo: z.array(z.string()),
  recoveryAlertedTo: z.array(z.string()),
  /** Until when an instance has claimed the sending of its alert. */
  claimedUntil: Time.nullable(),
});
export type IncidentRow = Readonly<z.infer<typeof IncidentRow>>;

/** How long the dashboard has been checking nodes. */
export const WatchRow = z.object({
  at: Time,
  /** Since when there has been no gap between checks. */
  resumedAt: Time,
});
export type WatchRow = Readonly<z.infer<typeof WatchRow>>;

/** The end of a key after the prefix of its list: the last entry that was visited. */
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

/** The progress of the sweep. */
export const SweepRow = z.object({
  phase: z.enum(SWEEP_PHASES),
  /** `null` at the beginning of the phase. */
  after: Place.nullable(),
  /** When the last round began. */
  beganAt: Time,
  isOver: z.boolean(),
});
export type SweepRow = Readonly<z.infer<typeof SweepRow>>;

/** A node that an operator removed. */
export const ForgettingRow = z.object({
  at: Time,
  /** The list by release that is being swept, and its last finished release. */
  after: Place.nullable(),
});
export type ForgettingRow = Readonly<z.infer<typeof ForgettingRow>>;

/** A token for the API. Only its hash is stored. */
export const TokenRow = z.object({
  id: z.string(),
  /** `node`: reports events of one node. `read`: reads everything that a signed-in person sees. */
  kind: z.enum(["node", "read"]),
  /** The name of the node, or the purpose of the read token. */
  name: z.string(),
  createdAt: Time,
  /** Accurate to an hour. */
  usedAt: Time.nullable(),
});
export type TokenRow = Readonly<z.infer<typeof TokenRow>>;

export const SettingsRow = z.object({
  /** Whether people who are not signed in see node states and release names. */
  isPublic: z.boolean(),
  /** How long runs, incidents and related entries are kept. */
  retentionDays: z.number(),
  /** A scrypt hash; missing if the environment sets the password, or none is needed. */
  passwordHash: z.string().optional(),
});
export type SettingsRow = Readonly<z.infer<typeof SettingsRow>>;
