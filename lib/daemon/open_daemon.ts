import type { Context } from "../core/context.ts";
import type { Role } from "../config/roles.ts";
import { announceDaemon, type Announcement } from "../store/daemons.ts";
import type { Store } from "../store/store.ts";
import { FileControl } from "./control.ts";
import { DaemonHealth, describeRoles } from "./daemon_health.ts";
import type { OpenDatagramSocket } from "./datagram_socket.ts";
import { type ServeHttp, startHealthServer } from "./health_server.ts";
import type { ListenAddress } from "./listen_address.ts";
import { connectServiceManager } from "./systemd.ts";

export interface DaemonOptions {
  readonly roles: readonly Role[];
  /** The time zone of the schedules, for the status line. */
  readonly timeZone: string | undefined;
  /** The address of the health server; `undefined` for no server. */
  readonly listen: ListenAddress | undefined;
  readonly renderMetrics: () => Promise<string>;
  readonly serve: ServeHttp;
  readonly openSocket: OpenDatagramSocket;
  readonly pid: number;
}

/** The parts of a daemon that surround its roles. */
export interface OpenDaemon extends AsyncDisposable {
  readonly health: DaemonHealth;
  /** The pauses and requests of operators. */
  readonly control: FileControl;
  readonly announcement: Announcement;
}

/**
 * Announces a daemon in the store, starts its health server, and connects it to operators and to the service manager.
 * The daemon is reported as ready when each of its loops runs. Dispose of the result when the loops have ended.
 *
 * @throws {LockedError} code `DAEMON_RUNNING` when another daemon has one of the roles
 */
export async function openDaemon(
  context: Context,
  store: Store,
  options: DaemonOptions,
): Promise<OpenDaemon> {
  const { clock, log, signal } = context;
  const { roles, listen, timeZone, openSocket, pid } = options;
  await using opened = new AsyncDisposableStack();
  const announcement = opened.use(await announceDaemon(context, store, roles));
  const status = () => describeRoles(health.roles(), timeZone);
  const health = new DaemonHealth(clock, roles, () => manager.status(status()));
  if (listen !== undefined) {
    const server = startHealthServer({ ...options, address: listen, clock, log, health });
    opened.defer(() => server.close());
  }
  const manager = connectServiceManager(context, { openSocket, isAlive: () => health.isAlive(), pid });
  opened.defer(() => manager.close());
  const onStop = () => manager.stopping();
  signal.addEventListener("abort", onStop, { once: true });
  opened.defer(() => signal.removeEventListener("abort", onStop));
  health.up.then(() => {
    if (!signal.aborted) manager.ready(status());
  });
  const control = new FileControl(context, store, roles, health);
  const all = opened.move();
  return { health, control, announcement, [Symbol.asyncDispose]: () => all.disposeAsync() };
}
