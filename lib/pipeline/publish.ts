import type { Publication, Publisher } from "../carriers/carrier.ts";
import type { ValidateSettings } from "../config/sections/validate.ts";
import { ChangedFileError } from "../core/changed_file.ts";
import { settleAll } from "../core/concurrency.ts";
import type { Context } from "../core/context.ts";
import { DiskError, diskError, messageOf, UsageError } from "../core/errors.ts";
import { type Carrier, type Digest, type ReleaseFile, shortDigest, totalBytes } from "../release/manifest.ts";
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
import { keepPublishedFiles, KEPT_FILES_MAX } from "../store/published_files.ts";
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
  publishing: Publishing<Result>,
): Promise<PublishReport & { readonly publication: Result }> {
  const { open, names, validate } = publishing;
  const folder = new FolderReader(context, store, publishing);
  // Names that the target does not take are refused before its server is asked.
  const named = names && await run.step("list", () => folder.list());
  let preparing: Promise<void> | undefined;
  // First, because programs start slowly while git examines many files with all processors.
  const opening = run.step("open", open);
  const reading = folder.read(run, named, () => preparing = prepare(opening));
  const [read, opened] = await Promise.allSettled([reading, opening]);
  using publisher = opened.status === "fulfilled" ? opened.value : undefined;
  await using _prepared = { [Symbol.asyncDispose]: async () => await preparing };
  if (read.status === "rejected") throw read.reason;
  if (publisher === undefined) {
    throw opened.status === "rejected" ? opened.reason : new TypeError("no publisher");
  }
  const { unchanged } = read.value;
  const known = unchanged && publisher.findPublished(unchanged.remembered.digest);
  if (unchanged !== undefined && known !== undefined) {
    return reportOf(context, publisher, unchanged.remembered, known);
  }
  const { models, remember } = read.value.read ?? await folder.readAfter(unchanged);
  if (validate !== undefined && publisher.findPublished(models.digest) === undefined) {
    await run.step("validate", () => refuseInvalidOnce(context, store, models, validate));
  }
  await preparing;
  const sending = Promise.withResolvers<void>();
  const [publication, files] = await settleAll([
    run.step("publish", () => publisher.publish(models, sending.resolve)).finally(sending.resolve),
    sending.promise.then(async () => {
      await remember();
      return firstFiles(context, models);
    }),
  ]).catch(async (error: unknown) => {
    if (error instanceof ChangedFileError) await folder.forget(error.path);
    throw error;
  });
  if (publication.outcome === "published" && files !== undefined) keepFiles(context, store, models, files);
  return reportOf(context, publisher, { digest: models.digest, ...models.totals }, publication);
}

/** Reads what a publish builds on. If the target cannot be opened, the publish says so. */
async function prepare(opening: Promise<Pick<Publisher<Publication>, "prepare">>): Promise<void> {
  const [opened] = await Promise.allSettled([opening]);
  if (opened.status === "fulfilled") await opened.value.prepare?.();
}

/** The models of a folder that was read, or the changes of one that was not. */
interface ReadFolder {
  readonly read?: ReadModels;
  readonly unchanged?: FolderChanges;
}

interface ReadModels {
  readonly models: ModelSet;
  /** Completes the memory of the folder, which only saves time: while git sends the models, if few of them changed. */
  readonly remember: () => Promise<void>;
}

/**
 * Reads the model folder of a publish. The list of many files is larger than all that is known of them afterwards: nothing
 * keeps it, unless most of its entries are those of the model set.
 */
class FolderReader {
  readonly #context: Context;
  readonly #store: Store;
  readonly #memory: FolderMemory;
  readonly #names: NameRules | undefined;
  readonly #options: HashingOptions;

  constructor(
    context: Context,
    store: Store,
    { memory, names, listsChunks = false }: Pick<Publishing<Publication>, "memory" | "names" | "listsChunks">,
  ) {
    this.#context = context;
    this.#store = store;
    this.#memory = memory;
    this.#names = names;
    this.#options = { listsChunks, keepsInfos: listsChunks };
  }

