import { join } from "node:path";
import { entryKind, type FileSystem, findEntry, ifFound } from "../core/files.ts";
import { setAside } from "../core/set_aside.ts";

/** The default state directory's name, beside the model folder. */
export const STATE_DIR_NAME = ".model-sync";

/** The folder of a store's state. */
export interface StateFolder {
  readonly fs: FileSystem;
  /** The state directory itself. */
  readonly root: string;
  /** Warns, once, that something in the store is damaged, and says what is done about it. */
  readonly warn: (message: string) => void;
}

/** A run's reaction to a damaged entry of the store: bad content, or a folder or a pipe in its place. */
type StateEntry =
  | RebuiltEntry
  /** Its reader assumes the cautious meaning, and the next writer replaces it. */
  | { readonly onDamage: "assume"; readonly meaning: string }
  /** Commands that need it fail and name it: a guess could activate a refused release, or the wrong one. */
  | { readonly onDamage: "refuse"; readonly reason: string };

/** An entry that is dropped, with a warning that names the cost, and recreated. */
interface RebuiltEntry {
  readonly onDamage: "rebuild";
  /**
   * `own file`: a link to a file is wrong, because runs write into the file instead of replacing it. `own folder`: a link
   * to a folder is wrong, because whatever is in the folder is moved or removed.
   */
  readonly kind: "file" | "own file" | "folder" | "own folder" | "link";
  readonly cost: string;
}

const file = (cost: string): RebuiltEntry => ({ onDamage: "rebuild", kind: "file", cost });
const ownFile = (cost: string): RebuiltEntry => ({ onDamage: "rebuild", kind: "own file", cost });
const folder = (cost: string): RebuiltEntry => ({ onDamage: "rebuild", kind: "folder", cost });
const ownFolder = (cost: string): RebuiltEntry => ({ onDamage: "rebuild", kind: "own folder", cost });

const LOCK = ownFile("nothing: the lock is the operating system's");

/** Every entry that this program creates in a store, and what its damage means. */
export const STATE_ENTRIES = {
  "store.json": { onDamage: "refuse", reason: "the store may belong to another model folder" },
  "lock": LOCK,
  "intent.json": { onDamage: "assume", meaning: "a run was killed before it changed a pointer" },
  "staging": ownFolder("what a killed run left there"),
  "releases": folder("every release: the next pull downloads the newest again"),
  "spare": ownFolder("the next pull links every unchanged file again"),
  "current": {
    onDamage: "assume",
    meaning: "what the newest run on record says is active; without one, commands that need it stop",
  },
  "mirror.json": file("the next run compares every file of the model folder with the active release"),
  "reserve": ownFolder("a rollback may fail on a full disk until the next run"),
  "previous": {
    onDamage: "rebuild",
    kind: "link",
    cost: "a rollback goes to the newest older release that the store holds",
  },
  "history.jsonl": ownFile("the record of earlier runs"),
  "history.1.jsonl": file("the record of earlier runs"),
  "history.2.jsonl": file("the record of earlier runs"),
  "history.3.jsonl": file("the record of earlier runs"),
  "history.lock": LOCK,
  "dashboard": {
    onDamage: "refuse",
    reason: "the record of other machines, and the tokens that they report with, would be lost",
  },
  "running": folder("a run that was killed is not on record"),
  "quarantine.json": { onDamage: "refuse", reason: "a release that was refused could be activated again" },
  "withdrawals.json": { onDamage: "refuse", reason: "a release that was withdrawn could be activated" },
  "revisions.json": file("the newest release is staged again from what the store holds"),
  "published.json": file("the next publish compares every file with the registry"),
  "git_blobs.json": file("files of a registry without a manifest are fetched again"),
  "hub_commit.json": file("the hub answers one request in full"),
  "whole_manifests.json": file("the next prune reads the manifests of the releases that it keeps"),
  "passed_releases.json": file("the next pull checks unchanged models again"),
  "passed_models.json": file("the next publish checks unchanged models again"),
  "folder_index": folder("the next publish checks every file"),
  "release_index": folder("the next pull examines every file one by one"),
  "stat_cache": ownFolder("files are hashed again"),
  "answers.json": file("GitHub answers one request in full"),
  "starts.json": file("a source may be requested earlier than its least interval"),
  "partials": ownFolder("downloads that broke start over"),
  "runpod_jobs.json": file("a RunPod job that was started is not continued: look for it in RunPod's console"),
  "runpod.lock": LOCK,
  "archived.json": file("the sequence of the next archive is the time alone"),
  "pending_reload.json": { onDamage: "assume", meaning: "consumers were not notified" },
  "canary.json": { onDamage: "assume", meaning: "the release is reported as not watched" },
  "canary.json.lock": LOCK,
  "alerts.json": file("an alert may be sent twice, or not at all"),
  "metrics.json": file("the counters of the metrics start over with the oldest run on record"),
  "metrics.lock": LOCK,
  "alerts.lock": LOCK,
  "paused.json": file("the roles that were paused run again"),
  "paused.json.lock": LOCK,
  "run_now.json": file("requested runs that the daemon has not started: request them again"),
  "run_now.json.lock": LOCK,
  "daemons": folder("nothing: a daemon announces itself again when it starts"),
  "reported.json": file("the dashboard is sent the whole history again"),
  "reported.lock": LOCK,
  "published_files": folder("releases that were published before are reported without their files"),
  "schedule.json": file("a missed run of the daemon is not noticed"),
  "schedule.json.lock": LOCK,
  "references": folder("everything that PRIMARY holds is compared once more"),
  "references.lock": LOCK,
  "redeploy.lock": LOCK,
  "control.lock": LOCK,
} as const satisfies Readonly<Record<string, StateEntry>>;

