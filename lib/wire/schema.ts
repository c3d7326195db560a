import * as z from "zod";
import { EVENT_TYPES, LISTED_FILES_MAX, nodeOf, sourceOf } from "./event_names.ts";

/**
 * The events that a node reports to a dashboard: CloudEvents 1.0 in JSON batch mode
 * (https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md). Nodes and the dashboard share
 * this file, so it imports only Zod and [names](event_names.ts), and uses no Deno API.
 *
 * Compatibility: readers ignore unknown fields and skip unknown event types. A change that old readers would
 * misunderstand gets a new type with the next number at its end. Outcomes, roles and commands are plain strings,
 * because later versions may add some.
 */

/** Paths and quoted errors, with the bound of the node's records. */
const TEXT_CHARS_MAX = 4_096;
/** Names of hosts, commands, steps and codes; the longest name of a host has 255. */
const NAME_CHARS_MAX = 255;
/** A name of 128 characters, each of them percent-encoded as four bytes. */
const SOURCE_CHARS_MAX = 128 * 12;
/** The phase, a run id and the name of a repository. */
const ID_CHARS_MAX = 2 * SOURCE_CHARS_MAX;
/** The bound of entries by role. There are six roles. */
const ROLES_MAX = 20;
/** The bound of steps. A run has about ten; a retry repeats some. */
const STEPS_MAX = 100;
/** The bound of releases in a store, as of the setting `keep`. The quarantine has a tenth of it. */
const RELEASES_MAX = 10_000;
/** The bound of lists that people write by hand: metrics of a canary, times of a schedule, windows, repositories. */
const LISTED_MAX = 100;

/** JSON can hold half of a surrogate pair, which no address of a page can. */
const WellFormed = z.string().overwrite((text) => text.toWellFormed());
const Text = WellFormed.max(TEXT_CHARS_MAX);
const Name = WellFormed.min(1).max(NAME_CHARS_MAX);
const Role = z.string().regex(/^[a-z][a-z0-9_]{0,39}$/);
const Count = z.number().min(0).max(Number.MAX_SAFE_INTEGER);
const Time = z.iso.datetime({ offset: true }).max(40);
const Digest = z.custom<`sha256:${string}`>((value) =>
  typeof value === "string" && /^sha256:[0-9a-f]{64}$/.test(value)
);

function listOf<Item extends z.ZodType>(item: Item, max: number) {
  return z.array(item).max(max).readonly();
}

function byRole<Value extends z.ZodType>(value: Value) {
  return z.record(Role, value).refine((entries) => Object.keys(entries).length <= ROLES_MAX).readonly();
}

const OtherWriter = z.object({ revision: Text, author: Text, subject: Text, described: Text });

/** A pull request of the reference sync. */
const PullRequest = z.object({
  repository: Name,
  number: Count.optional(),
  url: Text.optional(),
  outcome: Name,
  /** The number of models that it changes. */
  changes: Count,
});
export type PullRequest = Readonly<z.infer<typeof PullRequest>>;

/** The change of a withdrawal, as a publisher made it. */
const Withdrawal = z.object({ digest: Digest, state: Name, at: Time, reason: Text.optional() });
export type WithdrawalNote = Readonly<z.infer<typeof Withdrawal>>;

/** A run that has ended: a line of the node's history. */
const Run = z.object({
  runId: Name,
  command: Name,
  outcome: Name,
  startedAt: Time,
  durationMs: Count,
  host: Name,
  carrier: Name.optional(),
  revision: Text.optional(),
  /** The release that is active or published after the run, and the previous one. */
  release: Digest.optional(),
  previous: Digest.optional(),
  otherWriter: OtherWriter.optional(),
  sequence: Count.optional(),
  files: Count.optional(),
  /** The size of the release. */
  bytes: Count.optional(),
  /** The bytes that the run downloaded, sent or wrote. */
  writtenBytes: Count.optional(),
  changed: Count.optional(),
  /** The hint of the key with which the run signed the release, or verified its signature. */
  signer: Name.optional(),
  /** The change of a withdrawal that the run published, or because of which it rolled back. */
  withdrawal: Withdrawal.optional(),
  /** The steps, with times from the start of the run. Steps may overlap. */
  steps: listOf(z.object({ name: Name, startMs: Count, durationMs: Count }), STEPS_MAX).optional(),
  pullRequests: listOf(PullRequest, LISTED_MAX).optional(),
  error: z.object({ code: Name, message: Text, hint: Text.optional(), exitCode: Count.optional() })
    .optional(),
  /** The last lines of the log, if the run failed. */
  log: listOf(Text, LISTED_MAX).optional(),
});
export type Run = Readonly<z.infer<typeof Run>>;

