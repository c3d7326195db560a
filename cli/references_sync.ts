import type { ReferencesSettings } from "../lib/config/sections/references.ts";
import { EXIT, type ExitCode, messageOf, ModelSyncError, UsageError } from "../lib/core/errors.ts";
import { type ListenAddress, parseListenAddress } from "../lib/daemon/listen_address.ts";
import { startWatchServer } from "../lib/daemon/watch_server.ts";
import {
  failureOfSync,
  NO_CHOICES,
  type PreparedSync,
  prepareSync,
  watchAndSync,
} from "../lib/references/prepare_sync.ts";
import { exitCodeOf, failuresOf } from "../lib/references/sync_failures.ts";
import type { CategoryReport, RepositoryReport, SyncReport } from "../lib/references/sync_references.ts";
import { type WatchEvent, watchLines } from "../lib/references/watch_event.ts";
import { openStore } from "../lib/store/store.ts";
import { command, type CommandFlags, main, type Program } from "./_command.ts";
import type { Session } from "./_session.ts";
import { SUMMARIES } from "./_help.ts";
import {
  choiceOption,
  folderOption,
  integerOption,
  listOption,
  type Options,
  switchOption,
  textOption,
} from "./_declaration.ts";
import { NO_OPERANDS } from "./_arguments.ts";
import { plural } from "../lib/core/format.ts";
import { oneLine } from "../lib/core/quote.ts";
import { changeLines } from "../lib/references/change_lines.ts";
import { nameBlocks } from "../lib/references/describe_changes.ts";
import type { KeptWork } from "../lib/references/proposal.ts";
import { reportJson } from "./_references_json.ts";
import { type Output, type Style, Verbatim } from "./_output.ts";

const REFERENCES = "References";

const OPTIONS = {
  dryRun: switchOption({
    group: "Options",
    brief: "Show the changes model by model; change nothing",
    setting: "references.dry_run",
    note: "needs no token",
  }),
  noPr: switchOption({
    group: "Options",
    brief: "Show or write the difference; open no pull request",
    setting: "references.no_pr",
  }),
  outputDir: folderOption({
    group: "Options",
    brief: "With --no-pr, folder for changed files and changes.diff",
    setting: "references.output_dir",
  }),
  watch: switchOption({
    group: "Options",
    brief: "Keep running; sync when PRIMARY's records change",
    setting: "references.watch.enabled",
  }),
  watchInterval: integerOption({
    group: "Options",
    placeholder: "SECONDS",
    brief: "Time between two requests to PRIMARY",
    setting: "references.watch.interval_sec",
    standard: 60,
  }, 1),
  watchStartupSync: switchOption({
    group: "Options",
    brief: "With --watch, also sync at the start",
    setting: "references.watch.startup_sync",
  }),
  healthListen: textOption({
    group: "Options",
    placeholder: "HOST:PORT",
    brief: "With --watch, serve /healthz and /metrics",
    note: "such as 127.0.0.1:9464",
  }),
  primaryUrl: textOption({
    group: REFERENCES,
    placeholder: "URL",
    brief: "Address of the PRIMARY server, with or without /api",
    setting: "references.primary_url",
  }),
  categories: listOption({
    group: REFERENCES,
    placeholder: "LIST",
    brief: "Categories to sync, separated by commas",
    setting: "references.categories",
    standard: "all that have a file",
  }),
  targetDir: folderOption({
    group: REFERENCES,
    brief: "Keep the repositories' clones here, as OWNER/NAME",
    setting: "references.target_dir",
  }),
  prStyle: choiceOption({
    group: REFERENCES,
    placeholder: "STYLE",
    brief: "One updated pull request, or one each time",
    setting: "references.pr.style",
    standard: "fixed",
  }, ["fixed", "timestamped"]),
  canonicalFormat: switchOption({
    group: REFERENCES,
    brief: "Rewrite whole files, like Python's json.dumps(indent=4)",
    setting: "references.canonical_format",
  }),
  force: switchOption({
    group: "Safety",
    brief: "Ignore the limits on changed and removed models",
    setting: "references.force",
  }),
  allowShrink: switchOption({
    group: "Safety",
    brief: "Accept that a category loses more than max_shrink",
  }),
  yes: switchOption({
    group: "Safety",
    brief: "Discard local changes in a clone below --target-dir",
  }),
} satisfies Options;

type SyncFlags = CommandFlags<typeof OPTIONS>;

