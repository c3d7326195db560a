import { dirname, resolve } from "node:path";
import type { Environment } from "../../lib/core/context.ts";
import {
  AuthenticationError,
  FailedError,
  LockedError,
  messageOf,
  UsageError,
} from "../../lib/core/errors.ts";
import { quote } from "../../lib/core/quote.ts";
import { kvFailure } from "./kv_failure.ts";
import { keys } from "./keys.ts";

/** Deno reads this variable for every database with a URL. */
const TOKEN_VARIABLE = "DENO_KV_ACCESS_TOKEN";

const PRIVATE_FILE = 0o600;
const PRIVATE_FOLDER = 0o700;

/** Deno waits for a locked file without a limit. A lock that lasts longer than this is unlikely to end soon. */
const WAIT_MS = 10_000;

const SCHEME = /^([a-z][a-z0-9+.-]*):\/\//i;

/**
 * Opens the dashboard's database.
 *
 * @param place a file, whose folder is created; `:memory:`; the `http://` or `https://` URL of a `denokv` server or of a
 * managed database; or `undefined` for the database that Deno Deploy assigned to the app
 * @throws {ModelSyncError} with a code that begins with `DATABASE_`
 */
export async function openKv(
  place: string | undefined,
  env: Pick<Environment, "get">,
  { waitMs = WAIT_MS }: { readonly waitMs?: number } = {},
): Promise<Deno.Kv> {
  if (place === undefined) return await openPlatformKv(env);
  if (place === ":memory:") return await Deno.openKv(place);
  const scheme = SCHEME.exec(place)?.[1]?.toLowerCase();
  if (scheme === "http" || scheme === "https") return await openRemoteKv(place, env);
  if (scheme !== undefined || place === "" || place.includes("\0")) {
    throw new UsageError(
      `Cannot open the dashboard's database ${quote(place)}: it is not a file or a web address`,
      {
        code: "DATABASE_PLACE",
        hint: "name a file, or the https:// address of a denokv server",
      },
    );
  }
  return await openFileKv(resolve(place), waitMs);
}

/** Returns the path of a database in a file; `undefined` for one in memory, on a server or of the platform. */
export function kvFileOf(place: string | undefined): string | undefined {
  const isFile = place !== undefined && place !== ":memory:" && !SCHEME.test(place);
  return isFile ? resolve(place) : undefined;
}

async function openPlatformKv(env: Pick<Environment, "get">): Promise<Deno.Kv> {
  if (env.get("DENO_DEPLOY") === undefined) {
    throw new UsageError("Cannot open the dashboard's database: no database is configured", {
      code: "DATABASE_PLACE",
      hint: "set MODEL_SYNC_DASHBOARD_KV to a file, or to the address of a denokv server",
    });
  }
  try {
    return await Deno.openKv();
  } catch (error) {
    throw new FailedError(`Cannot open the dashboard's database on Deno Deploy: ${messageOf(error)}`, {
      code: "DATABASE_NOT_ASSIGNED",
      hint:
        "on console.deno.com, open Databases, press Provision Database, choose Deno KV, and assign it to this app",
      cause: error,
    });
  }
}

async function openRemoteKv(place: string, env: Pick<Environment, "get">): Promise<Deno.Kv> {
  const url = URL.parse(place);
  if (url === null) {
    throw new UsageError(`Cannot open the dashboard's database ${quote(place)}: it is not a web address`, {
      code: "DATABASE_PLACE",
      hint: "name the https:// address of a denokv server",
    });
  }
  if ((env.get(TOKEN_VARIABLE) ?? "") === "") {
    throw new AuthenticationError(
      `Cannot open the dashboard's database at ${url.host}: ${TOKEN_VARIABLE} is not set`,
      {
        code: "DATABASE_TOKEN",
        hint: `set ${TOKEN_VARIABLE} to the access token of the database`,
      },
    );
  }
  try {
    // Deno takes other spellings of the scheme for a file name.
    return await Deno.openKv(url.href);
  } catch (error) {
    throw kvFailure(error, url.host) ?? error;
  }
}

async function openFileKv(path: string, waitMs: number): Promise<Deno.Kv> {
  let kv: Deno.Kv;
  try {
    await Deno.mkdir(dirname(path), { recursive: true, mode: PRIVATE_FOLDER });
    await createPrivately(path);
    kv = await Deno.openKv(path);
  } catch (error) {
    throw kvFailure(error, path) ?? error;
  }
  await whenUnlocked(kv, path, waitMs);
  return kv;
}

/**
 * Creates the file with private permissions: it contains hashes of tokens and of the password. SQLite gives its other
 * files the same mode.
 */
async function createPrivately(path: string): Promise<void> {
  try {
    (await Deno.open(path, { write: true, createNew: true, mode: PRIVATE_FILE })).close();
  } catch (error) {
    if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
    if (!(await Deno.stat(path)).isDirectory) return;
    throw new UsageError(`Cannot open the dashboard's database ${quote(path)}: it is a folder`, {
      code: "DATABASE_PLACE",
      hint: "name a file in it, such as kv.sqlite3",
    });
  }
}

async function whenUnlocked(kv: Deno.Kv, path: string, waitMs: number): Promise<void> {
  const probe = kv.get(keys.settings());
  const { promise: waited, resolve: giveUp } = Promise.withResolvers<"waited">();
  const timer = setTimeout(() => giveUp("waited"), waitMs);
  try {
    if (await Promise.race([probe, waited]) !== "waited") return;
  } catch (error) {
    kv.close();
    throw kvFailure(error, path) ?? error;
  } finally {
    clearTimeout(timer);
  }
  // Closing it here would wait for the lock.
  probe.catch(() => {}).finally(() => kv.close());
  throw new LockedError(
    `Cannot open the dashboard's database ${quote(path)}: another process has locked it`,
    {
      code: "DATABASE_LOCKED",
      hint: "stop the process that has it open, such as a backup or sqlite3",
    },
  );
}
