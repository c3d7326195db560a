import { formatAge, formatBytes, formatDuration, plural } from "../lib/core/format.ts";
import { shortDigest } from "../lib/release/manifest.ts";
import { withdrawnWords } from "../lib/release/withdrawals.ts";
import type { RunningNow } from "../lib/status/find_run.ts";
import { shortRunId } from "../lib/status/select_runs.ts";
import type { RunRecord } from "../lib/store/history.ts";
import { otherWriterText } from "../lib/store/recorded_writer.ts";
import type { Run } from "../lib/wire/schema.ts";
import { durationText } from "../lib/store/run_duration.ts";
import type { Output } from "./_output.ts";
import { type Column, tableLines } from "./_table.ts";

/** With these widths, the usual table has 79 columns, and runs that are printed one by one are aligned. */
const COLUMNS: readonly Column[] = [
  { heading: "RUN", leftOut: 1 },
  { heading: "STARTED" },
  { heading: "COMMAND", widthMin: 11 },
  { heading: "OUTCOME", widthMin: 11 },
  { heading: "RELEASE", leftOut: 2 },
  { heading: "TOOK", align: "end", widthMin: 9, leftOut: 3 },
];

/** Returns a table of runs, with the error of a failed run below its row. */
export function runRows(
  output: Output,
  runs: readonly RunRecord[],
  { hasHeading }: { readonly hasHeading: boolean },
): string[] {
  const rows = runs.map((run) => ({
    cells: [
      shortRunId(run.runId),
      run.startedAt,
      run.command,
      { text: run.outcome, style: run.error === undefined ? "green" : "red" } as const,
      releaseOf(run) ?? "–",
      durationText(run),
    ],
    notes: run.error === undefined ? [] : [`${run.error.code}: ${run.error.message}`],
  }));
  return tableLines(output, COLUMNS, rows, { hasHeading });
}

/** Returns the release that the outcome of a run is about: of a withdrawal, not the newest one of the registry. */
export function releaseOf(
  { outcome, release, withdrawal }: Pick<Run, "outcome" | "release" | "withdrawal">,
): string | undefined {
  const digest = outcome === "withdrawn" || outcome === "reinstated" ? withdrawal?.digest : release;
  return digest === undefined ? undefined : shortDigest(digest);
}

/** Returns everything that is known of a run. */
export function runDetails(output: Output, run: RunRecord | RunningNow, now: Date): string[] {
  const ageMs = now.getTime() - Date.parse(run.startedAt);
  const age = Number.isNaN(ageMs) ? "" : `  (${formatAge(ageMs)})`;
  const facts: (readonly [name: string, text: string])[] = [
    ["run", run.runId],
    ["command", `${run.command} on ${run.host}`],
    ["started", `${run.startedAt}${age}`],
    ...(run.outcome === "running" ? runningFacts(run) : recordedFacts(output, run)),
  ];
  return [
    ...facts.map(([name, text]) => `${output.paint("bold", name.padEnd(FACT_CHARS))}  ${text}`),
    ...stepLines(output, run),
    ...(run.outcome === "running" ? [] : [...pullRequestLines(output, run), ...logLines(output, run)]),
  ];
}

/** The longest name of a fact is "withdrawal". */
const FACT_CHARS = 10;

function runningFacts({ step }: RunningNow): (readonly [string, string])[] {
  return [["outcome", `running now: ${step ?? "starting"}`]];
}

function recordedFacts(output: Output, run: RunRecord): (readonly [string, string])[] {
  const { release, previous, sequence, carrier, revision, signer, error, otherWriter, withdrawal } = run;
  const named = sequence === undefined ? "" : ` sequence ${sequence}`;
  const before = previous === undefined ? "" : `, before it ${shortDigest(previous)}`;
  const moved = movedText(run);
  return [
    ["took", durationText(run)],
    ["outcome", output.paint(error === undefined ? "green" : "red", run.outcome)],
    ...(error === undefined ? [] : [["error", `${error.code}: ${error.message}`] as const]),
    ...(error?.hint === undefined ? [] : [["next", error.hint] as const]),
    ...(release === undefined ? [] : [["release", `${shortDigest(release)}${named}${before}`] as const]),
    ...(carrier === undefined ? [] : [["from", fromText(carrier, revision)] as const]),
    ...(otherWriter === undefined ? [] : [["writer", otherWriterText(otherWriter)] as const]),
    ...(moved === "" ? [] : [["files", moved] as const]),
    ...(withdrawal === undefined ? [] : [
      [
        "withdrawal",
        `${withdrawal.state}: ${shortDigest(withdrawal.digest)} ${withdrawnWords(withdrawal)}`,
      ] as const,
    ]),
    ...(signer === undefined ? [] : [["signed by", `key ${signer.slice(0, SIGNER_CHARS)}`] as const]),
  ];
}

/** Enough digits to distinguish the keys of a fleet, as on the dashboard. */
export const SIGNER_CHARS = 12;

/** Returns the carrier with its revision: `git 1a2b3c4d5e6f`. */
export function fromText(carrier: string, revision: string | undefined): string {
  if (revision === undefined) return carrier;
  return `${carrier} ${/^[0-9a-f]{40,64}$/.test(revision) ? revision.slice(0, COMMIT_CHARS) : revision}`;
}

/** As in git's own messages about long histories. */
const COMMIT_CHARS = 12;

function movedText({ files, bytes, changed, writtenBytes }: RunRecord): string {
  return [
    ...(files === undefined ? [] : [plural(files, "file")]),
    ...(bytes === undefined ? [] : [formatBytes(bytes)]),
    ...(changed === undefined ? [] : [`${changed} changed`]),
    ...(writtenBytes === undefined ? [] : [`${formatBytes(writtenBytes)} written or sent`]),
  ].join(", ");
}

function stepLines(output: Output, { steps = [] }: Pick<RunRecord, "steps">): string[] {
  if (steps.length === 0) return [];
  const width = Math.max(...steps.map(({ name }) => name.length));
  return [
    output.paint("bold", "steps"),
    ...steps.map(({ name, startMs, durationMs }) =>
      `  ${name.padEnd(width)}  ${formatDuration(durationMs)}, after ${formatDuration(startMs)}`
    ),
  ];
}

function pullRequestLines(output: Output, { pullRequests = [] }: RunRecord): string[] {
  if (pullRequests.length === 0) return [];
  return [
    output.paint("bold", "pull requests"),
    ...pullRequests.map(({ repository, number, outcome, url, changes }) =>
      `  ${url ?? `${repository}${number === undefined ? "" : `#${number}`}`}  ${outcome}, ${
        plural(changes, "change")
      }`
    ),
  ];
}

function logLines(output: Output, { log = [] }: RunRecord): string[] {
  return log.length === 0 ? [] : [output.paint("bold", "last log lines"), ...log.map((line) => `  ${line}`)];
}
