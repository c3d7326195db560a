import { z } from "zod";
import { EVENT_TYPES, LISTED_FILES_MAX, nodeOf, sourceOf } from "./event_names.ts";

/**
 * What a node reports to a dashboard: CloudEvents 1.0 in JSON batch mode
 * (https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md). Node and page share this file,
 * so it imports Zod and [names](event_names.ts) alone and touches no Deno API.
 *
 * Compatibility: readers ignore fields that they do not know and skip event types that they do not know. A change that
 * old readers would misunderstand gets a new type with the next number at its end. Words that later versions may add to
 * (outcomes, roles, commands) are plain strings for that reason.
 */

/** Paths and quoted errors, as the node's own records cut them. */
const TEXT_CHARS_MAX = 4_096;
/** Names of hosts, commands, steps and codes; the longest name of a host has 255. */
const NAME_CHARS_MAX = 255;
/** A name of 128 characters, each of them percent-encoded as four bytes. */
const SOURCE_CHARS_MAX = 128 * 12;
/** The phase, a run id and the name of a repository. */
const ID_CHARS_MAX = 2 * SOURCE_CHARS_MAX;
/** Roles have one key each; there are six. */
const ROLES_MAX = 20;
/** A run has some ten steps; a retried one repeats some of them. */
const STEPS_MAX = 100;
/** `keep` allows as many releases in a store, the quarantine a tenth. */
const RELEASES_MAX = 10_000;
/** Metrics of a canary, times of a schedule, windows, repositories of a sync: people write them by hand. */
const LISTED_MAX = 100;

/** JSON can spell half of a surrogate pair, which no address of a page can hold. */
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
  /** Models that it changes. */
  changes: Count,
});
export type PullRequest = Readonly<z.infer<typeof PullRequest>>;

/** How a run ended: a line of the node's history. */
const Run = z.object({
  runId: Name,
  command: Name,
  outcome: Name,
  startedAt: Time,
  durationMs: Count,
  host: Name,
  carrier: Name.optional(),
  revision: Text.optional(),
  /** The release that is active or published after the run, and the one before it. */
  release: Digest.optional(),
  previous: Digest.optional(),
  otherWriter: OtherWriter.optional(),
  sequence: Count.optional(),
  files: Count.optional(),
  /** The size of the release. */
  bytes: Count.optional(),
  /** Bytes that the run downloaded, sent or wrote. */
  writtenBytes: Count.optional(),
  changed: Count.optional(),
  /** The hint of the key whose signature of the release the run made, or verified. */
  signer: Name.optional(),
  /** From the start of the run; steps may overlap. */
  steps: listOf(z.object({ name: Name, startMs: Count, durationMs: Count }), STEPS_MAX).optional(),
  pullRequests: listOf(PullRequest, LISTED_MAX).optional(),
  error: z.object({ code: Name, message: Text, hint: Text.optional(), exitCode: Count.optional() })
    .optional(),
  /** The last lines of the log of a run that failed. */
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
  /** Which way is better; `null` when the configuration no longer names the metric. */
  direction: Name.nullable(),
  /** `null` when there is none: see `baselineMissing`. */
  baseline: Value,
  baselineMissing: Text.nullable(),
  last: Value,
  /** Why the last sample was not a number; `null` when it was one, or there was none yet. */
  lastMissing: Text.nullable(),
  lastAt: Text.nullable(),
  /** From the baseline to the last sample, as a part of the baseline; a difference when that is zero. */
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
  /** Of the duration; unchanged while paused, and 0 after the verdict. */
  leftMs: Count,
  intervalMs: Count,
  rounds: Count,
  /** It is paused because it has no baseline: an operator has to promote or abort it. */
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

/** When a role is due. */
const Schedule = z.object({
  /** Times of day and cron expressions as configured, or `every 15 minutes`. */
  times: listOf(Text, LISTED_MAX),
  /** An IANA name. */
  timeZone: Name,
  /** A run may start so much later than it is due: each machine draws its own delay. */
  splaySeconds: Count,
  /** How old a missed due time may be that is still made up for; 0 when none is, `null` when any is. */
  catchUpSeconds: Count.nullable(),
  /** Windows in which no run starts: from each time of a cron expression on, for so long. */
  deny: listOf(z.object({ start: Text, seconds: Count }), LISTED_MAX),
  paused: Pause.nullable(),
});
export type Schedule = Readonly<z.infer<typeof Schedule>>;

/** A run that is going on. */
const RunningRun = z.object({ runId: Name, command: Name, startedAt: Time, step: Name.nullable() });
export type RunningRun = Readonly<z.infer<typeof RunningRun>>;

/** A role of a running daemon. `since` is `unknown` when a full disk did not take it. */
const Daemon = z.object({ role: Role, pid: Count, host: Name, since: Name });

/** The state of one model folder: what `model-sync status --json` prints and what a heartbeat carries. */
export const Status = z.object({
  modelsDir: Text,
  stateDir: Text.nullable(),
  modelFolder: Name,
  /** Why consumers do not see the active release; `null` when they do, or none is active. */
  modelFolderFault: Text.nullable(),
  current: StatusRelease.nullable(),
  previous: StatusRelease.nullable(),
  releases: listOf(StatusRelease, RELEASES_MAX),
  /** The commit of another program that changed the files of the active release; `null` where there is none. */
  otherWriter: OtherWriter.nullable(),
  /** When the active release was activated, if that is still in the history. */
  activatedAt: Text.nullable(),
  runs: listOf(Run, RELEASES_MAX),
  /** When a daemon with the role runs next. A time that has passed: its run should have started. */
  next: byRole(Time.nullable()),
  quarantine: listOf(Quarantined, RELEASES_MAX),
  /** Why the quarantine cannot be read; `null` when it can. */
  quarantineFault: Text.nullable(),
  /** The canary of the active release; `null` when it is in none. */
  canary: Canary.nullable(),
  /** Why the canary cannot be read; `null` when it can. */
  canaryFault: Text.nullable(),
  schedules: byRole(Schedule),
  /** The pauses in force, also of roles that are not configured. */
  paused: byRole(Pause),
  daemons: listOf(Daemon, LISTED_MAX),
  running: listOf(RunningRun, LISTED_MAX),
  /** Free bytes of the file system that holds the store; `null` when the system does not report them. */
  freeBytes: Count.nullable(),
});
/** As {@link Status}. */
export type Status = Readonly<z.infer<typeof Status>>;

const Started = z.object({ runId: Name, command: Name, startedAt: Time, host: Name, modelsDir: Text });
/** A run that has ended, as an event says it. */
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

/** What every event has, whatever its type. */
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
