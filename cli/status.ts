import { buildCommand } from "@stricli/core";
import { RefusedError } from "../lib/core/errors.ts";
import { type Digest, shortDigest, totalBytes } from "../lib/release/manifest.ts";
import { type Role, roleCalendar, ROLES } from "../lib/schedule/roles.ts";
import { readHistory, type RunRecord } from "../lib/store/history.ts";
import { activeManifest } from "../lib/store/active_release.ts";
import { problemSeenByConsumers } from "../lib/store/consumer_view.ts";
import { inspectModelFolder } from "../lib/store/model_folder.ts";
import { readPointer } from "../lib/store/pointers.ts";
import { type QuarantineEntry, readQuarantine } from "../lib/store/quarantine.ts";
import { listReleases, type StoredRelease } from "../lib/store/releases.ts";
import type { RecordedWriter } from "../lib/store/recorded_writer.ts";
import { findWriterOf } from "../lib/store/revisions.ts";
import { findDueTime } from "../lib/store/schedule_state.ts";
import { UNREADABLE_MEND } from "../lib/canary/canary_state.ts";
import type { CanaryDescription } from "../lib/canary/describe_canary.ts";
import { canaryFault, openCanary } from "../lib/canary/find_canary.ts";
import { findStore, type Store } from "../lib/store/store.ts";
import {
  COMMON_ALIASES,
  COMMON_FLAGS,
  type CommonFlags,
  defineProgram,
  integerFlag,
  type Invocation,
  main,
  type Program,
  type Session,
  withSession,
} from "./_command.ts";
import { otherWriterText } from "./_other_writer.ts";
import { SUMMARIES } from "./_summaries.ts";
import { formatAge, formatBytes, formatDuration, formatLocalTime, plural } from "../lib/core/format.ts";
import type { Output } from "./_output.ts";

interface StatusFlags extends CommonFlags {
  readonly runs?: number;
}

/** As many runs as fit on a screen with the rest. */
const RUNS_SHOWN = 5;

export const program: Program = defineProgram(
  "status",
  buildCommand<StatusFlags, [], Invocation>({
    docs: { brief: SUMMARIES.status },
    parameters: {
      flags: {
        ...COMMON_FLAGS,
        runs: integerFlag(`how many of the last runs to show (default: ${RUNS_SHOWN})`, 0),
      },
      aliases: COMMON_ALIASES,
    },
    func: withSession(run),
  }),
);

/** A release as status shows it. */
interface ShownRelease {
  readonly digest: Digest;
  readonly sequence: number;
  readonly createdAt: string;
  readonly files: number;
  readonly bytes: number;
}

interface Status {
  readonly modelsDir: string;
  readonly stateDir: string | null;
  readonly modelFolder: string;
  /** Why consumers do not see the active release; `null` when they do, or none is active. */
  readonly modelFolderFault: string | null;
  readonly current: ShownRelease | null;
  readonly previous: ShownRelease | null;
  readonly releases: readonly ShownRelease[];
  /** Which program's commit changed the files of the active release, where it was not model-sync's; `null` otherwise. */
  readonly otherWriter: RecordedWriter | null;
  /** When the active release was activated, if that is still in the history. */
  readonly activatedAt: string | null;
  readonly runs: readonly RunRecord[];
  /** When a daemon with the role runs next: the roles of the seeds, and those that are configured. */
  readonly next: Readonly<Partial<Record<Role, string | null>>>;
  readonly quarantine: readonly QuarantineEntry[];
  /** Why nobody can tell what is quarantined; `null` otherwise. */
  readonly quarantineFault: string | null;
  /** How the active release proves itself; `null` when it is not watched. */
  readonly canary: CanaryDescription | null;
  /** Why nobody can tell whether it is watched; `null` otherwise. */
  readonly canaryFault: string | null;
}

async function run(session: Session, flags: StatusFlags): Promise<void> {
  const { context, output, location } = session;
  const store = findStore(context.fs, location, context.log);
  const now = context.clock.now();
  const canary = store === undefined ? undefined : await shownCanary(session, store);
  const status = store === undefined
    ? emptyStatus(session, now)
    : readStatus(session, store, flags.runs ?? RUNS_SHOWN, now, canary?.description ?? null);
  output.result(status, () => lines(output, status, canary?.lines ?? [], now, session.settings.time_zone));
}

