import { buildCommand } from "@stricli/core";
import { EXIT, type ExitCode } from "../lib/core/errors.ts";
import {
  failureOfSync,
  NO_CHOICES,
  type PreparedSync,
  prepareSync,
  watchAndSync,
} from "../lib/references/prepare_sync.ts";
import { exitCodeOf, failuresOf } from "../lib/references/sync_failures.ts";
import type { SyncReport } from "../lib/references/sync_references.ts";
import type { WatchEvent } from "../lib/references/watch_event.ts";
import {
  COMMON_ALIASES,
  COMMON_FLAGS,
  type CommonFlags,
  type FlagSettings,
  integerFlag,
  switchFlag,
  textFlag,
} from "./_options.ts";
import { defineProgram, type Invocation, main, type Program, withSession } from "./_command.ts";
import type { Session } from "./_session.ts";
import { watchLines } from "../lib/references/watch_lines.ts";
import { reportJson, reportLines } from "./_references_report.ts";
import { SUMMARIES } from "./_help.ts";

interface Flags extends CommonFlags {
  readonly primaryUrl?: string;
  readonly categories?: readonly string[];
  readonly dryRun?: boolean;
  readonly force?: boolean;
  readonly allowShrink?: boolean;
  readonly targetDir?: string;
  readonly yes?: boolean;
  readonly watch?: boolean;
  readonly watchInterval?: number;
  readonly watchStartupSync?: boolean;
  readonly noPr?: boolean;
  readonly outputDir?: string;
  readonly prStyle?: "fixed" | "timestamped";
  readonly canonicalFormat?: boolean;
}

const REFERENCE_FLAG_SETTINGS: FlagSettings = {
  primaryUrl: ["references", "primary_url"],
  categories: ["references", "categories"],
  dryRun: ["references", "dry_run"],
  force: ["references", "force"],
  targetDir: ["references", "target_dir"],
  watch: ["references", "watch", "enabled"],
  watchInterval: ["references", "watch", "interval_sec"],
  watchStartupSync: ["references", "watch", "startup_sync"],
  noPr: ["references", "no_pr"],
  outputDir: ["references", "output_dir"],
  prStyle: ["references", "pr", "style"],
  canonicalFormat: ["references", "canonical_format"],
};

export const program: Program = defineProgram(
  "references-sync",
  buildCommand<Flags, [], Invocation>({
    docs: { brief: SUMMARIES["references-sync"] },
    parameters: {
      flags: {
        ...COMMON_FLAGS,
        primaryUrl: textFlag("address of the PRIMARY server, with or without /api"),
        categories: {
          kind: "parsed",
          parse: splitList,
          optional: true,
          brief: "the categories to sync, separated by commas (default: all that have a file)",
        },
        dryRun: switchFlag("show what would change, model by model; needs no token, changes nothing"),
        force: switchFlag("open a pull request whatever the number of changed or removed models"),
        allowShrink: switchFlag("propose changes that remove more of a category's models than max_shrink"),
        targetDir: textFlag("keep the clones of the repositories in this folder, as <owner>/<name>"),
        yes: switchFlag("discard local changes in a clone below --target-dir"),
        watch: switchFlag("keep running, and sync when PRIMARY's records change"),
        watchInterval: integerFlag("seconds between two requests to PRIMARY (default: 60)", 1),
        watchStartupSync: switchFlag("with --watch: also sync at the start"),
        noPr: switchFlag("open no pull request: show the difference, or write it to --output-dir"),
        outputDir: textFlag("with --no-pr: the folder for the changed files and changes.diff"),
        prStyle: {
          kind: "enum",
          values: ["fixed", "timestamped"],
          optional: true,
          brief: "one pull request that is updated, or a new one each time (default: fixed)",
        },
        canonicalFormat: switchFlag("rewrite whole files, as Python's json.dumps(indent=4) does"),
      },
      aliases: COMMON_ALIASES,
    },
    func: withSession(run, REFERENCE_FLAG_SETTINGS),
  }),
);

function splitList(text: string): string[] {
  return text.split(",").map((part) => part.trim()).filter((part) => part !== "");
}

async function run(session: Session, flags: Flags): Promise<ExitCode> {
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
