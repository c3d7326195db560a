import { basename, dirname, join, relative, resolve, sep } from "node:path";
import { z } from "zod";
import { DiskError, diskError, UsageError } from "../core/errors.ts";
import { absolutePath, type FileSystem, findText, ifFound, replaceFile } from "../core/files.ts";

/**
 * The state directory of one model folder: immutable releases, the pointers that say which of them is seen, and what
 * happened. ARCHITECTURE.md lists its files and invariants.
 */
export interface Store {
  readonly fs: FileSystem;
  /** The folder that consumers open. */
  readonly modelsDir: string;
  /** The state directory itself. */
  readonly root: string;
  readonly lock: string;
  readonly intent: string;
  /** Scratch, one folder a run. */
  readonly staging: string;
  /** What broken downloads brought, to be continued. */
  readonly partials: string;
  readonly releases: string;
  readonly history: string;
  readonly quarantine: string;
  readonly revisions: string;
  readonly statCache: string;
}

/** The default state directory's name, beside the model folder. */
export const STATE_DIR_NAME = ".model-sync";

const Identity = z.object({ schema: z.number(), modelsDir: z.string() });

export interface StoreLocation {
  readonly modelsDir: string;
  /** Defaults to {@link STATE_DIR_NAME} beside the model folder. */
  readonly stateDir?: string | undefined;
}

/**
 * Opens a store for writing and makes it where there is none. Needs read and write permission.
 *
 * @throws {UsageError} code `STORE_TAKEN` when it belongs to another model folder
 */
export function openStore(fs: FileSystem, location: StoreLocation): Store {
  try {
    refuseStoreInModels(fs, location);
    fs.mkdirSync(dirname(absolutePath(fs, location.modelsDir)), { recursive: true });
    fs.mkdirSync(stateDirOf(fs, location), { recursive: true });
    const store = storeAt(fs, location);
    claim(store);
    for (const folder of [store.staging, store.partials, store.releases, store.statCache]) {
      fs.mkdirSync(folder, { recursive: true });
    }
    return store;
  } catch (error) {
    if (error instanceof Deno.errors.PermissionDenied) {
      throw new DiskError(`Cannot write the store ${stateDirOf(fs, location)}: permission denied`, {
        code: "STORE_NOT_WRITABLE",
        cause: error,
        hint: "run as the user that owns it, or set model_sync.state_dir to a folder that you may write",
      });
    }
    throw diskError(error, `open the store ${stateDirOf(fs, location)}`);
  }
}

/** Finds a store without touching the disk; `undefined` when there is none yet. Needs read permission. */
export function findStore(fs: FileSystem, location: StoreLocation): Store | undefined {
  if (ifFound(() => fs.statSync(stateDirOf(fs, location))) === undefined) return undefined;
  const store = storeAt(fs, location);
  checkIdentity(store);
  return store;
}

/** Where the store of a model folder is, or will be. */
export function stateDirOf(fs: FileSystem, location: StoreLocation): string {
  return absolutePath(
    fs,
    location.stateDir ?? join(dirname(absolutePath(fs, location.modelsDir)), STATE_DIR_NAME),
  );
}

function storeAt(fs: FileSystem, location: StoreLocation): Store {
  // The links between model folder and store are relative, so both paths have to be free of links above them.
  const modelsDir = absolutePath(fs, location.modelsDir);
  const parent = ifFound(() => fs.realPathSync(dirname(modelsDir))) ?? dirname(modelsDir);
  const root = fs.realPathSync(stateDirOf(fs, location));
  return {
    fs,
    modelsDir: join(parent, basename(modelsDir)),
    root,
    lock: join(root, "lock"),
    intent: join(root, "intent.json"),
    staging: join(root, "staging"),
    partials: join(root, "partials"),
    releases: join(root, "releases"),
    history: join(root, "history.jsonl"),
    quarantine: join(root, "quarantine.json"),
    revisions: join(root, "revisions.json"),
    statCache: join(root, "stat_cache"),
  };
}

/** It would be published with the models, and no release could be swapped in. @throws {UsageError} code `STORE_IN_MODELS` */
function refuseStoreInModels(fs: FileSystem, location: StoreLocation): void {
  const [stateDir, modelsDir] = [stateDirOf(fs, location), absolutePath(fs, location.modelsDir)];
  if (stateDir !== modelsDir && !stateDir.startsWith(modelsDir + sep)) return;
  throw new UsageError(
    `Cannot keep the store in ${stateDir}: that is inside the models folder ${modelsDir}`,
    {
      code: "STORE_IN_MODELS",
      hint: "set model_sync.state_dir to a folder beside it",
    },
  );
}

/** Relative, so that a project folder can be moved as a whole. */
function identityOf(store: Store): string {
  return relative(store.root, store.modelsDir);
}

function identityPath(store: Store): string {
  return join(store.root, "store.json");
}

function claim(store: Store): void {
  if (checkIdentity(store)) return;
  const identity: z.infer<typeof Identity> = { schema: 1, modelsDir: identityOf(store) };
  replaceFile(store.fs, identityPath(store), `${JSON.stringify(identity)}\n`);
}

function checkIdentity(store: Store): boolean {
  const text = findText(store.fs, identityPath(store));
  if (text === undefined) return false;
  const identity = parseIdentity(text, store);
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

function parseIdentity(text: string, store: Store): z.infer<typeof Identity> {
  try {
    return Identity.parse(JSON.parse(text));
  } catch (cause) {
    throw new UsageError(`Cannot use the store ${store.root}: its store.json is damaged`, {
      code: "STORE_FORMAT",
      cause,
      hint: `remove ${identityPath(store)} if this is the store of ${store.modelsDir}`,
    });
  }
}
