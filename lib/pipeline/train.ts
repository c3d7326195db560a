import { sep } from "node:path";
import type { Context } from "../core/context.ts";
import { UsageError } from "../core/errors.ts";
import { absolutePath } from "../core/files.ts";
import { type Digest, type Manifest, shortDigest } from "../release/manifest.ts";
import { readModelSet } from "../release/model_set.ts";
import { refuseWithdrawnModels } from "../release/withdrawals.ts";
import { nextArchiveSequence, rememberArchiveSequence } from "../store/published.ts";
import type { Seal } from "../signing/seal.ts";
import { StatCache } from "../store/stat_cache.ts";
import type { Store } from "../store/store.ts";
import { nextWithdrawals } from "../store/withdrawals.ts";
import { writeModelArchive } from "../training/model_archive.ts";
import {
  readTrainingCounts,
  train,
  type TrainingCounts,
  type TrainingOptions,
  type TrainingSettings,
} from "../training/train.ts";
import { refuseTrainingIntoRelease } from "./publish.ts";
import type { Steps } from "./current_run.ts";
import type { RunReport } from "./run_report.ts";

export interface TrainRunOptions {
  readonly settings: TrainingSettings;
  readonly options: TrainingOptions;
  /** Archives the models without training them. */
  readonly skipsTraining: boolean;
  readonly archivePath: string;
  /** The carrier of the archive. */
  readonly origin: Pick<Manifest["origin"], "carrier" | "revision">;
  /** Signs the release and sets its expiry. Without it, the release is unsigned and does not expire. */
  readonly seal?: Seal | undefined;
}

export interface TrainReport extends RunReport {
  readonly outcome: "trained";
  readonly release: Digest;
  readonly sequence: number;
  readonly files: number;
  readonly archivePath: string;
  readonly archiveBytes: number;
  readonly counts: TrainingCounts;
}

/**
 * Runs the training command and writes the models into an archive for a client to pull.
 *
 * @param output receives the output of the command
 * @throws as a publish: without models, for links out of the folder, for credentials
 */
export async function trainToArchive(
  context: Context,
  store: Store,
  run: Steps,
  { settings, options, skipsTraining, archivePath, origin, seal }: TrainRunOptions,
  output: (chunk: Uint8Array) => void,
): Promise<TrainReport> {
  refuseOtherArchive(archivePath);
  refuseArchiveInModels(archivePath, store);
  let tail = "";
  if (!skipsTraining) {
    refuseTrainingIntoRelease(store);
    tail = await run.step("train", () => train(context, settings, options, output));
  }
  const cache = StatCache.ofPublished(store);
  const set = await run.step("read", () => readModelSet(context, store.modelsDir, cache));
  cache.save();
  const withdrawals = nextWithdrawals(store);
  refuseWithdrawnModels(withdrawals, set.digest, set.dir);
  const sequence = nextArchiveSequence(store, context.clock.now());
  const { bytes, manifest } = await run.step(
    "archive",
    () => writeModelArchive(context, set, archivePath, { sequence, origin, seal, withdrawals }),
  );
  rememberArchiveSequence(store, sequence);
  context.log.info(`wrote release ${shortDigest(manifest.digest)} into ${archivePath}`);
  const counts = readTrainingCounts(tail);
  const { length: asked } = options.symbols;
  return {
    outcome: "trained",
    carrier: origin.carrier,
    release: manifest.digest,
    sequence,
    files: manifest.files.length,
    bytes: manifest.files.reduce((sum, file) => sum + file.size, 0),
    archivePath,
    archiveBytes: bytes,
    counts: { ...counts, symbols_requested: counts.symbols_requested ?? (asked > 0 ? asked : null) },
  };
}

/** Refuses an archive inside the model folder: the next archive would contain it. @throws {UsageError} code `ARCHIVE_IN_MODELS` */
/** Suffixes of other archives. A reader that goes by the suffix could not open a ZIP archive with one of them. */
const OTHER_ARCHIVE = /\.(?:tar|tgz|gz|bz2|xz|zst|7z|rar)$/i;

/** @throws {UsageError} code `ARCHIVE_NOT_ZIP` */
function refuseOtherArchive(archivePath: string): void {
  if (!OTHER_ARCHIVE.test(archivePath)) return;
  throw new UsageError(`Cannot write the archive ${archivePath}: train writes ZIP archives`, {
    code: "ARCHIVE_NOT_ZIP",
    hint: "give train an --archive-path that ends in .zip",
  });
}

function refuseArchiveInModels(archivePath: string, store: Store): void {
  if (!absolutePath(store.fs, archivePath).startsWith(store.modelsDir + sep)) return;
  throw new UsageError(`Cannot write the archive ${archivePath}: it is inside the model folder`, {
    code: "ARCHIVE_IN_MODELS",
    hint: "give train an --archive-path outside it",
  });
}
