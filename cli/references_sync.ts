import { EXIT, type ExitCode } from "../lib/core/errors.ts";
import {
  failureOfSync,
  NO_CHOICES,
  type PreparedSync,
  prepareSync,
  watchAndSync,
} from "../lib/references/prepare_sync.ts";
import { exitCodeOf, failuresOf } from "../lib/references/sync_failures.ts";
import { type SyncReport } from "../lib/references/sync_references.ts";
import type { WatchEvent } from "../lib/references/watch_event.ts";
import { command, type CommandFlags, main, type Program } from "./_command.ts";
import type { Session } from "./_session.ts";
import { watchLines } from "../lib/references/watch_lines.ts";
import { reportJson, reportLines } from "./_references_report.ts";
import { SUMMARIES } from "./_help.ts";
import {
  choiceOption,
  integerOption,
  listOption,
  type Options,
  switchOption,
  textOption,
} from "./_declaration.ts";
import { NO_OPERANDS } from "./_arguments.ts";

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
  outputDir: textOption({
    group: "Options",
    placeholder: "DIR",
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
  targetDir: textOption({
    group: REFERENCES,
    placeholder: "DIR",
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
  const sync = await prepareSync(plain, {
    discardsLocalChanges: flags.yes === true,
    allowShrink: flags.allowShrink === true,
    outputDir: flags.outputDir,
  });
  if (!references.watch.enabled) return exitCodeOf(await syncOnce(plain, sync));
  const { output } = plain;
  const onEvent = (event: WatchEvent) => output.result(event, () => watchLines(event));
  await watchAndSync(plain, sync, (report) => show(plain, report), onEvent);
  // A watch ends only when it is stopped: that is not a failure.
  return EXIT.done;
}

/** Runs one sync as configured, whatever is configured of a watch. @throws the first failure of an incomplete sync */
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

/** `HORDE_GITHUB_SYNC_VERBOSE_LOGGING` is known only when the configuration is read. */
function inDetail(session: Session): Session {
  const output = session.output.inDetail();
  const log = session.wrapLog?.(output.log) ?? output.log;
  return { ...session, output, context: { ...session.context, log } };
}

function show({ output, settings }: Session, report: SyncReport): void {
  const isDryRun = settings.references.dry_run;
  const json = reportJson(report, isDryRun);
  const text = () => reportLines(output, report, isDryRun);
  output.verdict(!isDryRun && failuresOf(report).length === 0, json, text);
}

if (import.meta.main) await main(program);
