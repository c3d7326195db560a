import { dirname, join } from "node:path";
import * as z from "zod";
import { systemClock } from "../../lib/core/clock.ts";
import { FailedError } from "../../lib/core/errors.ts";
import { entryKind, findEntry, findText } from "../../lib/core/files.ts";
import { listFolder } from "../../lib/core/folders.ts";
import { acquireLock } from "../../lib/core/lock.ts";
import { MARKER } from "./launcher.ts";

/** Where an installation is, below its prefix. */
export interface Places {
  readonly prefix: string;
  /** The command that the operator types. */
  readonly launcher: string;
  /** The folder with everything else. */
  readonly home: string;
  /** What the newest install installs, for the next install and for `uninstall`. */
  readonly record: string;
}

/** Returns the places of an installation. */
export function placesIn(prefix: string, os: typeof Deno.build.os): Places {
  const home = join(prefix, "lib", "model-sync");
  const launcher = join(prefix, "bin", os === "windows" ? "model-sync.cmd" : "model-sync");
  return { prefix, launcher, home, record: join(home, "installation.json") };
}

const Installation = z.object({
  version: z.string(),
  commit: z.string().optional(),
  deno: z.string(),
  clone: z.string(),
  /** The folders that the installer created, deepest first. Uninstalling removes those that are empty then. */
  folders: z.array(z.string()).max(100),
});

/** What `installation.json` says. */
export type Installation = z.infer<typeof Installation>;

/** The record has a few lines, and a launcher a hundred. */
const TEXT_BYTES_MAX = 1024 * 1024;

/**
 * Returns the installation in these places; `undefined` if there is none.
 *
 * @throws {FailedError} code `INSTALL_FOREIGN` if another program's file or folder is in one of the places
 */
export function findInstallation(places: Places): Installation | undefined {
  const { launcher, home, record } = places;
  if (findEntry(Deno, launcher) !== undefined && !isOurLauncher(launcher)) throw foreign(launcher);
  const entry = findEntry(Deno, home);
  if (entry === undefined) return undefined;
  const text = entry.isDirectory ? findText(Deno, record, TEXT_BYTES_MAX) : undefined;
  if (text !== undefined) return parseRecord(text);
  // An install that was killed before it wrote the record leaves only names that the installer chooses.
  const isOurs = entry.isDirectory && (listFolder(Deno, home) ?? []).every(({ name }) => isOwnName(name));
  if (!isOurs) throw foreign(home);
  return undefined;
}

/** A damaged record is as good as none: the install replaces it. */
function parseRecord(text: string): Installation | undefined {
  try {
    return Installation.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}

/** Returns whether a file is a launcher that the installer wrote. Links are not followed. */
export function isOurLauncher(path: string): boolean {
  const entry = findEntry(Deno, path);
  // An executable of the same name is too large to be a launcher.
  if (entry?.isFile !== true || entry.size > TEXT_BYTES_MAX) return false;
  return findText(Deno, path, TEXT_BYTES_MAX)?.includes(MARKER) === true;
}

/** Returns whether the installer chooses this name in the folder of an installation. */
export function isOwnName(name: string): boolean {
  return /^(?:deno|packages|program|launcher)-[\w.-]+$|^installation\.json(?:\.new)?$|^lock$/.test(name);
}

/**
 * Returns the lock of an installation, whose folder must exist.
 *
 * @throws {LockedError} while another install or uninstall runs
 */
export async function lockInstallation({ home }: Places, command: string): Promise<Disposable> {
  return await acquireLock(Deno, join(home, "lock"), { command, host: "this machine" }, systemClock);
}

function foreign(path: string): FailedError {
  const entry = findEntry(Deno, path);
  const kind = entry === undefined ? "an entry" : entryKind(entry);
  return new FailedError(`Cannot use ${path}: it is ${kind} that this installer did not write`, {
    code: "INSTALL_FOREIGN",
    hint: "move it away, or choose another folder with --prefix",
  });
}

/** Returns the missing folders that the installer would create, deepest first. */
export function missingFolders({ launcher, home }: Places): string[] {
  const missing = new Set<string>();
  for (const folder of [home, dirname(launcher)]) {
    for (let at = folder; findEntry(Deno, at) === undefined && dirname(at) !== at; at = dirname(at)) {
      missing.add(at);
    }
  }
  return [...missing].sort((a, b) => b.length - a.length);
}