function emptyStatus(session: Session, now: Date): Status {
  return {
    modelsDir: session.location.modelsDir,
    stateDir: null,
    modelFolder: "unknown",
    modelFolderFault: null,
    current: null,
    previous: null,
    releases: [],
    otherWriter: null,
    activatedAt: null,
    runs: [],
    next: nextRuns(session, undefined, now),
    quarantine: [],
    quarantineFault: null,
    canary: null,
    canaryFault: null,
  };
}

function readStatus(
  session: Session,
  store: Store,
  runCount: number,
  now: Date,
  canary: CanaryDescription | null,
): Status {
  const releases = listReleases(store).map(shown);
  const named = (name: "current" | "previous") => {
    const digest = readPointer(store, name);
    return releases.find((release) => release.digest === digest) ?? null;
  };
  const current = named("current");
  const runs = readHistory(store, HISTORY_LOOKBACK);
  return {
    modelsDir: store.modelsDir,
    stateDir: store.root,
    modelFolder: inspectModelFolder(store).kind,
    modelFolderFault: modelFolderFault(store) ?? null,
    current,
    previous: named("previous"),
    releases,
    otherWriter: (current === null ? undefined : findWriterOf(store, current.digest)) ?? null,
    activatedAt: current === null ? null : activationTime(runs, current.digest),
    runs: runs.slice(0, runCount),
    next: nextRuns(session, store, now),
    ...shownQuarantine(store),
    canary,
    canaryFault: canaryFault(store) ?? null,
  };
}

function modelFolderFault(store: Store): string | undefined {
  const active = activeManifest(store);
  return active === undefined ? undefined : problemSeenByConsumers(store, active);
}

/** What else there is to show does not depend on it. */
function shownQuarantine(store: Store): Pick<Status, "quarantine" | "quarantineFault"> {
  try {
    return { quarantine: readQuarantine(store), quarantineFault: null };
  } catch (error) {
    if (!(error instanceof RefusedError)) throw error;
    return { quarantine: [], quarantineFault: `${error.message}; ${error.hint}` };
  }
}

interface ShownCanary {
  readonly description: CanaryDescription;
  readonly lines: readonly string[];
}

/** The canary of the active release; its words are loaded where there is one. */
async function shownCanary({ settings }: Session, store: Store): Promise<ShownCanary | undefined> {
  const canary = openCanary(store);
  if (canary === undefined) return undefined;
  const { canaryLines, describeCanary } = await import("../lib/canary/describe_canary.ts");
  const description = describeCanary(canary, settings.activation.canary);
  return { description, lines: canaryLines(description) };
}

/** Far enough back to find the activation among unchanged pulls of ten days, one every quarter of an hour. */
const HISTORY_LOOKBACK = 1000;

function activationTime(runs: readonly RunRecord[], digest: Digest): string | null {
  const activating = runs.find((run) =>
    run.release === digest && (run.outcome === "activated" || run.outcome === "rolled-back")
  );
  return activating?.startedAt ?? null;
}

function shown({ manifest }: StoredRelease): ShownRelease {
  const { digest, sequence, createdAt, files } = manifest;
  return { digest, sequence, createdAt, files: files.length, bytes: totalBytes(files) };
}

function nextRuns(session: Session, store: Store | undefined, now: Date): Status["next"] {
  const { settings } = session;
  const configured: Readonly<Record<Role, boolean>> = {
    publisher: true,
    client: true,
    runpod_client: settings.runpod.trigger_url !== undefined,
    artifact_client: settings.artifacts.repository !== undefined,
    huggingface_client: settings.huggingface.repo_id !== undefined,
  };
  return Object.fromEntries(
    ROLES.filter((role) => configured[role]).map((role) => {
      // A daemon may run at other times than the configured ones.
      const due = store === undefined ? undefined : findDueTime(store, role);
      const time = due !== undefined && due > now ? due : roleCalendar(role, settings).next(now);
      return [role, time?.toISOString() ?? null];
    }),
  );
}

