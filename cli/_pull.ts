import type { FlagParametersForType } from "@stricli/core";
import type { Source } from "../lib/carriers/carrier.ts";
import { givesSection } from "../lib/config/load.ts";
import { messageOf } from "../lib/core/errors.ts";
import { TemporaryFolder } from "../lib/core/folders.ts";
import type { OtherWriterSetting } from "../lib/config/choices.ts";
import { pull, type PullReport } from "../lib/pipeline/pull.ts";
import { type PlannedFolder, planPull, type PullPlan } from "../lib/pipeline/plan_pull.ts";
import { type CanaryState, UNREADABLE_MEND } from "../lib/canary/canary_state.ts";
import { canaryFault, openCanary } from "../lib/canary/find_canary.ts";
import { questionBeforePull, refuseTrainedFolder } from "../lib/pipeline/trained_folder.ts";
import type { RunOptions } from "../lib/pipeline/run.ts";
import type { Timed } from "../lib/pipeline/run_report.ts";
import { countChanges } from "../lib/release/changes.ts";
import { shortDigest, totalBytes } from "../lib/release/manifest.ts";
import type { IntentRun } from "../lib/store/intent.ts";
import { activeManifest } from "../lib/store/pointers.ts";
import { isUnused, removeUnused } from "../lib/store/unused_store.ts";
import { planMode } from "../lib/store/model_folder.ts";
import { findStore, openStore, placeOf, type Store } from "../lib/store/store.ts";
import { changeLines, type Output } from "./_output.ts";
import { type CommonFlags, switchFlag } from "./_options.ts";
import { narrowPermissions, type Need, type Session } from "./_session.ts";
import { awaitVerdict } from "../lib/pipeline/await_verdict.ts";
import { otherWriterText } from "../lib/store/recorded_writer.ts";
import { runRecorded, signaturePolicy } from "./_run.ts";
import { safeguardsOf } from "../lib/pipeline/safeguards.ts";
import { formatBytes, formatDuration, plural } from "../lib/core/format.ts";
import type { CommandName } from "./_help.ts";

/** Options of every command that pulls. */
export interface PullingFlags extends CommonFlags {
  readonly adopt?: boolean;
  readonly allowDowngrade?: boolean;
  readonly force?: boolean;
  readonly dryRun?: boolean;
  readonly waitCanary?: boolean;
}

/** Of the commands whose carrier other programs write to. */
export interface OtherWriterFlags {
  readonly acceptOtherWriters?: boolean;
}

/** The option that stands for `model_sync.client.other_writers`. */
export const OTHER_WRITERS_FLAG = switchFlag(
  "take files that another program changed after model-sync published them",
);

export const PULLING_FLAGS: FlagParametersForType<Omit<PullingFlags, keyof CommonFlags>> = {
  adopt: switchFlag("replace the model folder even if this machine trains into it"),
  allowDowngrade: switchFlag("accept a release that is older than the active one"),
  force: switchFlag("accept a quarantined release; download and check an unchanged one again"),
  dryRun: switchFlag("show what would change, and change nothing"),
  waitCanary: switchFlag("wait for the verdict of the canary, and roll back if it fails"),
};

/** How a command pulls, whichever its carrier. */
export interface Pulling<Pulled extends Source> {
  readonly command: CommandName;
  /** What the carrier needs, besides what is configured around it. */
  readonly needs: readonly Need[];
  /** Checks the settings of the carrier before there is a store. @throws {UsageError} */
  readonly check?: () => unknown;
  /** Says why now is not the time; the run is then recorded as unchanged. */
  readonly skip?: (store: Store) => string | undefined;
  /** What the run waits for before it takes the store's lock. */
  readonly prepare?: RunOptions["prepare"];
  /** Opens the carrier for a run. */
  readonly open: (store: Store, run: IntentRun) => Pulled | Promise<Pulled>;
  /** What the carrier adds to the result. */
  readonly details?: (source: Pulled, report: PullReport) => Record<string, unknown>;
  /** While the carrier is away, an active release that is whole will do. */
  readonly isOfflineOk?: boolean;
}

/** One pull, recorded and shown. */
export async function runPulling<Pulled extends Source>(
  session: Session,
  flags: PullingFlags & OtherWriterFlags,
  pulling: Pulling<Pulled>,
): Promise<void> {
  narrowPermissions(session, pulling.needs);
  if (findStore(session.context.fs, session.location) === undefined) pulling.check?.();
  await inStore(session, (store) => pullInto(session, store, flags, pulling));
}

