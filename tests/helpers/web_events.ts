import { EVENT_TYPES, sourceOf } from "../../lib/wire/event_names.ts";
import type { CanaryDescription, EventOf, Schedule, Status, StatusRelease } from "../../lib/wire/schema.ts";

/**
 * Valid events for tests of the dashboard, with defaults for everything that a test does not set. Equal arguments give equal
 * events; runs with different start times or commands have different ids.
 */

/** The default time of events. */
export const EVENT_TIME = "2026-11-29T06:00:00.000Z";

const MODELS_DIR = "/srv/bot/models";
const RELEASE_BYTES = 3_000_000;
const RELEASE_FILES = 3;

type Kind = "started" | "finished" | "published" | "pullRequest" | "heartbeat";
type Data<Of extends Kind> = EventOf<Of>["data"];

/** Returns the digest of the release with a number. */
export function digestOfRelease(number: number): `sha256:${string}` {
  return `sha256:${(number + 0xa000).toString(16).padStart(8, "0").repeat(8)}`;
}

/** Returns the id that a run has by default: the time of its start, as in the ids of nodes, and its command. */
export function runIdOf(startedAt: string = EVENT_TIME, command = "pull"): string {
  return `${startedAt.replaceAll(/[-:.]/g, "")}-${command}`;
}

/** Returns an event that a run began: a pull. */
export function started(node: string, changes: Partial<Data<"started">> = {}): EventOf<"started"> {
  const { startedAt = EVENT_TIME, command = "pull", runId = runIdOf(startedAt, command) } = changes;
  return {
    ...envelope(node, startedAt),
    id: `${runId}/started`,
    type: EVENT_TYPES.started,
    subject: runId,
    data: { host: hostOf(node), modelsDir: MODELS_DIR, ...changes, startedAt, command, runId },
  };
}

/** Returns an event that a run ended: an unchanged pull, with release 1 active. */
export function finished(node: string, changes: Partial<Data<"finished">> = {}): EventOf<"finished"> {
  return runEnded(node, {
    carrier: "git",
    release: digestOfRelease(1),
    sequence: 1,
    files: RELEASE_FILES,
    bytes: RELEASE_BYTES,
    ...changes,
  });
}

/** Returns an event that a pull activated the release with a number, after the previous number. */
export function activated(
  node: string,
  number: number,
  changes: Partial<Data<"finished">> = {},
): EventOf<"finished"> {
  return finished(node, {
    outcome: "activated",
    release: digestOfRelease(number),
    ...previousOf(number),
    sequence: number,
    changed: 1,
    writtenBytes: RELEASE_BYTES / RELEASE_FILES,
    ...changes,
  });
}

/** Returns an event that a pull failed: it could not reach its remote, with an error, a hint and the end of the log. */
export function failed(node: string, changes: Partial<Data<"finished">> = {}): EventOf<"finished"> {
  const message =
    "Cannot reach origin: fatal: unable to access 'https://git.example.org/models.git/': Could not resolve host: git.example.org";
  return runEnded(node, {
    outcome: "failed",
    carrier: "git",
    error: {
      code: "GIT_UNREACHABLE",
      message,
      hint: "check the network and the remote's address, then run again",
    },
    log: ["pull from origin/main", message],
    ...changes,
  });
}

function runEnded(node: string, changes: Partial<Data<"finished">>): EventOf<"finished"> {
  const { startedAt = EVENT_TIME, durationMs = 1_200, command = "pull" } = changes;
  const { runId = runIdOf(startedAt, command) } = changes;
  return {
    ...envelope(node, laterBy(startedAt, durationMs)),
    id: `${runId}/finished`,
    type: EVENT_TYPES.finished,
    subject: runId,
    data: {
      outcome: "unchanged",
      host: hostOf(node),
      modelsDir: MODELS_DIR,
      ...changes,
      startedAt,
      durationMs,
      command,
      runId,
    },
  };
}

/** Returns an event that a node published the release with a number, at `time`. */
export function published(
  node: string,
  number: number,
  { time = EVENT_TIME, ...changes }: Partial<Data<"published">> & { readonly time?: string } = {},
): EventOf<"published"> {
  const { digest = digestOfRelease(number), runId = runIdOf(time, "publish") } = changes;
  return {
    ...envelope(node, time),
    id: `${runId}/published`,
    type: EVENT_TYPES.published,
    subject: digest,
    data: {
      ...previousOf(number),
      sequence: number,
      carrier: "git",
      revision: number.toString(16).padStart(40, "c"),
      host: hostOf(node),
      filesTotal: RELEASE_FILES,
      bytes: RELEASE_BYTES,
      files: filesOfRelease(number),
      filesLeftOut: 0,
      ...changes,
      digest,
      runId,
    },
  };
}

/** Returns the files of the release with a number: each release changes the first one of the release before. */
export function filesOfRelease(number: number): Data<"published">["files"] {
  const size = RELEASE_BYTES / RELEASE_FILES;
  return [
    { path: "BTC_USDC/direction.onnx", size, sha256: digestOfRelease(number).slice("sha256:".length) },
    { path: "ETH_USDC/direction.onnx", size, sha256: "e".repeat(64) },
    { path: "SOL_USDC/direction.onnx", size, sha256: "f".repeat(64) },
  ];
}