export const program: Program = {
  name: "references-sync",
  command: command({
    summary: SUMMARIES["references-sync"],
    options: OPTIONS,
    operands: NO_OPERANDS,
    examples: [
      ["Show what differs", "model-sync references-sync --dry-run"],
      ["Sync two categories", "model-sync references-sync --categories image_generation,clip"],
      [
        "Write the changed files instead of a pull request",
        "model-sync references-sync --no-pr --output-dir out",
      ],
    ],
    run,
  }),
};

async function run(session: Session, flags: SyncFlags): Promise<ExitCode> {
  const { references } = session.settings;
  for (const warning of session.config.warnings) session.context.log.warn(warning);
  const plain = references.verbose ? inDetail(session) : session;
  const listen = listenAddress(flags.healthListen, references.watch.enabled);
  const sync = await prepareSync(plain, {
    discardsLocalChanges: flags.yes === true,
    allowShrink: flags.allowShrink === true,
    outputDir: flags.outputDir,
  });
  if (!references.watch.enabled) return exitCodeOf(await syncOnce(plain, sync));
  await watch(plain, sync, listen);
  // A watch ends when it is stopped, which is not a failure.
  return EXIT.done;
}

/** @throws {UsageError} code `FLAGS_CONFLICT` for an address of a sync that does not watch */
function listenAddress(text: string | undefined, isWatching: boolean): ListenAddress | undefined {
  if (text === undefined) return undefined;
  if (isWatching) return parseListenAddress(text, "--health-listen");
  throw new UsageError("Cannot serve /healthz for one sync: --health-listen is for a watch", {
    code: "FLAGS_CONFLICT",
    hint: "add --watch, or leave --health-listen out",
  });
}

async function watch(
  session: Session,
  sync: PreparedSync,
  listen: ListenAddress | undefined,
): Promise<void> {
  const { context, settings, location, output } = session;
  await using server = listen === undefined
    ? undefined
    : startWatchServer(context, openStore(context.fs, location, context.log), {
      address: listen,
      serve: (options, handler) => Deno.serve(options, handler),
      readSettings: () => Promise.resolve(settings),
      watch: settings.references.watch,
    });
  const onEvent = (event: WatchEvent) => {
    server?.onEvent(event);
    output.result(event, () => watchLines(event));
  };
  await watchAndSync(session, sync, (report) => show(session, report), onEvent);
}

/** Runs one sync as configured, without a watch. @throws the first failure of an incomplete sync */
export async function runReferencesSync(session: Session): Promise<void> {
  const plain = session.settings.references.verbose ? inDetail(session) : session;
  const failure = failureOfSync(await syncOnce(plain, await prepareSync(plain, NO_CHOICES)));
  if (failure !== undefined) throw failure;
}

async function syncOnce(session: Session, sync: PreparedSync): Promise<SyncReport> {
  const report = await sync.run();
  show(session, report);
  return report;
}

/** Returns the session with debug messages, for `HORDE_GITHUB_SYNC_VERBOSE_LOGGING`, which is part of the configuration. */
function inDetail(session: Session): Session {
  const output = session.output.inDetail();
  const log = session.wrapLog?.(output.log) ?? output.log;
  return { ...session, output, context: { ...session.context, log } };
}

function show({ output, settings: { references } }: Session, report: SyncReport): void {
  const isDryRun = references.dry_run;
  const json = reportJson(report, isDryRun);
  const text = () => reportLines(output, report, references);
  output.verdict(!isDryRun && failuresOf(report).length === 0, json, text);
}

const STYLES = { added: "green", removed: "red", modified: "yellow" } as const satisfies Record<
  string,
  Style
>;

/** The number of models of each kind that a summary names; a dry run names all. */
const NAMES_MAX = 5;

/** Returns the report as text. */
function reportLines(
  output: Output,
  report: SyncReport,
  references: ReferencesSettings,
): (string | Verbatim)[] {
  const { dry_run: isDryRun } = references;
  const changed = report.categories.flatMap((category) => categoryLines(output, category, isDryRun));
  const missing = report.categories.filter(({ status }) => status === "no-reference-file");
  return [
    ...changed,
    ...(missing.length === 0
      ? []
      : [`no reference file: ${missing.map(({ category }) => category).join(", ")}`, ""]),
    ...summaryLines(output, report, references),
    ...hintsOf(report).map((hint) => `${output.paint("dim", "next")}:  ${hint}`),
  ];
}

