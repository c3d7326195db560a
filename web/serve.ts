import { messageOf } from "../lib/core/errors.ts";
import type { Log } from "../lib/core/log.ts";
import { type ListenAddress, listening } from "../lib/daemon/listen_address.ts";

/** The part of `Deno.serve` that the dashboard uses. */
export type ServeHttp = (
  options: Deno.ServeTcpOptions,
  handler: Deno.ServeHandler<Deno.NetAddr>,
) => Pick<Deno.HttpServer<Deno.NetAddr>, "addr" | "finished" | "shutdown">;

export interface ServeOptions {
  readonly address: ListenAddress;
  readonly serve: ServeHttp;
  readonly log: Log;
  readonly handler: Deno.ServeHandler<Deno.NetAddr>;
}

/** A listening server. */
export interface DashboardServer {
  readonly address: ListenAddress;
  /** Finishes the requests in progress and stops. Close live streams first. */
  close(): Promise<void>;
}

/**
 * Starts serving the dashboard on an address of this machine. Needs the net permission.
 *
 * @throws {FailedError} code `PORT_IN_USE`
 * @throws {UsageError} code `LISTEN_INVALID` where the address is not one of this machine
 */
export function serveDashboard({ address, serve, log, handler }: ServeOptions): DashboardServer {
  const server = listening(address, "--listen", () =>
    serve({
      hostname: address.hostname,
      port: address.port,
      onListen: () => {},
      onError: (error) => {
        log.error(`the dashboard cannot answer: ${messageOf(error)}`);
        return new Response("internal error\n", { status: 500 });
      },
    }, handler));
  return {
    address: { hostname: server.addr.hostname, port: server.addr.port },
    close: () => server.shutdown(),
  };
}