function lines(
  output: Output,
  status: Status,
  canary: readonly string[],
  now: Date,
  timeZone: string | undefined,
): string[] {
  return [
    ...releaseLines(output, status, now),
    ...canaryStatusLines(output, status, canary),
    ...runLines(output, status, now),
    ...quarantineLines(output, status),
    ...nextLines(output, status, now, timeZone),
  ];
}

function releaseLines(output: Output, status: Status, now: Date): string[] {
  const { current, previous } = status;
  const title = output.paint("bold", status.modelsDir);
  if (current === null) return [title, "  no release is active; bring one with: model-sync pull"];
  const others = status.releases.filter((release) => release !== current && release !== previous);
  const since = status.activatedAt === null ? "" : `, activated ${age(status.activatedAt, now)}`;
  return [
    title,
    `  active    ${releaseText(output, current)}${since}`,
    `            ${plural(current.files, "file")}, ${formatBytes(current.bytes)}, made ${
      age(current.createdAt, now)
    }`,
    ...(status.otherWriter === null ? [] : [
      `            ${output.paint("yellow", otherWriterText(status.otherWriter))}`,
    ]),
    ...(status.modelFolderFault === null ? [] : [
      `  ${
        output.paint("red", `consumers do not see it: the folder ${status.modelFolderFault}`)
      }; run model-sync pull`,
    ]),
    ...(previous === null ? [] : [`  previous  ${releaseText(output, previous)}`]),
    ...others.map((release, index) =>
      `  ${index === 0 ? "older   " : "        "}  ${releaseText(output, release)}`
    ),
  ];
}

function releaseText(output: Output, release: ShownRelease): string {
  return `${output.paint("bold", shortDigest(release.digest))} sequence ${release.sequence}`;
}

function runLines(output: Output, status: Status, now: Date): string[] {
  if (status.runs.length === 0) return [];
  return [
    output.paint("bold", "last runs"),
    ...status.runs.flatMap((run) => {
      const outcome = output.paint(run.error === undefined ? "green" : "red", run.outcome.padEnd(11));
      const detail = run.error?.code ?? (run.release === undefined ? "" : shortDigest(run.release));
      return [
        `  ${run.startedAt}  ${run.command.padEnd(8)}  ${outcome}  ${detail}  (${age(run.startedAt, now)})`,
        ...(run.error === undefined ? [] : [`    ${output.paint("dim", run.error.message)}`]),
      ];
    }),
  ];
}

function canaryStatusLines(
  output: Output,
  { canaryFault }: Status,
  canary: readonly string[],
): string[] {
  const fault = canaryFault === null
    ? []
    : [`${output.paint("red", "the active release is not watched")}: ${canaryFault}`, UNREADABLE_MEND];
  const told = [...canary, ...fault];
  return told.length === 0 ? [] : [output.paint("bold", "canary"), ...told.map((line) => `  ${line}`)];
}

function quarantineLines(output: Output, status: Status): string[] {
  const { quarantineFault } = status;
  if (quarantineFault !== null) {
    return [output.paint("bold", "quarantine"), `  ${output.paint("red", quarantineFault)}`];
  }
  if (status.quarantine.length === 0) return [];
  return [
    output.paint("bold", "quarantine"),
    ...status.quarantine.map((entry) =>
      `  ${shortDigest(entry.digest)} sequence ${entry.sequence} since ${entry.at}: ${entry.reason}`
    ),
  ];
}

function nextLines(output: Output, status: Status, now: Date, timeZone: string | undefined): string[] {
  const times = Object.entries(status.next).flatMap(([role, time]) => time === null ? [] : [{ role, time }]);
  const width = Math.max(...times.map(({ role }) => role.length));
  return [
    output.paint("bold", "next run of a daemon with the role"),
    ...times.map(({ role, time }) =>
      `  ${role.padEnd(width)} ${formatLocalTime(new Date(time), timeZone)}  (in ${
        formatDuration(Date.parse(time) - now.getTime())
      })`
    ),
  ];
}

function age(time: string, now: Date): string {
  return formatAge(now.getTime() - Date.parse(time));
}

if (import.meta.main) await main(program);
