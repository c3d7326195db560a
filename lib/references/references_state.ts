import { join } from "node:path";
import * as z from "zod";
import type { Context } from "../core/context.ts";
import { StateFile } from "../core/state_file.ts";
import { sha256Hex } from "../core/hash.ts";
import type { Log } from "../core/log.ts";
import { CATEGORIES, type Category } from "../config/sections/references.ts";

/** The timestamp of PRIMARY up to which everything is synced. `null`: PRIMARY had none; `undefined`: unknown. */
export type KnownTimestamp = number | null | undefined;

/** The state of a watch that survives restarts. */
export interface Known {
  readonly timestamp: KnownTimestamp;
  /** Whether all categories are synced. Failed ones are retried. */
  readonly isComplete: boolean;
}

/** Stores the state of a watch. */
export interface KnownTimestamps {
  find(): Known;
  /** Written to the disk when it returns. */
  remember(timestamp: number | null, isComplete: boolean): void;
}

/** The scope of a sync. A timestamp is valid for one scope only. */
export interface ReferencesScope {
  /** Without credentials. */
  readonly primaryUrl: string;
  /** As `owner/name@branch`. */
  readonly repositories: readonly string[];
  /** Empty for all categories. */
  readonly categories: readonly Category[];
}

export interface ReferencesStateOptions {
  /** The store's root. */
  readonly folder: string;
  readonly scope: ReferencesScope;
  /** For a dry run: the state is read but not written. */
  readonly isReadOnly: boolean;
}

/** A folder in the store with one file for each scope. */
const FOLDER_NAME = "references";

/** The length of a digest that distinguishes the scopes of one machine. */
const NAME_CHARS = 16;

const Scope = z.object({
  primary_url: z.string(),
  repositories: z.array(z.string()),
  categories: z.array(z.string()),
});
const SyncedState = Scope.extend({
  schema: z.literal(1),
  last_updated: z.int().nullable(),
  complete: z.boolean().default(true),
});
type SyncedState = z.infer<typeof SyncedState>;

/**
 * Opens the state of a scope. Needs read permission for the folder, and write permission to store it.
 *
 * A damaged file is logged and treated as older than any change: everything is compared once more.
 */
export async function openReferencesState(
  { fs, log }: Pick<Context, "fs" | "log">,
  { folder, scope, isReadOnly }: ReferencesStateOptions,
): Promise<KnownTimestamps> {
  const normal = normalScope(scope);
  const name = (await sha256Hex(JSON.stringify(normal))).slice(0, NAME_CHARS);
  const path = join(folder, FOLDER_NAME, `${name}.json`);
  const file = new StateFile<SyncedState>(fs, path, SyncedState, { isIndented: true });
  return {
    find: () => readTimestamp(log, file),
    remember: (timestamp, complete) => {
      if (isReadOnly) return;
      fs.mkdirSync(join(folder, FOLDER_NAME), { recursive: true });
      file.replace({ schema: 1, ...normal, last_updated: timestamp, complete });
    },
  };
}

/** Returns the same scope for equivalent settings: an address with or without `/api`, categories in any order. */
function normalScope({ primaryUrl, repositories, categories }: ReferencesScope): z.infer<typeof Scope> {
  return {
    primary_url: primaryUrl.replace(/\/+$/, "").replace(/(?<!\/)\/api$/, ""),
    repositories: [...repositories],
    categories: CATEGORIES.filter((category) => categories.includes(category)),
  };
}

function readTimestamp(log: Log, file: StateFile<SyncedState>): Known {
  const read = file.read();
  if (read.kind === "none") return { timestamp: undefined, isComplete: true };
  if (read.kind === "found") return { timestamp: read.value.last_updated, isComplete: read.value.complete };
  log.warn(`${file.path} is damaged: comparing everything once more, because the synced state is unknown`);
  return { timestamp: null, isComplete: true };
}
