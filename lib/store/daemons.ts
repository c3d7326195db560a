import { join } from "node:path";
import { z } from "zod";
import { CleanString } from "../core/clean_string.ts";
import type { Context } from "../core/context.ts";
import { LockedError } from "../core/errors.ts";
import { findText } from "../core/files.ts";
import { listFolder } from "../core/list_folder.ts";
import { acquireLock, isLocked } from "../core/lock.ts";
import { newRunId } from "./run_id.ts";
import type { Store } from "./store.ts";

/** A role that a running daemon has. */
export interface RunningDaemon {
  readonly role: string;
  readonly pid: number;
  readonly host: string;
  readonly since: string;
}

/** What a daemon writes into the lock file of each of its roles. */
const DaemonText = z.object({ pid: z.number(), host: CleanString, since: CleanString });

/** A process, a host, a command and a time. */
const TEXT_BYTES_MAX = 64 * 1024;

const SUFFIX = ".lock";

/** The lock file of a role, and nothing else that may lie in the folder. */
const LOCK_NAME = /^([a-z_]+)\.lock$/;

/**
 * Announces a daemon with these roles until the result is disposed or the process ends, however it ends.
 *
 * @throws {LockedError} code `DAEMON_RUNNING` when another daemon has one of the roles with this store
 */
export async function announceDaemon(
  context: Context,
  store: Store,
  roles: readonly string[],
): Promise<Disposable> {
  const { fs, clock, host } = context;
  fs.mkdirSync(folderOf(store), { recursive: true });
  using announced = new DisposableStack();
  const runId = newRunId(context);
  for (const role of roles) {
    const path = join(folderOf(store), `${role}${SUFFIX}`);
    const owner = { command: `daemon --role ${role}`, runId, host };
    announced.use(
      await acquireLock(fs, path, owner, clock).catch((error) => {
        throw error instanceof LockedError ? daemonRunning(store, role, error) : error;
      }),
    );
  }
  return announced.move();
}

function daemonRunning(store: Store, role: string, cause: LockedError): LockedError {
  const { pid, host, since } = readText(store, role);
  return new LockedError(
    `Cannot start the daemon: another one has the role ${role} with the store ${store.root} ` +
      `(pid ${pid} on ${host} since ${since})`,
    { code: "DAEMON_RUNNING", cause, hint: "stop that daemon first, or start this one with another --role" },
  );
}

/** Returns the roles of the daemons that run with this store. Needs read permission only. */
export async function readDaemons(
  { fs, clock }: Pick<Context, "fs" | "clock">,
  store: Store,
): Promise<RunningDaemon[]> {
  const roles = (listFolder(fs, folderOf(store)) ?? []).flatMap(({ name }) =>
    LOCK_NAME.exec(name)?.[1] ?? []
  );
  const running = await Promise.all(roles.map(async (role) => {
    const path = join(folderOf(store), `${role}${SUFFIX}`);
    return await isLocked(fs, path, clock) ? [{ role, ...readText(store, role) }] : [];
  }));
  return running.flat().sort((one, other) => one.role < other.role ? -1 : 1);
}

function folderOf(store: Pick<Store, "root">): string {
  return join(store.root, "daemons");
}

/** The lock is the announcement; its text may be missing where the disk is full. */
function readText({ fs, root }: Store, role: string): Omit<RunningDaemon, "role"> {
  try {
    const path = join(folderOf({ root }), `${role}${SUFFIX}`);
    return DaemonText.parse(JSON.parse(findText(fs, path, TEXT_BYTES_MAX) ?? ""));
  } catch {
    return { pid: 0, host: "unknown", since: "unknown" };
  }
}
