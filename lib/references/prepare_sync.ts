import type { ReferencesSettings } from "../config/sections/references.ts";
import type { Context } from "../core/context.ts";
import { AuthenticationError, FailedError, ModelSyncError, UsageError } from "../core/errors.ts";
import { loggedHttp } from "../http/logged_http.ts";
import { GITHUB_TIMEOUT_MS, type GitHubToken, githubUrls } from "../github/github_access.ts";
import { GitHubClient } from "../github/github_client.ts";
import { NO_STEPS } from "../pipeline/current_run.ts";
import { openSinks } from "../pipeline/open_sinks.ts";
import type { CommandScope } from "../pipeline/reported_run.ts";
import { openStore, stateDirOf } from "../store/store.ts";
import { fullName } from "./git/repository_address.ts";
import { openSyncParts, referencesToken } from "./open_sync_parts.ts";
import type { PrimaryClient } from "./primary_client.ts";
import type { ProposalOptions } from "./proposal.ts";
import { recordedSync } from "./recorded_sync.ts";
import { openReferencesState } from "./references_state.ts";
import { failuresOf, resultOf } from "./sync_failures.ts";
import { type SyncMode, type SyncOptions, syncReferences, type SyncReport } from "./sync_references.ts";
import { watchReferences } from "./watch.ts";
import type { WatchEvent } from "./watch_event.ts";

/** The operator's choices for one sync, besides the settings. */
export interface SyncChoices {
  /** Whether a kept clone may lose its local changes. */
  readonly discardsLocalChanges: boolean;
  readonly allowShrink: boolean;
  /** `--output-dir` of this command line. */
  readonly outputDir: string | undefined;
}

/** The choices of a sync that no operator starts. */
export const NO_CHOICES: SyncChoices = {
  discardsLocalChanges: false,
  allowShrink: false,
  outputDir: undefined,
};

/** A sync whose settings were read. It can be run again and again. */
export interface PreparedSync {
  /** Runs the sync, as a recorded run unless it is a dry run. */
  readonly run: () => Promise<SyncReport>;
  readonly primary: PrimaryClient;
}

/**
 * Reads the settings of a sync, and throws what is wrong with them before anything is requested or stored.
 *
 * @throws {UsageError} code `FLAGS_CONFLICT`; {@link AuthenticationError} code `TOKEN_MISSING`
 */
export async function prepareSync(
  scope: CommandScope,
  { discardsLocalChanges, allowShrink, outputDir }: SyncChoices,
): Promise<PreparedSync> {
  const { references } = scope.settings;
  const context = { ...scope.context, http: loggedHttp(scope.context) };
  const isProposing = !references.dry_run && !references.no_pr;
  // An output folder on the command line is for inspecting files: a pull request was not requested then.
  if (isProposing && outputDir !== undefined) throw conflict(outputDir);
  const token = referencesToken(context, isProposing);
  const mode = await openMode(context, references, token);
  const parts = openSyncParts(context, references, {
    token,
    isDryRun: mode.kind === "dry-run",
    discardLocalChanges: discardsLocalChanges,
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
        ? recorded(scope, (run, observed) => syncReferences(observed, parts, { ...options, run }))
        : syncReferences(context, parts, { ...options, run: NO_STEPS }),
  };
}

/**
 * Syncs whenever PRIMARY's records change, until the signal is aborted.
 *
 * @param onReport called with the report of every sync
 * @param onEvent called with everything that the watch notices
 */
export async function watchAndSync(
  { context, settings, location }: CommandScope,
  { primary, run }: PreparedSync,
  onReport: (report: SyncReport) => void,
  onEvent: (event: WatchEvent) => void,
): Promise<void> {
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
    sync: async () => {
      const report = await run();
      onReport(report);
      return resultOf(report);
    },
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
    onEvent,
  });
}

/** Returns what to throw for an incomplete sync; `undefined` for a complete one. */
export function failureOfSync(report: SyncReport): unknown {
  const [failure, ...others] = failuresOf(report);
  if (others.length === 0 || !(failure instanceof Error)) return failure;
  const Kind = failure instanceof AuthenticationError ? AuthenticationError : FailedError;
  return new Kind(`${failure.message}; and ${others.length} more`, {
    code: "SYNC_INCOMPLETE",
    cause: failure,
    hint: failure instanceof ModelSyncError ? failure.hint : undefined,
  });
}

async function recorded(
  { context, settings, location, waitsForLock = false }: CommandScope,
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
  // One client for both repositories: GitHub's pause between two writes is per token.
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

function conflict(outputDir: string): UsageError {
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
