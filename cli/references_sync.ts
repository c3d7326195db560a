import { buildCommand } from "@stricli/core";
import {
  AuthenticationError,
  EXIT,
  type ExitCode,
  FailedError,
  ModelSyncError,
  UsageError,
} from "../lib/core/errors.ts";
import type { Context } from "../lib/core/context.ts";
import { loggedHttp } from "../lib/http/logged_http.ts";
import type { ReferencesSettings } from "../lib/config/sections/references.ts";
import { GitHubClient } from "../lib/github/github_client.ts";
import { fullName } from "../lib/references/git/repository_address.ts";
import type { PrimaryClient } from "../lib/references/primary_client.ts";
import { openSyncParts } from "../lib/references/open_sync_parts.ts";
import type { ProposalOptions } from "../lib/references/proposal.ts";
import { exitCodeOf, failuresOf, resultOf } from "../lib/references/sync_failures.ts";
import {
  type SyncMode,
  type SyncOptions,
  syncReferences,
  type SyncReport,
} from "../lib/references/sync_references.ts";
import { openStore, stateDirOf } from "../lib/store/store.ts";
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
import { watchReferences } from "../lib/references/watch.ts";
import { watchLines } from "../lib/references/watch_lines.ts";
import { referencesToken } from "../lib/references/references_token.ts";
import { openReferencesState } from "../lib/references/references_state.ts";
import { GITHUB_TIMEOUT_MS, type GitHubToken, githubUrls } from "../lib/github/github_access.ts";
import { NO_STEPS } from "../lib/pipeline/current_run.ts";
import { openSinks } from "../lib/pipeline/open_sinks.ts";
import { recordedSync } from "../lib/references/recorded_sync.ts";
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
  const sync = await prepare(plain, flags);
  if (references.watch.enabled) return await watch(plain, sync);
  return exitCodeOf(await syncOnce(plain, sync));
}

/** Runs one sync as configured, whatever is configured of a watch. @throws the first failure of an incomplete sync */
export async function runReferencesSync(session: Session): Promise<void> {
  const plain = session.settings.references.verbose ? inDetail(session) : session;
  const [failure, ...others] = failuresOf(await syncOnce(plain, await prepare(plain, {})));
  if (failure !== undefined) throw incomplete(failure, others.length);
}

async function syncOnce(session: Session, sync: PreparedSync): Promise<SyncReport> {
  const report = await sync.run();
  show(session, report);
  return report;
}

/** Syncs whenever PRIMARY's records change. Being stopped is how a watch ends. */
async function watch(session: Session, prepared: PreparedSync): Promise<ExitCode> {
  const { primary } = prepared;
  const { context, output, settings, location } = session;
  const { references } = settings;
  const { interval_sec, initial_delay_sec, startup_sync } = references.watch;
  const { clock, log, signal } = context;
  await watchReferences({
    clock,
    log,
    signal,
    primaryUrl: primary.shownUrl,
    intervalSec: interval_sec,
    initialDelaySec: initial_delay_sec,
    startupSync: startup_sync,
    poll: () => primary.lastUpdated(),
    sync: async () => resultOf(await syncOnce(session, prepared)),
    retriesParts: references.pr.style === "fixed",
    state: await openReferencesState(context, {
      folder: stateDirOf(context.fs, location),
      scope: {
        primaryUrl: primary.shownUrl,
        repositories: [references.image_repository, references.text_repository].map(fullName),
        categories: references.categories,
      },
      isReadOnly: references.dry_run || references.no_pr,
    }),
    onEvent: (event) => output.result(event, () => watchLines(event)),
  });
  return EXIT.done;
}

function incomplete(failure: unknown, others: number): unknown {
  if (others === 0 || !(failure instanceof Error)) return failure;
  const Kind = failure instanceof AuthenticationError ? AuthenticationError : FailedError;
  return new Kind(`${failure.message}; and ${others} more`, {
    code: "SYNC_INCOMPLETE",
    cause: failure,
    hint: failure instanceof ModelSyncError ? failure.hint : undefined,
  });
}