/** Returns the hints of the failures, each once: all categories fail alike when the server is down. */
function hintsOf(report: SyncReport): string[] {
  const hints = failuresOf(report).map((error) => error instanceof ModelSyncError ? error.hint : undefined);
  return [...new Set(hints.filter((hint) => hint !== undefined))];
}

function categoryLines(output: Output, report: CategoryReport, isDryRun: boolean): string[] {
  if (report.status === "failed") {
    return [output.paint("red", `✗ ${report.category}: Failed to scan - ${messageOf(report.error)}`), ""];
  }
  if (report.status !== "compared" || report.plan.changes.length === 0) return [];
  const { changes, files } = report.plan;
  const paths = [...files.keys()].join(", ");
  return [
    output.paint("bold", report.category) +
    output.paint("dim", `  ${report.repository} ${paths}, ${plural(changes.length, "change")}`),
    ...(isDryRun
      ? changes.flatMap(changeLines).map(({ kind, text }) => `  ${output.paint(STYLES[kind], text)}`)
      : nameBlocks(changes, NAMES_MAX).flat().map((line) => `  ${line}`)),
    "",
  ];
}

function summaryLines(
  output: Output,
  { categories, repositories, patchPath }: SyncReport,
  { dry_run: isDryRun, min_changes_threshold: changesMin }: ReferencesSettings,
): (string | Verbatim)[] {
  const compared = categories.filter(({ status }) => status !== "no-reference-file");
  const unreached = repositories.flatMap((report) => report.kind === "failed" ? [report.repository] : []);
  const failed = compared.filter((report) =>
    report.status === "failed" ||
    (report.status === "compared" && report.plan.changes.length > 0 && unreached.includes(report.repository))
  );
  const created = repositories.filter((report) => report.kind === "proposed" && report.outcome === "created");
  const isClean = failed.length === 0 &&
    repositories.every((report) => !("changes" in report && report.changes > 0));
  return [
    ...(isClean ? ["No changes detected across any categories", ""] : []),
    `Categories processed: ${compared.length}`,
    `Successful: ${compared.length - failed.length}`,
    failed.length === 0 ? "Failed: 0" : output.paint(
      "red",
      `Failed: ${failed.length} (${failed.map(({ category }) => category).join(", ")})`,
    ),
    ...(isDryRun ? [] : [`PRs created: ${created.length}`]),
    ...repositories.flatMap((report) => repositoryLines(output, report, changesMin)),
    ...(patchPath === undefined ? [] : [`  wrote ${patchPath}`]),
  ];
}

function repositoryLines(
  output: Output,
  report: RepositoryReport,
  changesMin: number,
): (string | Verbatim)[] {
  const { repository } = report;
  switch (report.kind) {
    case "shown":
      return report.changes === 0
        ? []
        : [`  ${repository}: a pull request with ${plural(report.changes, "change")} would be made`];
    case "below-threshold":
      return [tooFew(report, changesMin)];
    case "written":
      return [
        ...(report.written.length === 0 ? [new Verbatim(report.patch)] : []),
        ...report.written.map((path) => `  wrote ${path}`),
      ];
    case "proposed": {
      const { outcome, pullRequest } = report;
      if (outcome === "below-threshold") return [tooFew(report, changesMin)];
      if (pullRequest === undefined) return [];
      return [`  ${output.paint("cyan", pullRequest.url)} ${outcome}`, ...keptLines(report.kept)];
    }
    case "failed":
      return [output.paint("red", `  ${repository}: ${messageOf(report.error)}`)];
  }
}

function keptLines(kept: KeptWork | undefined): string[] {
  if (kept === undefined) return [];
  const { commits, models } = kept;
  const shown = models.slice(0, NAMES_MAX).map(oneLine).join(", ");
  const more = models.length > NAMES_MAX ? ` and ${models.length - NAMES_MAX} more` : "";
  const edits = models.length === 0
    ? ""
    : `; PRIMARY's records do not replace their edits of: ${shown}${more}`;
  return [`    keeps ${plural(commits, "commit")} of other authors on its branch${edits}`];
}

function tooFew({ repository, changes }: RepositoryReport, changesMin: number): string {
  return `  ${repository}: ${plural(changes, "change")}, fewer than min_changes_threshold (${changesMin}); ` +
    "to propose a pull request anyway, add --force";
}

if (import.meta.main) await main(program);
