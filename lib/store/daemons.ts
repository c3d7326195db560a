import { join } from "node:path";
import * as z from "zod";
import { CleanString } from "../core/clean_string.ts";
import type { Context } from "../core/context.ts";
import { LockedError } from "../core/errors.ts";
import { type FileSystem, findText, ifFound } from "../core/files.ts";
import { listFolder } from "../core/folders.ts";
import { acquireLock, tryLock } from "../core/lock.ts";
import { newRunId } from "./running.ts";
import type { Store } from "./store.ts";

/** A role of a running daemon. */
export interface RunningDaemon {
  readonly role: string;
  readonly pid: number;
  readonly host: string;
  readonly since: string;
}

/** The text in the lock file of each role. */
const DaemonText = z.lazy(() => z.object({ pid: z.number(), host: CleanString, since: CleanString }));

/** The text names a process, a host, a command and a time. */
const TEXT_BYTES_MAX = 64 * 1024;

const SUFFIX = ".lock";

/** Matches the lock file of a role, and no other file in the folder. */
const LOCK_NAME = /^([a-z_]+)\.lock$/;

/**
 * Announces a daemon with these roles until the result is disposed or the process ends, even by a kill.
 *
 * @throws {LockedError} code `DAEMON_RUNNING` if another daemon has one of the roles with this store
 */
export async function announceDaemon(
  context: Context,
  store: Store,
  roles: readonly string[],
): Promise<Announcement> {
  using announced = new DisposableStack();
  const announcement = announced.use(new Announcement(context, store, roles));
  await announcement.renew("start");
  announced.move();
  return announcement;
}

/** The lock of a role, and the identity of its file once that is known. */
interface RoleLock {
  readonly lock: Disposable;
  readonly identity: string | undefined;
}

/** The announcement of a daemon: a lock on a file for each of its roles. */
export class Announcement implements Disposable {
  readonly #context: Context;
  readonly #store: Store;
  readonly #roles: readonly string[];
  readonly #locks = new Map<string, RoleLock>();

  constructor(context: Context, store: Store, roles: readonly string[]) {
    this.#context = context;
    this.#store = store;
    this.#roles = roles;
  }

  /** Returns whether other processes see the locks. They do not if the files were removed with the store. */
  isSeen(): boolean {
    return this.#roles.every((role) => this.#isSeen(role));
  }

  /**
   * Announces the roles again that other processes no longer see announced.
   *
   * @param attempt what the error says cannot be done
   * @throws {LockedError} code `DAEMON_RUNNING` if another daemon has one of them
   */
  async renew(attempt: "start" | "keep"): Promise<void> {
    const { fs, clock, host } = this.#context;
    fs.mkdirSync(folderOf(this.#store), { recursive: true });
    const runId = newRunId(this.#context);
    for (const role of this.#roles.filter((role) => !this.#isSeen(role))) {
      const path = lockPath(this.#store, role);
      this.#letGo(role);
      const owner = { command: `daemon --role ${role}`, runId, host };
      const lock = await acquireLock(fs, path, owner, clock).catch((error) => {
        throw error instanceof LockedError ? daemonRunning(this.#store, role, attempt, error) : error;
      });
      this.#locks.set(role, { lock, identity: undefined });
      this.#locks.set(role, { lock, identity: identityOf(fs, path) });
    }
  }

  [Symbol.dispose](): void {
    for (const role of this.#roles) this.#letGo(role);
  }

  #letGo(role: string): void {
    this.#locks.get(role)?.lock[Symbol.dispose]();
    this.#locks.delete(role);
  }

  #isSeen(role: string): boolean {
    const identity = this.#locks.get(role)?.identity;
    return identity !== undefined && identity === identityOf(this.#context.fs, lockPath(this.#store, role));
  }
}

/** Distinguishes a file from another one at its path: the inode number of an open file is not reused. */
function identityOf(fs: FileSystem, path: string): string | undefined {
  const info = ifFound(() => fs.statSync(path));
  return info === undefined ? undefined : `${info.dev} ${info.ino}`;
}

function lockPath(store: Pick<Store, "root">, role: string): string {
  return join(folderOf(store), `${role}${SUFFIX}`);
}

function daemonRunning(
  store: Store,
  role: string,
  attempt: "start" | "keep",
  cause: LockedError,
): LockedError {
  const { pid, host, since } = readText(store, role);
  const other = `the role ${role} with the store ${store.root} (pid ${pid} on ${host} since ${since})`;
  return attempt === "start"
    ? new LockedError(`Cannot start the daemon: another daemon has ${other}`, {
      code: "DAEMON_RUNNING",
      cause,
      hint: "stop that daemon first, or start this daemon with another --role",
    })
    : new LockedError(
      `Cannot keep the daemon running: the store was removed, and another daemon has ${other}`,
      {
        code: "DAEMON_RUNNING",
        cause,
        hint: "stop the daemons before you remove their store; the other daemon keeps running",
      },
    );
}

/** Returns the roles of the daemons that run with this store. Needs read permission only. */
export async function readDaemons(
  { fs }: Pick<Context, "fs">,
  store: Store,
): Promise<RunningDaemon[]> {
  const roles = (listFolder(fs, folderOf(store)) ?? []).flatMap(({ name }) =>
    LOCK_NAME.exec(name)?.[1] ?? []
  );
  const running = await Promise.all(roles.map(async (role) => {
    const lock = await tryLock(fs, lockPath(store, role));
    if (typeof lock === "object") lock[Symbol.dispose]();
    return lock === "locked" ? [{ role, ...readText(store, role) }] : [];
  }));
  return running.flat().sort((one, other) => one.role < other.role ? -1 : 1);
}

function folderOf(store: Pick<Store, "root">): string {
  return join(store.root, "daemons");
}

/** The lock is the announcement. Its text may be missing if the disk was full. */
function readText({ fs, root }: Store, role: string): Omit<RunningDaemon, "role"> {
  try {
    const path = lockPath({ root }, role);
    return DaemonText.parse(JSON.parse(findText(fs, path, TEXT_BYTES_MAX) ?? ""));
  } catch {
    return { pid: 0, host: "unknown", since: "unknown" };
  }
}