/** `HORDE_GITHUB_SYNC_VERBOSE_LOGGING` is known only when the configuration is read. */
function inDetail(session: Session): Session {
  const output = session.output.inDetail();
  const log = session.wrapLog?.(output.log) ?? output.log;
  return { ...session, output, context: { ...session.context, log } };
}

/** A sync that can be run again and again. */
interface PreparedSync {
  readonly run: () => Promise<SyncReport>;
  readonly primary: PrimaryClient;
}

async function prepare(
  session: Session,
  { yes = false, allowShrink = false, outputDir }: Flags,
): Promise<PreparedSync> {
  const { references } = session.settings;
  const context = { ...session.context, http: loggedHttp(session.context) };
  const isProposing = !references.dry_run && !references.no_pr;
  // Whoever wants to look at files first has not asked for a pull request.
  if (isProposing && outputDir !== undefined) throw twoWishes(outputDir);
  const token = referencesToken(context, isProposing);
  const mode = await openMode(context, references, token);
  const parts = openSyncParts(context, references, {
    token,
    isDryRun: mode.kind === "dry-run",
    discardLocalChanges: yes,
  });
  const options: Omit<SyncOptions, "run"> = {
    categories: references.categories,
    mode,
    proposal: {
      ...proposalOptions(references, parts.primary.shownUrl),
      allowShrink: allowShrink || references.force,
    },
  };
  const isRecorded = mode.kind !== "dry-run";
  return {
    primary: parts.primary,
    run: () =>
      isRecorded
        ? recorded(session, (run, observed) => syncReferences(observed, parts, { ...options, run }))
        : syncReferences(context, parts, { ...options, run: NO_STEPS }),
  };
}

async function recorded(
  { context, settings, location, waitsForLock = false }: Session,
  work: Parameters<typeof recordedSync>[3],
): Promise<SyncReport> {
  const store = openStore(context.fs, location, context.log);
  const sinks = await openSinks(settings, store);
  return await recordedSync(context, store, { sinks, waitsForLock }, work);
}

async function openMode(
  context: Context,
  references: ReferencesSettings,
  token: GitHubToken,
): Promise<SyncMode> {
  const { dry_run, no_pr, output_dir, pr } = references;
  if (dry_run) return { kind: "dry-run" };
  if (no_pr) return { kind: "offline", outputDir: output_dir };
  if (token === undefined) throw noToken(references);
  // One client for all: the pause between two writes is one for the token, not for a repository.
  const access = { ...githubUrls(context.env), token, timeoutMs: GITHUB_TIMEOUT_MS };
  return { kind: "propose", style: pr.style, client: await GitHubClient.open(context, access) };
}

function proposalOptions(
  references: ReferencesSettings,
  primaryUrl: string,
): Omit<ProposalOptions, "allowShrink"> {
  const { pr, force, min_changes_threshold, max_shrink, canonical_format } = references;
  return {
    format: canonical_format ? "canonical" : "keep",
    branch: pr.branch,
    labels: pr.labels,
    reviewers: pr.reviewers,
    team: pr.team,
    changesMin: force ? 0 : min_changes_threshold,
    maxShrink: max_shrink,
    primaryUrl,
  };
}

function twoWishes(outputDir: string): UsageError {
  return new UsageError(`Cannot write to --output-dir ${outputDir} and make pull requests`, {
    code: "FLAGS_CONFLICT",
    hint: "add --no-pr to get the files, or leave --output-dir out",
  });
}

function noToken({ image_repository, text_repository }: ReferencesSettings): AuthenticationError {
  return new AuthenticationError(
    `Cannot make pull requests in ${fullName(image_repository)} and ${
      fullName(text_repository)
    }: no token is set`,
    {
      code: "TOKEN_MISSING",
      hint:
        "set GITHUB_TOKEN or HORDE_GITHUB_SYNC_GITHUB_TOKEN, or the GITHUB_APP_* variables; --dry-run needs none",
    },
  );
}

function show({ output, settings }: Session, report: SyncReport): void {
  const isDryRun = settings.references.dry_run;
  const json = reportJson(report, isDryRun);
  const text = () => reportLines(output, report, isDryRun);
  output.verdict(!isDryRun && failuresOf(report).length === 0, json, text);
}

if (import.meta.main) await main(program);
