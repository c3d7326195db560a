import type { ReferencesSettings } from "../config/sections/references.ts";
import type { Context } from "../core/context.ts";
import { metricsRenderer, type ReadSettings } from "../metrics/render_metrics.ts";
import type { WatchEvent } from "../references/watch_event.ts";
import type { Store } from "../store/store.ts";
import { DaemonHealth } from "./daemon_health.ts";
import { type HealthServer, type ServeHttp, startHealthServer } from "./health_server.ts";
import type { ListenAddress } from "./listen_address.ts";

export interface WatchServerOptions {
  readonly address: ListenAddress;
  readonly serve: ServeHttp;
  readonly readSettings: ReadSettings;
  readonly watch: ReferencesSettings["watch"];
}

/** The health server of a watch of references. */
export interface WatchServer extends AsyncDisposable {
  readonly address: ListenAddress;
  /** Notes what the watch does. */
  onEvent(event: WatchEvent): void;
}

/** The longest pause that a server can require, and as much again for requests that are answered slowly. */
const SILENCE_MS_MIN = 2 * 3_600_000;

/** Pauses after failures are at most this many intervals, beyond {@link SILENCE_MS_MIN}. */
const INTERVALS_MAX = 2;

/**
 * Serves `/healthz` and `/metrics` of a watch, as a daemon with the role `references` does. A watch is stuck if it
 * neither checks PRIMARY nor syncs for longer than its longest pause. Needs the net permission.
 *
 * @throws the errors of {@link startHealthServer}
 */
export function startWatchServer(
  context: Context,
  store: Store,
  { address, serve, readSettings, watch }: WatchServerOptions,
): WatchServer {
  const { clock, log } = context;
  const { interval_sec, initial_delay_sec } = watch;
  const silenceMsMax = SILENCE_MS_MIN + 1000 * (INTERVALS_MAX * interval_sec + initial_delay_sec);
  const health = new DaemonHealth(clock, ["references"], () => {}, silenceMsMax);
  const renderMetrics = metricsRenderer(context, store, readSettings);
  const server: HealthServer = startHealthServer({ address, serve, clock, log, health, renderMetrics });
  return {
    address: server.address,
    onEvent: (event) => note(health, event, interval_sec),
    [Symbol.asyncDispose]: () => server.close(),
  };
}

function note(health: DaemonHealth, event: WatchEvent, intervalSec: number): void {
  const dueIn = (ms: number) => health.due("references", new Date(event.at.getTime() + ms));
  switch (event.kind) {
    case "sync-started":
      return health.began("references");
    case "sync-completed":
    case "sync-incomplete":
      health.ended("references");
      return dueIn(intervalSec * 1000);
    case "poll-failed":
    case "sync-failed":
      health.ended("references");
      return dueIn(event.retryInMs ?? 0);
    default:
      health.ticked("references");
      return dueIn(intervalSec * 1000);
  }
}
