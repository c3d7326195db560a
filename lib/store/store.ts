import { basename, dirname, join, relative, resolve, sep } from "node:path";
import * as z from "zod";
import { DiskError, diskError, UsageError } from "../core/errors.ts";
import {
  absolutePath,
  entryKind,
  type FileSystem,
  findEntry,
  ifFound,
  makeReadableFolder,
} from "../core/files.ts";
import { StateFile } from "../core/state_file.ts";
import type { Log } from "../core/log.ts";
import { ownerHint } from "../core/file_owner.ts";
import { ManifestMemo } from "./manifest_memo.ts";
import { clearWrongEntries, STATE_DIR_NAME, type StateFolder } from "./state_entries.ts";
import { tightenModes } from "./tighten_modes.ts";

/**
 * The state directory of a model folder: immutable releases, the pointers to the active and the previous one, and the
 * history. ARCHITECTURE.md lists its files and invariants.
 */
export interface Store extends StateFolder {
  /** The folder that consumers open. */
  readonly modelsDir: string;
  readonly lock: string;
  readonly intent: string;
  /** Scratch: one folder for each run. */
  readonly staging: string;
  /** Partial downloads, which the next pull continues. */
  readonly partials: string;
  readonly releases: string;
  /** The folder of a removed release, which the next pull assembles its release in. */
  readonly spare: string;
  readonly history: string;
  readonly quarantine: string;
  readonly withdrawals: string;
  readonly revisions: string;
  readonly statCache: string;
  /** The manifests that were parsed last. */
  readonly manifests: ManifestMemo;
}

/** Where a model folder and its store are, or will be. */
export type ModelPlace = Pick<Store, "fs" | "modelsDir" | "root">;

const Identity = z.object({ schema: z.number(), modelsDir: z.string() });

export interface StoreLocation {
  readonly modelsDir: string;
  /** Defaults to {@link STATE_DIR_NAME} beside the model folder. */
  readonly stateDir?: string | undefined;
}

const SILENT: Pick<Log, "warn"> = { warn: () => {} };

/**
 * Opens a store for writing, and creates a missing one. Removes wrong kinds of entries that can be rebuilt. Needs read
 * and write permission.
 *
 * @throws {UsageError} code `STORE_TAKEN` if it belongs to another model folder, `NOT_A_FOLDER`
 */
export function openStore(fs: FileSystem, location: StoreLocation, log: Pick<Log, "warn"> = SILENT): Store {
  try {
    refuseStoreInModels(fs, location);
    makeFolder(fs, dirname(absolutePath(fs, location.modelsDir)));
    makeFolder(fs, stateDirOf(fs, location));
    const store = storeAt(fs, location, log);
    claim(store);
    clearWrongEntries(store);
    for (const folder of [store.staging, store.partials, store.statCache]) {
      fs.mkdirSync(folder, { recursive: true });
    }
    makeReadableFolder(fs, store.releases);
    tightenModes(store);
    return store;
  } catch (error) {
    if (error instanceof Deno.errors.PermissionDenied) {
      throw new DiskError(`Cannot write the store ${stateDirOf(fs, location)}: permission denied`, {
        code: "STORE_NOT_WRITABLE",
        cause: error,
        hint: `${
          ownerHint(stateDirOf(fs, location))
        }; or set model_sync.state_dir to a folder that you can write`,
      });
    }
    throw diskError(error, `open the store ${stateDirOf(fs, location)}`);
  }
}

/**
 * Finds a store and writes nothing; `undefined` if there is none yet. Needs read permission.
 *
 * @throws {UsageError} code `STORE_TAKEN` if it belongs to another model folder, `NOT_A_FOLDER`
 */
export function findStore(
  fs: FileSystem,
  location: StoreLocation,
  log: Pick<Log, "warn"> = SILENT,
): Store | undefined {
  const found = ifFound(() => fs.statSync(stateDirOf(fs, location)));
  if (found === undefined) return undefined;
  if (!found.isDirectory) throw notAFolder(stateDirOf(fs, location), found);
  const store = storeAt(fs, location, log);
  checkIdentity(store);
  return store;
}

/** Returns the state directory of a model folder, whether or not it exists. */
export function stateDirOf(fs: FileSystem, location: StoreLocation): string {
  return absolutePath(
    fs,
    location.stateDir ?? join(dirname(absolutePath(fs, location.modelsDir)), STATE_DIR_NAME),
  );
}

/** Returns the place of a model folder and its store, whether or not they exist. */
export function placeOf(fs: FileSystem, location: StoreLocation): ModelPlace {
  return { fs, modelsDir: absolutePath(fs, location.modelsDir), root: stateDirOf(fs, location) };
}

