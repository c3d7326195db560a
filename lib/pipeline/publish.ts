import type { Publication, Publisher } from "../carriers/carrier.ts";
import type { ValidateSettings } from "../config/sections/validate.ts";
import type { Context } from "../core/context.ts";
import { messageOf, UsageError } from "../core/errors.ts";
import { type Carrier, type Digest, shortDigest, totalBytes } from "../release/manifest.ts";
import {
  findChangedFiles,
  findModelFiles,
  type FolderMemory,
  type HashingOptions,
  hashModelFiles,
  type ModelSet,
  type NameRules,
  NO_CACHE,
} from "../release/model_set.ts";
import {
  type FolderChanges,
  isUnchanged,
  type RememberedFolder,
  type RescannedFiles,
} from "../release/rescan_folder.ts";
import type { FoundFiles } from "../release/scan_folder.ts";
import { inspectModelFolder } from "../store/model_folder.ts";
import { keepPublishedFiles } from "../store/published_files.ts";
import { StatCache } from "../store/stat_cache.ts";
import type { Store } from "../store/store.ts";
import type { Steps } from "./current_run.ts";
import { refuseInvalidOnce } from "./refuse_invalid.ts";
import type { RunReport } from "./run_report.ts";

export interface PublishReport extends RunReport {
  readonly outcome: "published" | "unchanged";
  readonly carrier: Carrier;
  readonly release: Digest;
  readonly sequence: number;
  readonly files: number;
  readonly bytes: number;
  readonly changed: number;
  readonly writtenBytes: number;
}

/** What to publish, and where. */
export interface Publishing<Result extends Publication> {
  /** Recognises an unchanged folder. */
  readonly memory: FolderMemory;
  /** Opens the target; called while the folder is read, after the check of `names`. */
  readonly open: () => Promise<Publisher<Result>>;
  /** The names of the files to publish. Default: all. */
  readonly names?: NameRules;
  /** Whether the publisher takes the lists of chunks from this reading. Default: it lists them itself, or needs none. */
  readonly listsChunks?: boolean;
  /** The checks of the models before they are sent. Default: none. */
  readonly validate?: ValidateSettings;
}

/**
 * Publishes the model folder: lists and reads its files while the target is being opened, then lets the publisher send the
 * changes.
 */
export async function publish<Result extends Publication>(
  context: Context,
  store: Store,
  run: Steps,
  { memory, open, names, listsChunks = false, validate }: Publishing<Result>,
): Promise<PublishReport & { readonly publication: Result }> {
  const { modelsDir } = store;
  const list = () => findModelFiles(context, modelsDir, names);
  const listAfter = async (changes: FolderChanges) =>
    await findChangedFiles(context, modelsDir, changes) ?? list();
  const read = (found: Found) =>
    readModels(context, store, found, { memory, listsChunks, keepsInfos: listsChunks });
  const readFolder = async (named: FoundFiles | undefined): Promise<ReadFolder> => {
    // The list of many files is larger than all that is known of them afterwards: nothing keeps it.
    const listed = named !== undefined ? { found: named } : await run.step("list", async () => {
      const changes = await memory.findChanges(modelsDir);
      if (changes === undefined) return { found: list() };
      return isUnchanged(changes) ? { unchanged: changes } : { found: await listAfter(changes) };
    });
    if (listed.found === undefined) return { unchanged: listed.unchanged };
    return { models: await run.step("read", () => read(listed.found)) };
  };
  // Names that the target does not take are refused before its server is asked.
  const named = names && await run.step("list", () => Promise.resolve(list()));
  const [reading, opening] = await Promise.allSettled([readFolder(named), run.step("open", open)]);
  using publisher = opening.status === "fulfilled" ? opening.value : undefined;
  if (reading.status === "rejected") throw reading.reason;
  if (publisher === undefined) {
    throw opening.status === "rejected" ? opening.reason : new TypeError("no publisher");
  }
  const { unchanged } = reading.value;
  const known = unchanged && publisher.findPublished(unchanged.remembered.digest);
  if (unchanged !== undefined && known !== undefined) {
    return reportOf(context, publisher, unchanged.remembered, known);
  }
  const models = reading.value.models ??
    await read(unchanged === undefined ? list() : await listAfter(unchanged));
  if (validate !== undefined && publisher.findPublished(models.digest) === undefined) {
    await run.step("validate", () => refuseInvalidOnce(context, store, models, validate));
  }
  const publication = await run.step("publish", () => publisher.publish(models));
  const { digest, files } = models;
  if (publication.outcome === "published") {
    keepFiles(context, store, models);
  }
  return reportOf(context, publisher, { digest, files: files.length, bytes: totalBytes(files) }, publication);
}

/** Keeps the file list. The publish has succeeded, even if the disk has no room for the list. */
function keepFiles({ log }: Context, store: Store, { digest, files }: ModelSet): void {
  try {
    keepPublishedFiles(store, { digest, files });
  } catch (error) {
    log.debug(`the release will be reported without its files: ${messageOf(error)}`);
  }
}

type Found = FoundFiles | RescannedFiles;

/** The model set in the folder, or what is known of a folder that did not change. */
interface ReadFolder {
  readonly models?: ModelSet;
  readonly unchanged?: FolderChanges;
}

/**
 * If fewer bytes may have changed, they are hashed. Reading and writing the digests of all files in the cache would take
 * longer.
 */
const UNCACHED_BYTES_MAX = 32 * 1024 * 1024;

async function readModels(
  context: Context,
  store: Store,
  found: Found,
  { memory, ...options }: HashingOptions & { readonly memory: FolderMemory },
): Promise<ModelSet> {
  const seenBytes = found.files.reduce((sum, file) => "info" in file ? sum + file.info.size : sum, 0);
  const set = "base" in found && seenBytes <= UNCACHED_BYTES_MAX
    ? await hashModelFiles(context, store.modelsDir, found, NO_CACHE, options)
    : await hashWithCache(context, store, found, options);
  await memory.remember(found, set);
  return set;
}

/** The cache of many files is not needed any more when this returns. */
async function hashWithCache(
  context: Context,
  store: Store,
  found: Found,
  options: HashingOptions,
): Promise<ModelSet> {
  const cache = StatCache.ofPublished(store);
  const set = await hashModelFiles(context, store.modelsDir, found, cache, options);
  cache.save();
  return set;
}

function reportOf<Result extends Publication>(
  context: Context,
  { carrier }: Publisher<Result>,
  { digest, files, bytes }: RememberedFolder,
  publication: Result,
): PublishReport & { readonly publication: Result } {
  const { outcome, sequence, changed, sentBytes, previous, signer, commit } = publication;
  context.log.info(`release ${shortDigest(digest)} is ${outcome}`);
  const known = {
    ...(previous === undefined ? {} : { previous }),
    ...(signer === undefined ? {} : { signer }),
    ...(commit === undefined ? {} : { revision: commit }),
  };
  const amounts = { files, bytes, changed, writtenBytes: sentBytes };
  return { outcome, carrier, release: digest, ...known, sequence, ...amounts, publication };
}

/** Refuses to train into the active release: it is immutable. @throws {UsageError} code `MODELS_ACTIVATED` */
export function refuseTrainingIntoRelease(store: Store): void {
  if (inspectModelFolder(store).kind !== "linked") return;
  throw new UsageError(
    `Cannot train into ${store.modelsDir}: it is the active release of a pull, which is immutable`,
    {
      code: "MODELS_ACTIVATED",
      hint:
        "train into another folder and set model_sync.models_dir (or --models-dir) of the publisher to it",
    },
  );
}