/**
 * Does a pull's work in its store. A pull that fails in an unused folder leaves no store behind, unless its failure is
 * reported: without its record, the next failure would send the same alert again.
 */
export async function inStore(session: Session, work: (store: Store) => Promise<void>): Promise<void> {
  const { context, location, config } = session;
  const isReported = givesSection(config, "alerts") || givesSection(config, "report");
  const wasUnused = !isReported && isUnused(context, location);
  const store = openStore(context.fs, location, context.log);
  try {
    await work(store);
  } catch (error) {
    if (wasUnused) {
      // The reason of the failed pull matters more.
      await removeUnused(context, store).catch((failure) => context.log.debug(messageOf(failure)));
    }
    throw error;
  }
}

/** Whether a folder that this machine trains into may be replaced: by the option, or by a person at the terminal. */
async function mayAdopt(session: Session, store: Store, flags: PullingFlags): Promise<boolean> {
  const { context, output, settings, waitsForLock = false } = session;
  if (flags.adopt === true) return true;
  // A daemon never waits for an answer.
  if (waitsForLock || !output.canAsk) return false;
  const sign = questionBeforePull(store, settings.activation.mode);
  if (sign === undefined) return false;
  const question =
    `This machine trains into ${store.modelsDir} (${sign}). Replace that folder with the pulled release? ` +
    "Later trainings must write to another folder.";
  return await output.ask(question, context.signal);
}

async function pullInto<Pulled extends Source>(
  session: Session,
  store: Store,
  flags: PullingFlags & OtherWriterFlags,
  { command, skip, prepare, open, details, isOfflineOk = false }: Pulling<Pulled>,
): Promise<void> {
  const { context, output, settings } = session;
  const adopts = await mayAdopt(session, store, flags);
  const report = await runRecorded(
    session,
    store,
    command,
    async (run, observed) => {
      const reason = skip?.(store);
      if (reason !== undefined) {
        observed.log.info(reason);
        return { ...skippedPull(store), details: { skipped: reason } };
      }
      await using source = await open(store, run);
      const pulled = await pull(observed, store, source, run, {
        allowDowngrade: flags.allowDowngrade === true,
        force: flags.force === true,
        activation: settings.activation.mode,
        adopts,
        safeguards: safeguardsOf(settings),
        keep: settings.keep,
        isOfflineOk,
        signatures: await signaturePolicy(session),
        otherWriters: otherWriters(session, flags),
      });
      return { ...pulled, details: details?.(source, pulled) ?? {} };
    },
    prepare === undefined ? {} : {
      prepare: async (run, observed) => {
        // Before anything is paid for.
        refuseTrainedFolder(store, { mode: planMode(store, settings.activation.mode), adopts });
        await prepare(run, observed);
      },
    },
  );
  if (flags.waitCanary) await awaitVerdict(context, store, settings);
  const canary = openCanary(store);
  const fault = canaryFault(store);
  const json = {
    ...pullJson(report),
    ...report.details,
    canary: canary === undefined ? null : canary.status,
    ...(fault === undefined ? {} : { canaryFault: fault }),
  };
  output.result(json, () => [...pullLines(output, report), ...canaryHint(canary, fault)]);
}

function otherWriters({ settings }: Session, flags: OtherWriterFlags): OtherWriterSetting {
  return flags.acceptOtherWriters === true ? "accept" : settings.client.other_writers;
}

function canaryHint(canary: CanaryState | undefined, fault: string | undefined): string[] {
  if (fault !== undefined) {
    return [`  nobody can tell whether it is watched: ${fault}`, `  ${UNREADABLE_MEND}`];
  }
  if (canary === undefined) return [];
  return [
    `  its canary is ${canary.status}; a daemon, or any pull with --wait-canary, gives the verdict`,
    "  look at it with: model-sync canary status",
  ];
}

/**
 * What a pull would do, found out without a trace.
 *
 * @param open opens the carrier with a scratch folder that is removed afterwards; the store is missing before the
 * first pull
 */
