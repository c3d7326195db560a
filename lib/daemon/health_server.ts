import type { Clock } from "../core/clock.ts";
import { FailedError, messageOf } from "../core/errors.ts";
import type { Log } from "../core/log.ts";
import { TEXT_FORMAT_TYPE } from "../metrics/text_format.ts";
import type { DaemonHealth } from "./daemon_health.ts";
import { formatAddress, isLoopback, type ListenAddress, listening } from "./listen_address.ts";

/** The part of `Deno.serve` that the health server uses. */
export type ServeHttp = (
  options: Deno.ServeTcpOptions & { readonly onListen: () => void },
  handler: (request: Request) => Promise<Response>,
) => { readonly addr: Deno.NetAddr; readonly finished: Promise<void> };

export interface HealthServerOptions {
  readonly address: ListenAddress;
  readonly serve: ServeHttp;
  readonly clock: Clock;
  readonly log: Log;
  readonly health: DaemonHealth;
  /** Returns the metrics in Prometheus' text format. */
  readonly renderMetrics: () => Promise<string>;
}

/** A server that listens. */
export interface HealthServer {
  readonly address: ListenAddress;
  /** Closes the server and its connections. */
  close(): Promise<void>;
}

/** Below the default scrape timeout of Prometheus, 10 s. Rendering reads small files only. */
const RENDER_MS_MAX = 9_000;

/**
 * Serves `/healthz`, 200 while the daemon's loops work and 503 while one is stuck, and `/metrics`. Needs the net
 * permission.
 *
 * @throws {FailedError} code `PORT_IN_USE`
 * @throws {UsageError} code `LISTEN_INVALID` where the address is not one of this machine
 */
export function startHealthServer(options: HealthServerOptions): HealthServer {
  const { address, serve, log } = options;
  const ending = new AbortController();
  const server = listening(address, "--health-listen", () =>
    serve({
      hostname: address.hostname,
      port: address.port,
      signal: ending.signal,
      onListen: () => {},
      onError: (error) => {
        log.warn(`the health server cannot answer: ${messageOf(error)}`);
        return textResponse(500, "internal error");
      },
    }, healthHandler(options)));
  const bound = { hostname: server.addr.hostname, port: server.addr.port };
  log.info(`health server listens on http://${formatAddress(bound)}: /healthz and /metrics`);
  if (!isLoopback(bound.hostname)) {
    log.warn(
      `the health server is open to the network on ${formatAddress(bound)}: it has no password, ` +
        "and its metrics name this machine's folders",
    );
  }
  return {
    address: bound,
    async close() {
      ending.abort();
      await server.finished;
    },
  };
}

/** Returns the request handler. */
function healthHandler(
  { health, clock, log, renderMetrics }: HealthServerOptions,
): (request: Request) => Promise<Response> {
  let lastFault = "";
  const paths: Readonly<Record<string, () => Promise<Response>>> = {
    "/healthz": () => Promise.resolve(healthResponse(health)),
    "/metrics": async () => {
      try {
        const text = await inTime(renderMetrics(), clock);
        lastFault = "";
        return new Response(text, { headers: { "content-type": TEXT_FORMAT_TYPE } });
      } catch (error) {
        const fault = messageOf(error);
        // Prometheus scrapes every few seconds: the same fault is logged once.
        if (fault !== lastFault) log.warn(`cannot serve the metrics: ${fault}`);
        lastFault = fault;
        return textResponse(503, "the metrics cannot be read; the daemon's log says why");
      }
    },
  };
  return async ({ url, method }) => {
    // The address contains the request's Host header, which may be anything.
    const pathname = URL.parse(url)?.pathname;
    if (pathname === undefined) return textResponse(400, "bad request");
    const answer = Object.hasOwn(paths, pathname) ? paths[pathname] : undefined;
    if (answer === undefined) return textResponse(404, "not found: this server has /healthz and /metrics");
    if (method !== "GET" && method !== "HEAD") {
      return textResponse(405, "method not allowed", { allow: "GET, HEAD" });
    }
    const { status, headers, body } = await answer();
    headers.set("cache-control", "no-store");
    return new Response(method === "HEAD" ? null : body, { status, headers });
  };
}

function healthResponse(health: DaemonHealth): Response {
  const roles = health.roles().map((
    { role, isAlive, lastTick, runningSince, nextDue, pausedUntil },
  ) => [role, {
    alive: isAlive,
    lastTick: lastTick?.toISOString() ?? null,
    runningSince: runningSince?.toISOString() ?? null,
    nextDue: nextDue?.toISOString() ?? null,
    paused: pausedUntil !== undefined,
    pausedUntil: pausedUntil instanceof Date ? pausedUntil.toISOString() : null,
  }]);
  const alive = health.isAlive();
  return Response.json({ alive, roles: Object.fromEntries(roles) }, { status: alive ? 200 : 503 });
}

function textResponse(
  status: number,
  text: string,
  headers: Readonly<Record<string, string>> = {},
): Response {
  return new Response(`${text}\n`, {
    status,
    headers: { "content-type": "text/plain; charset=utf-8", ...headers },
  });
}

async function inTime<Value>(work: Promise<Value>, clock: Clock): Promise<Value> {
  const late = Promise.withResolvers<never>();
  const waiting = new AbortController();
  clock.sleep(RENDER_MS_MAX, waiting.signal).then(
    () => late.reject(new FailedError("they took too long", { code: "TIMEOUT" })),
    () => {},
  );
  try {
    return await Promise.race([work, late.promise]);
  } finally {
    waiting.abort();
  }
}
