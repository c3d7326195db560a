import { UNREADABLE_HINT } from "../lib/canary/canary_state.ts";
import { formatAge, formatBytes, formatDuration, formatLocalTime, plural } from "../lib/core/format.ts";
import { shortDigest } from "../lib/release/manifest.ts";
import { withdrawnWords } from "../lib/release/withdrawals.ts";
import type { NextStep } from "../lib/status/next_step.ts";
import { upToSequence, withoutWithdrawn } from "../lib/store/quarantine.ts";
import { otherWriterText } from "../lib/store/recorded_writer.ts";
import type { Status, StatusRelease } from "../lib/wire/schema.ts";
import type { Output } from "./_output.ts";
import { releaseOf } from "./_runs.ts";
import { noteLines } from "./_table.ts";

/** What the lines say beside the state of the machine. */
export interface StatusWords {
  /** The lines of the canary; none without a canary. */
  readonly canary: readonly string[];
  readonly advice: NextStep;
}

/** Returns the lines below the heading of `status`: what this machine holds, ran and will run. */
export function statusLines(
  output: Output,
  status: Status,
  { canary, advice }: StatusWords,
  now: Date,
  timeZone: string | undefined,
): string[] {
  return [
    ...releaseLines(output, status, advice, now),
    ...canaryStatusLines(output, status, canary),
    ...runningLines(output, status, now),
    ...interruptedLines(output, status),
    ...runLines(output, status, now),
    ...quarantineLines(output, status),
    ...withdrawnLines(output, status),
    ...nextLines(output, status, now, timeZone),
    ...pauseLines(output, status, timeZone),
    ...daemonLines(output, status),
  ];
}

function releaseLines(output: Output, status: Status, advice: NextStep, now: Date): string[] {
  const { current, previous } = status;
  const title = output.paint("bold", "release");
  if (typeof status.currentFault === "string") {
    return [title, `  ${output.paint("red", status.currentFault)}`];
  }
  if (current === null) return [title, `  no release is active${advice.whenInactive}`];
  const isRefused = (release: StatusRelease) => refusalOf(status, release) !== undefined;
  // A rollback leaves a quarantined release as the previous one, and the next rollback passes over it.
  const target = previous === null || isRefused(previous) ? null : previous;
  const others = status.releases.filter((release) => release !== current && release !== target);
  const since = status.activatedAt === null ? "" : `, activated ${age(status.activatedAt, now)}`;
  return [
    title,
    `  active    ${releaseText(output, current)}${since}`,
    `            ${plural(current.files, "file")}, ${formatBytes(current.bytes)}, created ${
      age(current.createdAt, now)
    }`,
    ...withdrawnLine(output, status),
    ...(status.otherWriter === null ? [] : [
      `            ${output.paint("yellow", otherWriterText(status.otherWriter))}`,
    ]),
    ...(status.modelFolderFault === null ? [] : [
      `  ${
        output.paint("red", `consumers do not see it: the folder ${status.modelFolderFault}`)
      }${advice.whenUnseen}`,
    ]),
    ...(target === null ? [] : [`  previous  ${releaseText(output, target)}`]),
    ...others.map((release, index) => {
      const refusal = refusalOf(status, release);
      return `  ${index === 0 ? "others  " : "        "}  ${releaseText(output, release)}${
        refusal === undefined ? "" : `, ${refusal}`
      }`;
    }),
  ];
}

/** Returns why a rollback does not choose a release by itself. */
function refusalOf(
  { quarantine, withdrawn = [] }: Status,
  { digest, sequence }: StatusRelease,
): string | undefined {
  const withdrawal = withdrawn.find((entry) => entry.digest === digest);
  if (withdrawal !== undefined && withdrawal.isOverridden !== true) return "withdrawn";
  const isQuarantined = quarantine.some((entry) => entry.digest === digest && sequence <= entry.sequence);
  return isQuarantined ? "quarantined" : undefined;
}

function releaseText(output: Output, release: StatusRelease): string {
  return `${output.paint("bold", shortDigest(release.digest))} sequence ${release.sequence}`;
}

function runningLines(output: Output, { running }: Status, now: Date): string[] {
  if (running.length === 0) return [];
  const width = widestCommand(running);
  return [
    output.paint("bold", "running now"),
    ...running.map(({ startedAt, command, step }) =>
      `  ${startedAt}  ${command.padEnd(width)}  ${step ?? "starting"}  (started ${age(startedAt, now)})`
    ),
  ];
}

function interruptedLines(output: Output, { interrupted = [] }: Status): string[] {
  if (interrupted.length === 0) return [];
  const width = widestCommand(interrupted);
  return [
    output.paint("bold", "interrupted: the next run undoes or completes their work"),
    ...interrupted.map(({ startedAt, command, step, runId }) =>
      `  ${startedAt}  ${command.padEnd(width)}  ${step ?? "starting"}  (run ${runId})`
    ),
  ];
}