/** A release, without its files. */
const StatusRelease = z.object({
  digest: Digest,
  sequence: Count,
  createdAt: Time,
  files: Count,
  bytes: Count,
});
export type StatusRelease = Readonly<z.infer<typeof StatusRelease>>;

const Value = z.number().nullable();

const CanaryMetric = z.object({
  name: Text,
  /** The better direction; `null` when the configuration no longer names the metric. */
  direction: Name.nullable(),
  /** `null` when there is none: `baselineMissing` says why. */
  baseline: Value,
  baselineMissing: Text.nullable(),
  last: Value,
  /** Why the last sample was not a number; `null` when it was one, or there is none. */
  lastMissing: Text.nullable(),
  lastAt: Text.nullable(),
  /**
   * The change from the baseline to the last sample, as a part of the baseline; a difference for a baseline of zero.
   */
  change: Value,
  maxDegradation: Value,
  catastrophic: Value,
  failures: Count,
});

const Canary = z.object({
  digest: Digest,
  previous: Digest,
  sequence: Count,
  runId: Name,
  status: Name,
  reason: Text,
  startedAt: Text,
  statusSince: Text,
  concludedAt: Text.nullable(),
  watchedMs: Count,
  /** The remaining time: unchanged while paused, and 0 after the verdict. */
  leftMs: Count,
  intervalMs: Count,
  rounds: Count,
  /** Whether it is paused for want of a baseline: an operator has to promote or abort it. */
  waitsForOperator: z.boolean(),
  failureLimit: Count,
  metrics: listOf(CanaryMetric, LISTED_MAX),
});
/** The canary of a release: what `model-sync canary status --json` prints. */
export type CanaryDescription = Readonly<z.infer<typeof Canary>>;
export type MetricDescription = CanaryDescription["metrics"][number];

const Quarantined = z.object({
  digest: Digest,
  sequence: Count,
  reason: Text,
  at: Text,
  wasLeft: z.boolean().optional(),
  isWithdrawn: z.boolean().optional(),
});

/** A role that an operator paused. */
const Pause = z.object({
  since: Time,
  /** `null` when it stays paused until it is resumed. */
  until: Time.nullable(),
  /** The machine on which it was paused. */
  host: Name,
  reason: Text.optional(),
});

/** The schedule of a role. */
const Schedule = z.object({
  /** Times of day and cron expressions as configured, or `every 15 minutes`. */
  times: listOf(Text, LISTED_MAX),
  /** An IANA name. */
  timeZone: Name,
  /** The longest delay after a due time: each machine draws its own. */
  splaySeconds: Count,
  /** The age up to which a missed due time is caught up with: 0 for never, `null` for always. */
  catchUpSeconds: Count.nullable(),
  /** Windows in which no run starts: each opens at the times of a cron expression, for a duration. */
  deny: listOf(z.object({ start: Text, seconds: Count }), LISTED_MAX),
  paused: Pause.nullable(),
});
export type Schedule = Readonly<z.infer<typeof Schedule>>;

/** A run that has not ended. */
const RunningRun = z.object({ runId: Name, command: Name, startedAt: Time, step: Name.nullable() });
export type RunningRun = Readonly<z.infer<typeof RunningRun>>;

/** A role of a running daemon. `since` is `unknown` when the disk was full. */
const Daemon = z.object({ role: Role, pid: Count, host: Name, since: Name });

/** The state of one model folder, as `model-sync status --json` prints it and heartbeats carry it. */
export const Status = z.object({
  modelsDir: Text,
  stateDir: Text.nullable(),
  modelFolder: Name,
  /** Why consumers do not see the active release; `null` when they do, or none is active. */
  modelFolderFault: Text.nullable(),
  current: StatusRelease.nullable(),
  /** Why the active release cannot be read; `null` when it can, or none is active. Older versions do not send it. */
  currentFault: Text.nullable().optional(),
  previous: StatusRelease.nullable(),
  releases: listOf(StatusRelease, RELEASES_MAX),
  /** The commit of another program that changed the files of the active release; `null` where there is none. */
  otherWriter: OtherWriter.nullable(),
  /** When the active release was activated, if that is still in the history. */
  activatedAt: Text.nullable(),
  runs: listOf(Run, RELEASES_MAX),
  /** The next run of a daemon with the role. A time in the past means that its run should have started. */
  next: byRole(Time.nullable()),
  quarantine: listOf(Quarantined, RELEASES_MAX),
  /** Why the quarantine or the list of withdrawals cannot be read; `null` when they can. */
  quarantineFault: Text.nullable(),
  /** Releases that their publisher withdrew, oldest first. Older versions do not send it. */
  withdrawn: listOf(
    Withdrawal.extend({
      /** Whether an operator activated the release on this machine by force. */
      isOverridden: z.boolean().optional(),
    }),
    RELEASES_MAX,
  ).optional(),
  /** The canary of the active release; `null` when it has none. */
  canary: Canary.nullable(),
  /** Why the canary cannot be read; `null` when it can. */
  canaryFault: Text.nullable(),
  schedules: byRole(Schedule),
  /** The pauses in force, also of roles that are not configured. */
  paused: byRole(Pause),
  daemons: listOf(Daemon, LISTED_MAX),
  running: listOf(RunningRun, LISTED_MAX),
  /** Killed runs whose work the next run undoes or completes, oldest first. Older versions do not send it. */
  interrupted: listOf(RunningRun, LISTED_MAX).optional(),
  /** Free bytes of the file system that holds the store; `null` when the system does not report them. */
  freeBytes: Count.nullable(),
});
/** As {@link Status}. */
export type Status = Readonly<z.infer<typeof Status>>;

