import { FailedError, messageOf, UsageError } from "../lib/core/errors.ts";
import type { Log } from "../lib/core/log.ts";
import { formatAddress, type ListenAddress } from "../lib/daemon/listen_address.ts";

/** As much of `Deno.serve` as the dashboard uses. */
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

/** A server that listens. */
export interface DashboardServer {
  readonly address: ListenAddress;
  /** Answers what it has begun to answer, and ends. Open live streams have to be closed first. */
  close(): Promise<void>;
}

/**
 * Serves the dashboard on an address of this machine. Needs the net permission.
 *
 * @throws {FailedError} code `PORT_IN_USE`
 * @throws {UsageError} code `LISTEN_INVALID` where the address is not one of this machine
 */
export function serveDashboard({ address, serve, log, handler }: ServeOptions): DashboardServer {
  const server = listening(address, () =>
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

function listening<Server>(address: ListenAddress, listen: () => Server): Server {
  const action = `Cannot listen on ${formatAddress(address)}`;
  try {
    return listen();
  } catch (cause) {
    if (cause instanceof Deno.errors.AddrInUse) {
      throw new FailedError(`${action}: another program uses the port`, {
        code: "PORT_IN_USE",
        cause,
        hint: "stop that program, or name another port with --listen",
      });
    }
    throw new UsageError(`${action}: ${messageOf(cause)}`, {
      code: "LISTEN_INVALID",
      cause,
      hint: "name an address of this machine and a free port above 1023 with --listen",
    });
  }
}
