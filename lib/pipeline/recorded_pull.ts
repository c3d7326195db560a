import type { CanaryState } from "../canary/canary_state.ts";
import { canaryFault, openCanary } from "../canary/find_canary.ts";
import type { Source } from "../carriers/carrier.ts";
import { givesSection, type LoadedConfig } from "../config/load.ts";
import type { Context } from "../core/context.ts";
import { messageOf, RefusedError } from "../core/errors.ts";
import type { OtherWriterSetting } from "../config/choices.ts";
import { totalBytes } from "../release/manifest.ts";
import { activeManifest } from "../store/pointers.ts";
import { isUnused, removeUnused } from "../store/unused_store.ts";
import type { IntentRun } from "../store/intent.ts";
import { planMode } from "../store/model_folder.ts";
import { openStore, type Store } from "../store/store.ts";
import type { CurrentRun } from "./current_run.ts";
import { signaturePolicy } from "./configured_signing.ts";
import { pull } from "./pull.ts";
import type { PullReport } from "./pull_report.ts";
import { type CommandScope, reportedRun } from "./reported_run.ts";
import type { RunOptions } from "./run.ts";
import { RolledBackError, type Timed } from "./run_report.ts";
import { safeguardsOf } from "./safeguards.ts";

/** How a command pulls from its carrier. */
export interface PullCommand<Pulled extends Source> {
  readonly command: string;
  /** Returns why this pull is to be skipped; the run is then recorded as unchanged. */
  readonly skip?: (store: Store) => string | undefined;
  /** Called when the carrier has answered: its newest release is active, or refused. */
  readonly answered?: (store: Store, run: IntentRun) => void;
  /** The wait before the run takes the store's lock. */
  readonly prepare?: RunOptions["prepare"];
  /** Opens the carrier for a run. */
  readonly open: (store: Store, run: IntentRun) => Pulled | Promise<Pulled>;
  /** Opens the carrier as a dry run does: see `OpenPreview`. */
  readonly preview?: (store: Store, scratch: string) => Source;
  /** The carrier's addition to the result. */
  readonly details?: (source: Pulled, report: PullReport) => Record<string, unknown>;
  /** Whether an intact active release is enough while the carrier cannot be reached. */
  readonly isOfflineOk?: boolean;
}

/** The operator's choices for one pull. */
export interface PullChoices {
  readonly allowDowngrade: boolean;
  readonly force: boolean;
  /** Whether the pull may replace a folder that this machine trains into. */
  readonly adopts: boolean;
  readonly otherWriters: OtherWriterSetting;
  /** Whether to wait for the verdict of the canary. */
  readonly waitsForCanary: boolean;
}

/** The report of a pull. A skipped pull has no release where none is active. */
export type PullSummary =
  & Pick<PullReport, "outcome" | "changed" | "writtenBytes" | "modelsDir">
  & Partial<PullReport>;

/** A pull that has ended, and the canary of the release that is active now. */
export interface EndedPull {
  readonly report: Timed<PullSummary>;
  /** The carrier's addition to the result. */
  readonly details: Record<string, unknown>;
  readonly canary: CanaryState | undefined;
  /** Why the state of the canary cannot be read. */
  readonly canaryFault: string | undefined;
}

/**
 * Pulls as a recorded run, and waits for the canary's verdict if the operator chose so.
 *
 * @throws what the pull throws; {@link RolledBackError} when the release did not pass its canary
 */
export async function recordedPull<Pulled extends Source>(
  scope: CommandScope,
  store: Store,
  { command, skip, answered, prepare, open, preview, details, isOfflineOk = false }: PullCommand<Pulled>,
  { waitsForCanary, ...choices }: PullChoices,
): Promise<EndedPull> {
  const { context, settings } = scope;
  const { mode } = settings.activation;
  const { details: added, ...report } = await reportedRun(
    scope,
    store,
    command,
    async (run, observed) => {
      const reason = skip?.(store);
      if (reason !== undefined) {
        observed.log.info(reason);
        return { ...skippedPull(store), details: { skipped: reason } };
      }
      await using source = await open(store, run);
      const options = {
        ...choices,
        activation: mode,
        safeguards: safeguardsOf(settings),
        keep: settings.keep,
        isOfflineOk,
        signatures: await signaturePolicy(context, settings.signing),
        ...(preview === undefined ? {} : { openPreview: (scratch: string) => preview(store, scratch) }),
      };
      const pulled = await pull(observed, store, source, run, options).catch((error: unknown) => {
        if (error instanceof RefusedError || error instanceof RolledBackError) answered?.(store, run);
        throw error;
      });
      answered?.(store, run);
      return { ...pulled, details: details?.(source, pulled) ?? {} };
    },
    {
      asksFirst: true,
      ...(prepare === undefined ? {} : {
        prepare: async (run: CurrentRun, observed: Context) => {
          const { refuseTrainedFolder } = await import("./trained_folder.ts");
          // A pull that would be refused must not pay for a training first.
          refuseTrainedFolder(store, { mode: planMode(store, mode), adopts: choices.adopts });
          return await prepare(run, observed);
        },
      }),
    },
  );
  if (waitsForCanary) {
    const { awaitVerdict } = await import("./await_verdict.ts");
    await awaitVerdict(context, store, settings);
  }
  return { report, details: added, canary: openCanary(store), canaryFault: canaryFault(store) };
}

function skippedPull(store: Store): PullSummary {
  const active = activeManifest(store);
  const nothing = { outcome: "unchanged", changed: 0, writtenBytes: 0, modelsDir: store.modelsDir } as const;
  if (active === undefined) return nothing;
  const { digest: release, sequence, files } = active;
  return { ...nothing, release, sequence, files: files.length, bytes: totalBytes(files) };
}

/**
 * Opens the store of a pull and does the pull's work in it. A pull that fails in an unused folder leaves no store
 * behind, unless its failure is reported: without its record, the next failure would send the same alert again.
 */
export async function inStoreOfPull(
  { context, config, location }: CommandScope & { readonly config: LoadedConfig },
  work: (store: Store) => Promise<void>,
): Promise<void> {
  const isReported = givesSection(config, "alerts") || givesSection(config, "report");
  const wasUnused = !isReported && isUnused(context, location);
  const store = openStore(context.fs, location, context.log);
  try {
    await work(store);
  } catch (error) {
    if (wasUnused) {
      // The failure of the pull matters more than a failure to remove the empty store.
      await removeUnused(context, store).catch((failure) => context.log.debug(messageOf(failure)));
    }
    throw error;
  }
}
