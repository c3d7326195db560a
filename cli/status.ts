import { UNREADABLE_HINT } from "../lib/canary/canary_state.ts";
import { isUnconfigured } from "../lib/config/load.ts";
import { EXIT, type ExitCode, UsageError } from "../lib/core/errors.ts";
import { formatAge, formatBytes, formatDuration, formatLocalTime, plural } from "../lib/core/format.ts";
import { shortDigest } from "../lib/release/manifest.ts";
import { withdrawnWords } from "../lib/release/withdrawals.ts";
import { type NextStep, nextStep } from "../lib/status/next_step.ts";
import type { CanaryDescription, Status, StatusRelease } from "../lib/wire/schema.ts";
import { readStatus } from "../lib/status/read_status.ts";
import { machineRoles, machineUse } from "../lib/status/machine_use.ts";
import { upToSequence, withoutWithdrawn } from "../lib/store/quarantine.ts";
import { findStore, placeOf } from "../lib/store/store.ts";
import { command, type CommandFlags, main, type Program } from "./_command.ts";
import { headingLines, headingOf, type Session } from "./_session.ts";
import { otherWriterText } from "../lib/store/recorded_writer.ts";
import { SUMMARIES } from "./_help.ts";
import { releaseOf } from "./_runs.ts";
import { integerOption, type Operands, type Options, switchOption } from "./_declaration.ts";
import type { Output } from "./_output.ts";
import { noteLines } from "./_table.ts";
import { type Look, watchState } from "./_watch.ts";

/** The number of runs that fits on a screen with the rest. */
const RUNS_SHOWN = 5;

const OPTIONS = {
  runs: integerOption({
    group: "Options",
    placeholder: "COUNT",
    brief: "Number of recent runs to show",
    standard: RUNS_SHOWN,
  }, 0),
  watch: switchOption({
    group: "Options",
    short: "w",
    brief: "Show changes until you press Ctrl-C",
    note: "exit code 0",
  }),
} satisfies Options;

type StatusFlags = CommandFlags<typeof OPTIONS>;

const WATCH_SECONDS = 2;

/** A timer holds at most 24 days. */
const WATCH_SECONDS_MAX = 86_400;

/** `status --watch 5` */
const SECONDS: Operands<number | undefined> = {
  usage: "[SECONDS]",
  brief: `The time between two looks of --watch (default: ${WATCH_SECONDS})`,
  choices: ["1", "2", "10", "60"],
  parse: ([text, excess]) => {
    if (text === undefined) return undefined;
    const seconds = /^\d{1,6}$/.test(text) ? Number(text) : 0;
    if (excess === undefined && seconds >= 1 && seconds <= WATCH_SECONDS_MAX) return seconds;
    throw new UsageError(
      `Cannot use the argument "${
        excess ?? text
      }": with --watch, the command takes a number of seconds from 1 to ${WATCH_SECONDS_MAX}`,
      { code: "USAGE" },
    );
  },
};

export const program: Program = {
  name: "status",
  command: command({
    summary: SUMMARIES.status,
    options: OPTIONS,
    operands: SECONDS,
    examples: [
      ["Show the state of this machine", "model-sync status"],
      ["Follow a pull, with a look each second", "model-sync status --watch 1"],
      ["Show the last 50 runs", "model-sync status --runs 50"],
      ["Print the digest of the active release", "model-sync status --json | jq -r .current.digest"],
    ],
    run,
  }),
};

async function run(session: Session, flags: StatusFlags, seconds: number | undefined): Promise<ExitCode> {
  if (flags.watch === true) {
    let warns = true;
    await watchState(session, (seconds ?? WATCH_SECONDS) * 1000, () => {
      const looked = look(session, flags, warns);
      warns = false;
      return looked;
    });
    return EXIT.done;
  }
  if (seconds !== undefined) {
    throw new UsageError(`Cannot use the argument "${seconds}": it is for --watch, which is missing`, {
      code: "USAGE",
      hint: `model-sync status --watch ${seconds}`,
    });
  }
  const { json, lines, isDamaged } = await look(session, flags, true);
  session.output.answer(json, lines);
  return isDamaged ? EXIT.refused : EXIT.done;
}

/** @param warns whether to log damage in the store: once is enough */
async function look(
  session: Session,
  flags: StatusFlags,
  warns: boolean,
): Promise<Look & { readonly isDamaged: boolean }> {
  const { context, output, config, settings, location } = session;
  const store = findStore(context.fs, location, warns ? context.log : undefined);
  const roles = machineRoles(config, await machineUse(context, location));
  // The text does not show the free space, and reading it would cost as much as the start of Deno.
  const seen = output.options.json ? context : { ...context, freeBytes: () => Promise.resolve(undefined) };
  const status = await readStatus(seen, { settings, location, store, roles }, flags.runs ?? RUNS_SHOWN);
  const canary = status.canary === null ? [] : await canaryWords(status.canary);
  const heading = headingOf(session);
  const place = store ?? placeOf(context.fs, location);
  const advice = nextStep(roles, place, store, isUnconfigured(config));
  return {
    json: { configFile: heading.configFile, ...status },
    mark: JSON.stringify({ ...status, freeBytes: null }),
    isDamaged: typeof status.currentFault === "string",
    lines: () => [
      ...headingLines(session, { ...heading, modelsDir: place.modelsDir }),
      ...lines(output, status, { canary, advice }, context.clock.now(), settings.time_zone),
    ],
  };
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

if (import.meta.main) await main(program);