const Started = z.object({ runId: Name, command: Name, startedAt: Time, host: Name, modelsDir: Text });
/** A run that has ended, as an event. */
export const Finished = Run.extend({ modelsDir: Text });
/** As {@link Finished}. */
export type Finished = Readonly<z.infer<typeof Finished>>;

/** A file of a release. */
const PublishedFile = z.object({ path: Text, size: Count, sha256: z.string().regex(/^[0-9a-f]{64}$/) });
export type PublishedFile = Readonly<z.infer<typeof PublishedFile>>;
/** The first of a release's files, in the order of its manifest. */
export const PublishedFiles = listOf(PublishedFile, LISTED_FILES_MAX);

const Published = z.object({
  digest: Digest,
  previous: Digest.optional(),
  sequence: Count,
  carrier: Name.optional(),
  revision: Text.optional(),
  /** The hint of the key that signed the release: SHA-256 of its PEM, in hexadecimal. */
  signer: Name.optional(),
  runId: Name,
  host: Name,
  filesTotal: Count,
  bytes: Count,
  /** None where the node does not know them any more. */
  files: PublishedFiles,
  filesLeftOut: Count,
});

const Proposed = PullRequest.extend({ runId: Name, host: Name });

/** The state of a node, as its daemon reports it. */
export const Heartbeat = z.object({
  host: Name,
  /** Of the program. */
  version: Name,
  /** The same for the same settings. */
  configFingerprint: Name,
  /** The next heartbeat is due in so many seconds; 0 for the state of a store alone, which no daemon reports. */
  intervalSeconds: Count,
  /** Without runs, which have events of their own. */
  status: Status,
  /** Entries that were left out to keep the event small. */
  leftOut: z.object({ releases: Count, quarantine: Count }),
});
/** As {@link Heartbeat}. */
export type Heartbeat = Readonly<z.infer<typeof Heartbeat>>;

/** The fields of every event, whatever its type. */
export const Envelope = z.object({
  specversion: z.literal("1.0"),
  id: WellFormed.min(1).max(ID_CHARS_MAX),
  source: z.string().max(SOURCE_CHARS_MAX).refine(isSource),
  type: Name,
  time: Time,
  subject: WellFormed.min(1).max(ID_CHARS_MAX),
  datacontenttype: z.literal("application/json"),
});

function eventOf<Type extends string, Data extends z.ZodType>(type: Type, data: Data) {
  return Envelope.extend({ type: z.literal(type), data });
}

/** An event of a type that this version knows. */
export const ReportEvent = z.discriminatedUnion("type", [
  eventOf(EVENT_TYPES.started, Started),
  eventOf(EVENT_TYPES.finished, Finished),
  eventOf(EVENT_TYPES.published, Published),
  eventOf(EVENT_TYPES.pullRequest, Proposed),
  eventOf(EVENT_TYPES.heartbeat, Heartbeat),
]);
/** As {@link ReportEvent}. */
export type ReportEvent = Readonly<z.infer<typeof ReportEvent>>;
/** An event of one type. */
export type EventOf<Kind extends keyof typeof EVENT_TYPES> = Extract<
  ReportEvent,
  { readonly type: (typeof EVENT_TYPES)[Kind] }
>;

/** Only one spelling of a name is a source: a token that is bound to a node must not meet another. */
function isSource(source: string): boolean {
  try {
    const node = nodeOf(source);
    return node !== "" && sourceOf(node) === source;
  } catch {
    return false;
  }
}
