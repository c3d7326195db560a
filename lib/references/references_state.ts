import { join } from "node:path";
import { z } from "zod";
import type { Context } from "../core/context.ts";
import { StateFile } from "../core/state_file.ts";
import { sha256Hex } from "../core/hash.ts";
import type { Log } from "../core/log.ts";
import { CATEGORIES, type Category } from "../config/sections/references.ts";

/** Up to which timestamp of PRIMARY everything is synced. `null`: it had none; `undefined`: nothing is known. */
export type KnownTimestamp = number | null | undefined;

/** What a watch knows across restarts. */
export interface Known {
  readonly timestamp: KnownTimestamp;
  /** Whether all of it is synced: what failed is tried again. */
  readonly isComplete: boolean;
}

/** Where a watch keeps what it knows. */
export interface KnownTimestamps {
  find(): Known;
  /** Durable when it returns. */
  remember(timestamp: number | null, isComplete: boolean): void;
}

/** What is synced, and where to: a timestamp says nothing about another. */
export interface ReferencesScope {
  /** Without credentials. */
  readonly primaryUrl: string;
  /** As `owner/name@branch`. */
  readonly repositories: readonly string[];
  /** None: all. */
  readonly categories: readonly Category[];
}

export interface ReferencesStateOptions {
  /** The store's root. */
  readonly folder: string;
  readonly scope: ReferencesScope;
  /** For what syncs nothing, as a dry run: what was remembered is read, and nothing is written. */
  readonly isReadOnly: boolean;
}

/** In the store, with one file for each scope. */
const FOLDER_NAME = "references";

/** As much of a digest as keeps the few scopes of one machine apart. */
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
 * Opens what a watch of this scope knows. Needs read permission for the folder, and write permission to remember.
 *
 * A damaged file is told of in the log, and counts as one from before any change: what is there is synced once more.
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

/** The same for whatever means the same: an address with or without `/api`, categories in any order. */
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
  log.warn(
    `${file.path} is damaged: nobody knows what is synced already, so everything is compared once more`,
  );
  return { timestamp: null, isComplete: true };
}