  list(): FoundFiles {
    return findModelFiles(this.#context, this.#store.modelsDir, this.#names);
  }

  /**
   * Reads the files, unless none of them changed.
   *
   * @param named the list of files, if there is one
   * @param onChange called before files are read
   */
  async read(run: Steps, named: FoundFiles | undefined, onChange: () => void): Promise<ReadFolder> {
    const listed = named ?? await run.step("list", () => this.#listChanges());
    if ("folderStats" in listed) return { unchanged: listed };
    onChange();
    return { read: await run.step("read", () => this.#readListed(listed)) };
  }

  /** Reads the files of a folder that did not change, but is not what the target holds. */
  async readAfter(unchanged: FolderChanges | undefined): Promise<ReadModels> {
    return await this.#readListed(unchanged === undefined ? this.list() : await this.#listAfter(unchanged));
  }

  /** Returns the list of files, or what is known of them if none changed. */
  async #listChanges(): Promise<Found | FolderChanges> {
    const changes = await this.#memory.findChanges(this.#store.modelsDir);
    if (changes === undefined) return this.list();
    return isUnchanged(changes) ? changes : await this.#listAfter(changes);
  }

  async #listAfter(changes: FolderChanges): Promise<Found> {
    return await findChangedFiles(this.#context, this.#store.modelsDir, changes) ?? this.list();
  }

  async #readListed(found: Found): Promise<ReadModels> {
    if ("base" in found && totalBytes(found.seen.map(({ info }) => info)) <= UNCACHED_BYTES_MAX) {
      const { modelsDir } = this.#store;
      const models = await hashModelFiles(this.#context, modelsDir, found, NO_CACHE, this.#options);
      return { models, remember: () => this.#rememberLater(found, models) };
    }
    const models = await hashWithCache(this.#context, this.#store, found, this.#options);
    await this.#memory.remember(found, models);
    return { models, remember: ALREADY_REMEMBERED };
  }

  /** Forgets the digest of a file that has other bytes: a damaged digest would make each later publish fail. */
  async forget(path: string): Promise<void> {
    // It has the digest, too. The cache knows those of the other files.
    await this.#memory.forget();
    const cache = StatCache.ofPublished(this.#store);
    cache.forget(path);
    cache.save();
  }

  /** The models may have been sent: a failure of the disk costs only the time of another reading. */
  async #rememberLater(found: Found, models: ModelSet): Promise<void> {
    try {
      await this.#memory.remember(found, models);
    } catch (error) {
      const failure = diskError(error, "remember the model folder");
      if (!(failure instanceof DiskError)) throw failure;
      this.#context.log.debug(failure.message);
    }
  }
}

/** Returns the files that are kept for reports. Without them, the publish succeeds as well. */
function firstFiles({ log }: Context, models: ModelSet): readonly ReleaseFile[] | undefined {
  try {
    return models.firstFiles(KEPT_FILES_MAX);
  } catch (error) {
    log.debug(reportedWithoutFiles(error));
    return undefined;
  }
}

/** Keeps the file list. The publish has succeeded, even if the disk has no room for the list. */
function keepFiles(
  { log }: Context,
  store: Store,
  { digest, totals }: ModelSet,
  files: readonly ReleaseFile[],
): void {
  try {
    keepPublishedFiles(store, { digest, files }, totals);
  } catch (error) {
    log.debug(reportedWithoutFiles(error));
  }
}

function reportedWithoutFiles(error: unknown): string {
  return `the release will be reported without its files: ${messageOf(error)}`;
}

type Found = FoundFiles | RescannedFiles;

/** A function made where the list of files is known would keep the list of many files until the end of the publish. */
const ALREADY_REMEMBERED = () => Promise.resolve();

/**
 * If fewer bytes may have changed, they are hashed. Reading and writing the digests of all files in the cache would take
 * longer.
 */
const UNCACHED_BYTES_MAX = 32 * 1024 * 1024;

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
  { digest, files, bytes }: Omit<RememberedFolder, "sizeMax">,
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