type EntryName = keyof typeof STATE_ENTRIES;
/** Entries that are rebuilt if they are damaged. */
export type RebuiltName = {
  [Name in EntryName]: (typeof STATE_ENTRIES)[Name]["onDamage"] extends "rebuild" ? Name : never;
}[EntryName];

/** Warns that an entry is damaged and dropped, and what that costs. */
export function warnOfDamage({ root, warn }: StateFolder, name: RebuiltName, reason: string): void {
  warn(`${join(root, name)} is damaged and is rebuilt: ${reason}. Lost: ${STATE_ENTRIES[name].cost}`);
}

/**
 * Removes wrong kinds of entries where the entry can be rebuilt: a folder or a pipe instead of a file, a file instead of
 * a folder. An entry with content is kept as `NAME.damaged`. Called when a store is opened for writing, so that readers
 * and writers of these entries meet no other kind.
 */
export function clearWrongEntries(folder: StateFolder): void {
  const { fs, root } = folder;
  const names = Array.from(fs.readDirSync(root)).filter((entry) => isSuspect(entry)).map(({ name }) => name);
  if (names.length === 0) return;
  using _lock = lockFolder(fs, root);
  for (const name of names) clearWrongEntry(folder, name);
}

/** Regular files are never moved, so a file that another run has just created stays. */
function isSuspect({ name, isFile, isDirectory }: Deno.DirEntry): boolean {
  const entry = rebuiltEntry(name);
  if (entry === undefined) return false;
  return isFolder(entry) ? !isDirectory : !isFile;
}

function isFolder({ kind }: RebuiltEntry): boolean {
  return kind === "folder" || kind === "own folder";
}

/** Returns the entry of a name, or of the scratch file beside it. */
function rebuiltEntry(name: string): RebuiltEntry | undefined {
  const entries: Readonly<Record<string, StateEntry>> = STATE_ENTRIES;
  const entry = Object.hasOwn(entries, name) ? entries[name] : undefined;
  if (entry?.onDamage === "rebuild") return entry;
  const isScratch = name.endsWith(".new") && Object.hasOwn(entries, name.slice(0, -".new".length));
  return isScratch ? { onDamage: "rebuild", kind: "file", cost: "nothing" } : undefined;
}

function clearWrongEntry({ fs, root, warn }: StateFolder, name: string): void {
  const entry = rebuiltEntry(name);
  const path = join(root, name);
  const found = findEntry(fs, path);
  if (entry === undefined || found === undefined) return;
  const target = found.isSymlink ? linkTarget(fs, path) : found;
  const isForbidden = found.isSymlink && (entry.kind === "own folder" || entry.kind === "own file");
  const isRight = !isForbidden && (isFolder(entry) ? target?.isDirectory === true : target?.isFile === true);
  if (isRight || (entry.kind === "link" && found.isSymlink) || (name.endsWith(".new") && found.isSymlink)) {
    return;
  }
  const kept = setAside(fs, path);
  const wanted = isFolder(entry) ? "a folder" : "a file";
  const link = isForbidden ? "a link" : "a link that leads to nothing of the kind";
  warn(
    `${path} was ${found.isSymlink ? link : entryKind(found)}, not ${wanted}, and is ` +
      `rebuilt${kept === undefined ? "" : `; its former content is kept in ${kept}`}. Lost: ${entry.cost}`,
  );
}

function linkTarget(fs: FileSystem, path: string): Deno.FileInfo | undefined {
  try {
    return ifFound(() => fs.statSync(path));
  } catch {
    // The link leads in a circle, or to a folder that this user cannot read.
    return undefined;
  }
}

/** Two runs that start at once must not move each other's new lock file away. Windows cannot lock a folder. */
function lockFolder(fs: FileSystem, path: string): Disposable | undefined {
  if (Deno.build.os === "windows") return undefined;
  const opened = fs.openSync(path, { read: true });
  opened.lockSync(true);
  return opened;
}