function runLines(output: Output, status: Status, now: Date): string[] {
  if (status.runs.length === 0) return [];
  const width = widestCommand(status.runs);
  return [
    output.paint("bold", "last runs"),
    ...status.runs.flatMap((run) => {
      const outcome = output.paint(run.error === undefined ? "green" : "red", run.outcome.padEnd(11));
      const name = releaseOf(run);
      const release = name === undefined ? "" : `  ${name}`;
      return [
        `  ${run.startedAt}  ${run.command.padEnd(width)}  ${outcome}${release}  (${
          age(run.startedAt, now)
        })`,
        ...(run.error === undefined ? [] : noteLines(output, `${run.error.code}: ${run.error.message}`)),
      ];
    }),
  ];
}

function widestCommand(runs: readonly { readonly command: string }[]): number {
  return Math.max(...runs.map(({ command }) => command.length));
}

function canaryStatusLines(
  output: Output,
  { canaryFault }: Status,
  canary: readonly string[],
): string[] {
  const fault = canaryFault === null
    ? []
    : [`${output.paint("red", "the active release has no canary")}: ${canaryFault}`, UNREADABLE_HINT];
  const lines = [...canary, ...fault];
  return lines.length === 0 ? [] : [output.paint("bold", "canary"), ...lines.map((line) => `  ${line}`)];
}

function quarantineLines(output: Output, status: Status): string[] {
  const { quarantineFault, withdrawn = [] } = status;
  if (quarantineFault !== null) {
    return [output.paint("bold", "quarantine"), `  ${output.paint("red", quarantineFault)}`];
  }
  const entries = withoutWithdrawn(status.quarantine, withdrawn);
  if (entries.length === 0) return [];
  return [
    output.paint("bold", "quarantine"),
    ...entries.flatMap((entry) => [
      `  ${shortDigest(entry.digest)}${upToSequence(entry)} since ${entry.at}`,
      ...noteLines(output, entry.reason),
    ]),
  ];
}

/** The most withdrawn releases that are listed. `--json` has all of them. */
const WITHDRAWN_MAX = 10;

function withdrawnLines(output: Output, { withdrawn = [] }: Status): string[] {
  if (withdrawn.length === 0) return [];
  const newest = withdrawn.slice(-WITHDRAWN_MAX);
  const earlier = withdrawn.length - newest.length;
  return [
    output.paint("bold", "withdrawn by the publisher"),
    ...(earlier === 0 ? [] : [`  ${earlier} earlier ones`]),
    ...newest.flatMap(({ digest, at, reason, isOverridden }) => [
      `  ${shortDigest(digest)} since ${at}${
        isOverridden === true ? ` (${output.paint("yellow", "activated here by force")})` : ""
      }`,
      ...(reason === undefined ? [] : noteLines(output, reason)),
    ]),
  ];
}

/** Returns the line that the active release is withdrawn, if it is. */
function withdrawnLine(output: Output, status: Status): string[] {
  const { current, releases, withdrawn = [] } = status;
  const found = withdrawn.find(({ digest }) => digest === current?.digest);
  if (found === undefined) return [];
  const next = found.isOverridden === true
    ? "it was activated here by force"
    : releases.some((release) => refusalOf(status, release) === undefined)
    ? "the next pull rolls back from it"
    : "it stays active until a pull gets a newer one";
  const words = `its publisher withdrew it ${withdrawnWords(found)}; ${next}`;
  return [`            ${output.paint(found.isOverridden === true ? "yellow" : "red", words)}`];
}

function nextLines(output: Output, status: Status, now: Date, timeZone: string | undefined): string[] {
  const times = Object.entries(status.next).flatMap(([role, time]) => time === null ? [] : [{ role, time }]);
  if (times.length === 0) return [];
  const width = Math.max(...times.map(({ role }) => role.length));
  return [
    output.paint("bold", "next run of a daemon with the role"),
    ...times.map(({ role, time }) => {
      const leftMs = Date.parse(time) - now.getTime();
      const distance = leftMs < 0 ? `due ${age(time, now)}` : `in ${formatDuration(leftMs)}`;
      return `  ${role.padEnd(width)} ${formatLocalTime(new Date(time), timeZone)}  (${distance})`;
    }),
  ];
}

function pauseLines(output: Output, { paused }: Status, timeZone: string | undefined): string[] {
  const pauses = Object.entries(paused);
  if (pauses.length === 0) return [];
  return [
    output.paint("bold", "paused roles"),
    ...pauses.map(([role, { until, host, reason }]) => {
      const end = until === null ? "until resumed" : `until ${formatLocalTime(new Date(until), timeZone)}`;
      return `  ${output.paint("yellow", role)} ${end}, on ${host}${
        reason === undefined ? "" : `: ${reason}`
      }`;
    }),
  ];
}

function daemonLines(output: Output, { daemons }: Status): string[] {
  if (daemons.length === 0) return [];
  return [
    output.paint("bold", "running daemons"),
    ...daemons.map(({ role, pid, host, since }) => `  ${role}: pid ${pid} on ${host} since ${since}`),
  ];
}

function age(time: string, now: Date): string {
  return formatAge(now.getTime() - Date.parse(time));
}