/** Returns an event that a reference sync, at `time`, created pull request 7 of `you/bots`. */
export function pullRequest(
  node: string,
  { time = EVENT_TIME, ...changes }: Partial<Data<"pullRequest">> & { readonly time?: string } = {},
): EventOf<"pullRequest"> {
  const { runId = runIdOf(time, "references-sync"), repository = "you/bots", number = 7 } = changes;
  return {
    ...envelope(node, time),
    id: `${runId}/pull-request/${repository}`,
    type: EVENT_TYPES.pullRequest,
    subject: repository,
    data: {
      url: `https://github.com/${repository}/pull/${number}`,
      outcome: "created",
      changes: 3,
      host: hostOf(node),
      ...changes,
      number,
      repository,
      runId,
    },
  };
}

/** A test's changes of a heartbeat. */
export interface HeartbeatChanges extends Partial<Omit<Data<"heartbeat">, "status">> {
  readonly time?: string;
  readonly status?: Partial<Status>;
}

/** Returns a heartbeat, made at `time`: release 1 is active, and the client's daemon pulls daily at 06:00 UTC. */
export function heartbeat(
  node: string,
  { time = EVENT_TIME, status = {}, ...changes }: HeartbeatChanges = {},
): EventOf<"heartbeat"> {
  const host = changes.host ?? hostOf(node);
  return {
    ...envelope(node, time),
    id: `${node}/heartbeat/${time}`,
    type: EVENT_TYPES.heartbeat,
    subject: node,
    data: {
      version: "0.1.0",
      configFingerprint: "0123456789abcdef",
      intervalSeconds: 60,
      leftOut: { releases: 0, quarantine: 0 },
      ...changes,
      host,
      status: { ...statusAt(time, host), ...status },
    },
  };
}

function statusAt(time: string, host: string): Status {
  const current = statusRelease(1);
  return {
    modelsDir: MODELS_DIR,
    stateDir: "/srv/bot/.model-sync",
    modelFolder: "linked",
    modelFolderFault: null,
    current,
    previous: null,
    releases: [current],
    otherWriter: null,
    activatedAt: EVENT_TIME,
    runs: [],
    next: { client: nextSixOClock(time) },
    quarantine: [],
    quarantineFault: null,
    canary: null,
    canaryFault: null,
    schedules: { client: schedule() },
    paused: {},
    daemons: [{ role: "client", pid: 4711, host, since: "2026-11-01T00:00:00.000Z" }],
    running: [],
    freeBytes: 50_000_000_000,
  };
}

function nextSixOClock(time: string): string {
  const today = `${laterBy(time, 0).slice(0, 10)}T06:00:00.000Z`;
  return Date.parse(time) < Date.parse(today) ? today : laterBy(today, 24 * 3_600_000);
}

/** Returns the release with a number in the form of a status. */
export function statusRelease(number: number, changes: Partial<StatusRelease> = {}): StatusRelease {
  return {
    digest: digestOfRelease(number),
    sequence: number,
    createdAt: "2026-11-29T00:00:00.000Z",
    files: RELEASE_FILES,
    bytes: RELEASE_BYTES,
    ...changes,
  };
}

/** Returns a schedule: daily at 06:00 UTC; a missed run is made up for however late. */
export function schedule(changes: Partial<Schedule> = {}): Schedule {
  return {
    times: ["06:00"],
    timeZone: "UTC",
    splaySeconds: 0,
    catchUpSeconds: null,
    deny: [],
    paused: null,
    ...changes,
  };
}

/** Returns the open canary of the release with a number; `win_rate` is unchanged. */
export function canary(number: number, changes: Partial<CanaryDescription> = {}): CanaryDescription {
  return {
    digest: digestOfRelease(number),
    previous: digestOfRelease(number - 1),
    sequence: number,
    runId: runIdOf(),
    status: "watching",
    reason: "",
    startedAt: EVENT_TIME,
    statusSince: EVENT_TIME,
    concludedAt: null,
    watchedMs: 600_000,
    leftMs: 1_200_000,
    intervalMs: 60_000,
    rounds: 10,
    waitsForOperator: false,
    failureLimit: 2,
    metrics: [{
      name: "win_rate",
      direction: "higher",
      baseline: 0.5,
      baselineMissing: null,
      last: 0.5,
      lastMissing: null,
      lastAt: laterBy(EVENT_TIME, 600_000),
      change: 0,
      maxDegradation: 0.15,
      catastrophic: null,
      failures: 0,
    }],
    ...changes,
  };
}

function previousOf(number: number): { readonly previous?: `sha256:${string}` } {
  return number > 1 ? { previous: digestOfRelease(number - 1) } : {};
}

function envelope(node: string, time: string) {
  return { specversion: "1.0", source: sourceOf(node), time, datacontenttype: "application/json" } as const;
}

/** Node names that machines give themselves begin with the host. */
function hostOf(node: string): string {
  return node.split("/")[0] || node;
}

function laterBy(time: string, ms: number): string {
  return new Date(Date.parse(time) + ms).toISOString();
}