export async function previewPulling(
  session: Session,
  flags: PullingFlags & OtherWriterFlags,
  open: (store: Store | undefined, scratch: string) => Source | Promise<Source>,
): Promise<void> {
  const { context, output, settings, location } = session;
  const store = findStore(context.fs, location, context.log);
  const place = store ?? placeOf(context.fs, location);
  await using scratch = new TemporaryFolder(context.fs, "dry-run");
  await using source = await open(store, scratch.path);
  const plan = await planPull(context, store, source, {
    allowDowngrade: flags.allowDowngrade === true,
    force: flags.force === true,
    signatures: await signaturePolicy(session),
    otherWriters: otherWriters(session, flags),
    target: { place, activation: settings.activation.mode },
  });
  output.answer(
    { dryRun: true, carrier: source.carrier, ...plan },
    () => [...planLines(output, plan), ...folderLines(place.modelsDir, plan.folder, flags)],
  );
}

/** What a skipped pull leaves as it is. */
type SkippedPull =
  & Pick<PullReport, "outcome" | "changed" | "writtenBytes" | "modelsDir">
  & Partial<PullReport>;

function skippedPull(store: Store): SkippedPull {
  const active = activeManifest(store);
  const nothing = { outcome: "unchanged", changed: 0, writtenBytes: 0, modelsDir: store.modelsDir } as const;
  if (active === undefined) return nothing;
  const { digest: release, sequence, files } = active;
  return { ...nothing, release, sequence, files: files.length, bytes: totalBytes(files) };
}

function pullJson(report: Timed<SkippedPull>): Record<string, unknown> {
  const { outcome, release, previous, sequence, files, bytes, changed, writtenBytes, durationMs } = report;
  const { carrier, revision, modelsDir, runId, unreached, otherWriter } = report;
  return {
    outcome,
    release: release ?? null,
    previous: previous ?? null,
    sequence: sequence ?? null,
    files: files ?? null,
    bytes: bytes ?? null,
    changed,
    writtenBytes,
    durationMs,
    carrier: carrier ?? null,
    revision: revision ?? null,
    modelsDir,
    runId,
    ...(unreached === undefined ? {} : { unreached }),
    ...(otherWriter === undefined ? {} : { otherWriter }),
  };
}

function pullLines(output: Output, report: Timed<SkippedPull>): string[] {
  const { outcome, release, previous, sequence, files = 0, bytes = 0, changed, writtenBytes, durationMs } =
    report;
  if (release === undefined) return ["nothing was pulled yet"];
  const what = outcome === "activated" ? "activated release" : "unchanged, active release";
  const lines = [
    `${output.paint("green", "✓")} ${what} ${
      output.paint("bold", shortDigest(release))
    } (sequence ${sequence})`,
    `  ${plural(files, "file")}, ${formatBytes(bytes)} in ${report.modelsDir}`,
  ];
  if (report.otherWriter !== undefined) lines.push(`  ${otherWriterText(report.otherWriter)}`);
  if (outcome === "activated") {
    lines.push(
      `  ${changed} changed, ${formatBytes(writtenBytes)} written, in ${formatDuration(durationMs)}`,
      ...(previous === undefined
        ? []
        : [`  go back with: model-sync rollback   (to ${shortDigest(previous)})`]),
    );
  }
  if (report.unreached !== undefined) {
    lines.push(`  could not check for a newer release: ${report.unreached}`);
  }
  return lines;
}

/** Returns how a pull changes a model folder that shows no release of the store yet. */
export function folderLines(
  modelsDir: string,
  folder: PlannedFolder | undefined,
  { adopt }: Pick<PullingFlags, "adopt">,
): string[] {
  if (folder === undefined) return [];
  const present = {
    release: ": its present models are kept as a release, which model-sync rollback activates again",
    aside: `: its present content is kept in ${modelsDir}.before-RUN`,
    none: "",
  };
  const becomes = folder.becomes === "link"
    ? "becomes a link to the active release"
    : "gets copies of its files";
  return [
    `  ${modelsDir} ${becomes}${present[folder.present]}`,
    ...(folder.trainedBy === null || adopt === true
      ? []
      : [`  this machine trains into it (${folder.trainedBy}): the pull needs --adopt`]),
  ];
}

function planLines(output: Output, plan: PullPlan): string[] {
  const name = plan.release === undefined
    ? `revision ${plan.revision.slice(0, 12)}, which has no manifest`
    : `release ${shortDigest(plan.release)} (sequence ${plan.sequence})`;
  if (plan.outcome === "unchanged") return [`nothing to do: ${name} is active already`];
  return [
    `would activate ${output.paint("bold", name)}, ${plural(countChanges(plan.changes), "file")} changed:`,
    ...changeLines(output, plan.changes),
  ];
}
