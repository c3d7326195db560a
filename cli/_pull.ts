import type { Source } from "../lib/carriers/carrier.ts";
import { RefusedError } from "../lib/core/errors.ts";
import { TemporaryFolder } from "../lib/core/folders.ts";
import type { PlannedFolder, PlannedRollback, PullPlan } from "../lib/pipeline/plan_pull.ts";
import { type CanaryState, UNREADABLE_HINT } from "../lib/canary/canary_state.ts";
import {
  type EndedPull,
  inStoreOfPull,
  type PullChoices,
  type PullCommand,
  type PullSummary,
  recordedPull,
} from "../lib/pipeline/recorded_pull.ts";
import type { Timed } from "../lib/pipeline/run_report.ts";
import { countChanges } from "../lib/release/changes.ts";
import { shortDigest } from "../lib/release/manifest.ts";
import { withdrawnWords } from "../lib/release/withdrawals.ts";
import { findStore, placeOf, type Store } from "../lib/store/store.ts";
import { TRAINED_FOLDER } from "../lib/store/training_signs.ts";
import type { Output } from "./_output.ts";
import { changeLines } from "./_previewed_changes.ts";
import { OTHER_WRITERS_OPTION, PULLING_OPTIONS } from "./_options.ts";
import { narrowPermissions, type Need, type Session } from "./_session.ts";
import { otherWriterText } from "../lib/store/recorded_writer.ts";
import { signaturePolicy } from "../lib/pipeline/configured_signing.ts";
import { formatBytes, formatDuration, plural } from "../lib/core/format.ts";
import type { CommandName } from "./_help.ts";
import type { Flags } from "./_declaration.ts";
import type { CommandFlags } from "./_command.ts";

/** Options of every command that pulls. */
export type PullingFlags = CommandFlags<typeof PULLING_OPTIONS>;

/** The option of commands whose carrier other programs write to. */
export type OtherWriterFlags = Flags<typeof OTHER_WRITERS_OPTION>;

/** How a command pulls. */
export interface Pulling<Pulled extends Source> extends PullCommand<Pulled> {
  readonly command: CommandName;
  /** The permissions that the carrier needs. */
  readonly needs: readonly Need[];
  /** Checks the settings of the carrier before a store is created. @throws {UsageError} */
  readonly check?: () => unknown;
}

/** Pulls as a recorded run, and prints the result. */
export async function runPulling<Pulled extends Source>(
  session: Session,
  flags: PullingFlags & OtherWriterFlags,
  pulling: Pulling<Pulled>,
): Promise<void> {
  narrowPermissions(session, pulling.needs);
  if (findStore(session.context.fs, session.location) === undefined) pulling.check?.();
  await inStoreOfPull(session, async (store) => {
    const ended = await recordedPull(session, store, pulling, {
      ...choices(session, flags),
      adopts: await mayAdopt(session, store, flags),
      waitsForCanary: flags.waitCanary === true,
    });
    show(session.output, ended);
  });
}

function choices(
  { settings }: Session,
  flags: PullingFlags & OtherWriterFlags,
): Pick<PullChoices, "allowDowngrade" | "force" | "otherWriters"> {
  return {
    allowDowngrade: flags.allowDowngrade === true,
    force: flags.force === true,
    otherWriters: flags.acceptOtherWriters === true ? "accept" : settings.client.other_writers,
  };
}

/**
 * Whether the pull may replace a folder that this machine trains into: with --adopt, or after a question. A no ends the
 * command before it contacts the source.
 *
 * @throws {RefusedError} code `TRAINED_FOLDER`
 */
async function mayAdopt(session: Session, store: Store, flags: PullingFlags): Promise<boolean> {
  const { context, output, settings, waitsForLock = false } = session;
  if (flags.adopt === true) return true;
  // A daemon never waits for an answer.
  if (waitsForLock || !output.canAsk) return false;
  const { trainedModelsBeforePull } = await import("../lib/pipeline/trained_folder.ts");
  const sign = trainedModelsBeforePull(store, settings.activation.mode);
  if (sign === undefined) return false;
  output.note([
    `This machine trains into ${store.modelsDir} (${sign}).`,
    "Later trainings must write to another folder.",
  ]);
  if (await output.ask("Replace that folder with the pulled release?", context.signal)) return true;
  throw new RefusedError("Cannot pull: the folder of the trained models stays, as you answered", {
    code: TRAINED_FOLDER,
    hint: "pull into another folder with --models-dir",
  });
}

function show(output: Output, { report, details, canary, canaryFault }: EndedPull): void {
  const json = {
    ...pullJson(report),
    ...details,
    canary: canary === undefined ? null : canary.status,
    ...(canaryFault === undefined ? {} : { canaryFault }),
  };
  output.result(json, () => [...pullLines(output, report), ...canaryHint(canary, canaryFault)]);
}

function canaryHint(canary: CanaryState | undefined, fault: string | undefined): string[] {
  if (fault !== undefined) {
    return [`  the state of its canary is unknown: ${fault}`, `  ${UNREADABLE_HINT}`];
  }
  if (canary === undefined) return [];
  return [
    `  its canary is ${canary.status}; a daemon, or a pull with --wait-canary, completes it`,
    "  follow it with: model-sync canary status",
  ];
}

/**
 * Prints what a pull would change, and leaves no trace.
 *
 * @param open opens the carrier with a scratch folder, which is removed afterwards; before the first pull, the store is
 * `undefined`
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
  const { planPull } = await import("../lib/pipeline/plan_pull.ts");
  const plan = await planPull(context, store, source, {
    ...choices(session, flags),
    signatures: await signaturePolicy(context, settings.signing),
    target: { place, activation: settings.activation.mode },
  });
  output.answer(
    { dryRun: true, carrier: source.carrier, ...plan },
    () => [...planLines(output, plan), ...folderLines(place.modelsDir, plan.folder, flags)],
  );
}

function pullJson(report: Timed<PullSummary>): Record<string, unknown> {
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

function pullLines(output: Output, report: Timed<PullSummary>): string[] {
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
        : [`  roll back with: model-sync rollback   (to ${shortDigest(previous)})`]),
    );
  }
  if (report.unreached !== undefined) {
    lines.push(`  could not check for a newer release: ${report.unreached}`);
  }
  return lines;
}

/** Returns how the first pull into a model folder changes the folder. */
export function folderLines(
  modelsDir: string,
  folder: PlannedFolder | undefined,
  { adopt }: Pick<PullingFlags, "adopt">,
): string[] {
  if (folder === undefined) return [];
  const present = {
    release: ": its present models are kept as a release; model-sync rollback activates them again",
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

function rollbackLine({ from, to, ...withdrawn }: PlannedRollback): string {
  return `would roll back from release ${shortDigest(from)}, which was withdrawn ${
    withdrawnWords(withdrawn)
  }, to ${shortDigest(to)}`;
}

function planLines(output: Output, plan: PullPlan): string[] {
  const name = plan.release === undefined
    ? `revision ${plan.revision.slice(0, 12)}, which has no manifest`
    : `release ${shortDigest(plan.release)} (sequence ${plan.sequence})`;
  if (plan.outcome === "unchanged") return [`nothing to do: ${name} is active already`];
  const rollback = plan.rollback === undefined ? [] : [rollbackLine(plan.rollback)];
  if (plan.outcome === "rolled-back") return rollback;
  return [
    ...rollback,
    `would activate ${output.paint("bold", name)}, ${plural(countChanges(plan.changes), "file")} changed:`,
    ...changeLines(output, plan.changes),
  ];
}