function makeFolder(fs: FileSystem, path: string): void {
  try {
    makeReadableFolder(fs, path);
  } catch (error) {
    if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
    const found = findEntry(fs, path);
    throw found === undefined ? error : notAFolder(path, found);
  }
}

function notAFolder(path: string, found: Deno.FileInfo): UsageError {
  return new UsageError(`Cannot use ${path}: it is ${entryKind(found)}, not a folder`, {
    code: "NOT_A_FOLDER",
    hint: "name another folder with --models-dir or --state-dir, or move the existing entry away",
  });
}

function storeAt(fs: FileSystem, location: StoreLocation, log: Pick<Log, "warn">): Store {
  // The links between model folder and store are relative, so both paths have to be free of links above them.
  const modelsDir = absolutePath(fs, location.modelsDir);
  const parent = ifFound(() => fs.realPathSync(dirname(modelsDir))) ?? dirname(modelsDir);
  const root = fs.realPathSync(stateDirOf(fs, location));
  const warned = new Set<string>();
  return {
    fs,
    warn: (message) => {
      if (!warned.has(message)) log.warn(message);
      warned.add(message);
    },
    modelsDir: join(parent, basename(modelsDir)),
    root,
    lock: join(root, "lock"),
    intent: join(root, "intent.json"),
    staging: join(root, "staging"),
    partials: join(root, "partials"),
    releases: join(root, "releases"),
    spare: join(root, "spare"),
    history: join(root, "history.jsonl"),
    quarantine: join(root, "quarantine.json"),
    withdrawals: join(root, "withdrawals.json"),
    revisions: join(root, "revisions.json"),
    statCache: join(root, "stat_cache"),
    manifests: new ManifestMemo(),
  };
}

/**
 * Refuses a state directory inside the model folder: it would be published with the models, and no release could be
 * activated.
 *
 * @throws {UsageError} code `STORE_IN_MODELS`
 */
export function refuseStoreInModels(fs: FileSystem, location: StoreLocation): void {
  const [stateDir, modelsDir] = [stateDirOf(fs, location), absolutePath(fs, location.modelsDir)];
  if (stateDir !== modelsDir && !stateDir.startsWith(modelsDir + sep)) return;
  throw new UsageError(
    `Cannot keep the store in ${stateDir}: that is inside the model folder ${modelsDir}`,
    {
      code: "STORE_IN_MODELS",
      hint: "set model_sync.state_dir to a folder beside it",
    },
  );
}

/** Relative, so that a project folder can be moved with its store. */
function identityOf(store: Store): string {
  return relative(store.root, store.modelsDir);
}

function identityFile({ fs, root }: Store): StateFile<z.infer<typeof Identity>> {
  return new StateFile(fs, join(root, "store.json"), Identity);
}

function claim(store: Store): void {
  if (checkIdentity(store)) return;
  identityFile(store).replace({ schema: 1, modelsDir: identityOf(store) });
}

function checkIdentity(store: Store): boolean {
  const file = identityFile(store);
  const read = file.read();
  if (read.kind === "none") return false;
  if (read.kind === "damaged") {
    if (!isLinkedTo(store)) throw damagedIdentity(store, read.reason);
    store.warn(`${file.path} is damaged and is rebuilt: ${read.reason}`);
    return false;
  }
  const identity = read.value;
  if (identity.schema !== 1) {
    throw new UsageError(
      `Cannot use the store ${store.root}: it has format ${identity.schema}, this program writes format 1`,
      {
        code: "STORE_FORMAT",
        hint: "update model-sync",
      },
    );
  }
  if (identity.modelsDir !== identityOf(store)) {
    throw new UsageError(
      `Cannot use the store ${store.root} for ${store.modelsDir}: it belongs to ${
        resolve(store.root, identity.modelsDir)
      }`,
      {
        code: "STORE_TAKEN",
        hint: "give each model folder a store of its own: model_sync.state_dir or --state-dir",
      },
    );
  }
  return true;
}

/** Returns whether the model folder is a link into this store. Then the store can belong to no other folder. */
function isLinkedTo({ fs, modelsDir, root }: Store): boolean {
  return findEntry(fs, modelsDir)?.isSymlink === true &&
    resolve(dirname(modelsDir), fs.readLinkSync(modelsDir)) === join(root, "current");
}

function damagedIdentity(store: Store, reason: string): UsageError {
  return new UsageError(`Cannot use the store ${store.root}: its store.json is damaged, ${reason}`, {
    code: "STORE_FORMAT",
    hint: `remove ${identityFile(store).path} if this is the store of ${store.modelsDir}`,
  });
}
