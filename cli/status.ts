import { UNREADABLE_HINT } from "../lib/canary/canary_state.ts";
import { formatAge, formatBytes, formatDuration, formatLocalTime, plural } from "../lib/core/format.ts";
import { shortDigest } from "../lib/release/manifest.ts";
import { type NextStep, nextStep } from "../lib/status/next_step.ts";
import type { CanaryDescription, Status, StatusRelease } from "../lib/wire/schema.ts";
import { readStatus } from "../lib/status/read_status.ts";
import { configuredRoles } from "../lib/config/roles.ts";
import { findStore, placeOf } from "../lib/store/store.ts";
import { command, type CommandFlags, main, type Program } from "./_command.ts";
import { headingLines, headingOf, type Session } from "./_session.ts";
import { otherWriterText } from "../lib/store/recorded_writer.ts";
import { SUMMARIES } from "./_help.ts";
import { integerOption, type Options } from "./_declaration.ts";
import { NO_OPERANDS } from "./_arguments.ts";
import type { Output } from "./_output.ts";

/** The number of runs that fits on a screen with the rest. */
const RUNS_SHOWN = 5;

const OPTIONS = {
  runs: integerOption({
    group: "Options",
    placeholder: "COUNT",
    brief: "Number of recent runs to show",
    standard: RUNS_SHOWN,
  }, 0),
} satisfies Options;

export const program: Program = {
  name: "status",
  command: command({
    summary: SUMMARIES.status,
    options: OPTIONS,
    operands: NO_OPERANDS,
    examples: [
      ["Show the state of this machine", "model-sync status"],
      ["Show the last 50 runs", "model-sync status --runs 50"],
      ["Print the digest of the active release", "model-sync status --json | jq -r .current.digest"],
    ],
    run,
  }),
};

async function run(session: Session, flags: CommandFlags<typeof OPTIONS>): Promise<void> {
  const { context, output, settings, location } = session;
  const store = findStore(context.fs, location, context.log);
  const roles = configuredRoles(settings);
  const status = await readStatus(context, { settings, location, store, roles }, flags.runs ?? RUNS_SHOWN);
  const canary = status.canary === null ? [] : await canaryWords(status.canary);
  const heading = headingOf(session);
  const place = store ?? placeOf(context.fs, location);
  const advice = nextStep(settings, place, store);
  output.answer({ configFile: heading.configFile, ...status }, () => [
    ...headingLines(session, { ...heading, modelsDir: place.modelsDir }),
    ...lines(output, status, { canary, advice }, context.clock.now(), settings.time_zone),
  ]);
}

/** Returns the lines of the canary. The code is loaded only if there is one. */
async function canaryWords(canary: CanaryDescription): Promise<string[]> {
  const { canaryLines } = await import("../lib/canary/describe_canary.ts");
  return canaryLines(canary);
}

function lines(
  output: Output,
  status: Status,
  { canary, advice }: { readonly canary: readonly string[]; readonly advice: NextStep },
  now: Date,
  timeZone: string | undefined,
): string[] {
  return [
    ...releaseLines(output, status, advice, now),
    ...canaryStatusLines(output, status, canary),
    ...runningLines(output, status, now),
    ...runLines(output, status, now),
    ...quarantineLines(output, status),
    ...nextLines(output, status, now, timeZone),
    ...pauseLines(output, status, timeZone),
    ...daemonLines(output, status),
  ];
}

function releaseLines(output: Output, status: Status, advice: NextStep, now: Date): string[] {
  const { current, previous } = status;
  const title = output.paint("bold", "release");
  if (current === null) return [title, `  no release is active${advice.whenInactive}`];
  const others = status.releases.filter((release) => release !== current && release !== previous);
  const since = status.activatedAt === null ? "" : `, activated ${age(status.activatedAt, now)}`;
  return [
    title,
    `  active    ${releaseText(output, current)}${since}`,
    `            ${plural(current.files, "file")}, ${formatBytes(current.bytes)}, created ${
      age(current.createdAt, now)
    }`,
    ...(status.otherWriter === null ? [] : [
      `            ${output.paint("yellow", otherWriterText(status.otherWriter))}`,
    ]),
    ...(status.modelFolderFault === null ? [] : [
      `  ${
        output.paint("red", `consumers do not see it: the folder ${status.modelFolderFault}`)
      }${advice.whenUnseen}`,
    ]),
    ...(previous === null ? [] : [`  previous  ${releaseText(output, previous)}`]),
    ...others.map((release, index) =>
      `  ${index === 0 ? "older   " : "        "}  ${releaseText(output, release)}`
    ),
  ];
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

function runLines(output: Output, status: Status, now: Date): string[] {
  if (status.runs.length === 0) return [];
  const width = widestCommand(status.runs);
  return [
    output.paint("bold", "last runs"),
    ...status.runs.flatMap((run) => {
      const outcome = output.paint(run.error === undefined ? "green" : "red", run.outcome.padEnd(11));
      const detail = run.error?.code ?? (run.release === undefined ? "" : shortDigest(run.release));
      return [
        `  ${run.startedAt}  ${run.command.padEnd(width)}  ${outcome}  ${detail}  (${
          age(run.startedAt, now)
        })`,
        ...(run.error === undefined ? [] : [`    ${output.paint("dim", run.error.message)}`]),
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

if (import.meta.main) await main(program);
