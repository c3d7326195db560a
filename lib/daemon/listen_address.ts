import { FailedError, messageOf, UsageError } from "../core/errors.ts";

/** The address that a server listens on. */
export interface ListenAddress {
  readonly hostname: string;
  /** 0 for a free port that the system chooses. */
  readonly port: number;
}

/** A name or an IPv4 address, or an IPv6 address in brackets, and a port. */
const HOST_AND_PORT = /^(?:\[([0-9a-f:.]+)\]|([\w.-]+)):(\d{1,5})$/i;

const PORT_MAX = 65_535;

/**
 * Returns the address that a text such as `127.0.0.1:9464` or `[::1]:9464` names.
 *
 * @param option named in the error's hint
 * @throws {UsageError} code `LISTEN_INVALID`
 */
export function parseListenAddress(text: string, option: string): ListenAddress {
  const [, ipv6, name, digits] = HOST_AND_PORT.exec(text) ?? [];
  const hostname = ipv6 ?? name;
  const port = Number(digits);
  if (hostname !== undefined && port <= PORT_MAX) return { hostname, port };
  throw new UsageError(`Cannot listen on "${text}": it is not a host and a port`, {
    code: "LISTEN_INVALID",
    hint: `write ${option} 127.0.0.1:9464, or [::1]:9464 for an IPv6 address`,
  });
}

/** Returns the text of an address. */
export function formatAddress({ hostname, port }: ListenAddress): string {
  return hostname.includes(":") ? `[${hostname}]:${port}` : `${hostname}:${port}`;
}

/**
 * Returns the server that `listen` starts on an address.
 *
 * @param option named in the errors' hints
 * @throws {FailedError} code `PORT_IN_USE`
 * @throws {UsageError} code `LISTEN_INVALID` where the address is not one of this machine
 */
export function listening<Server>(address: ListenAddress, option: string, listen: () => Server): Server {
  const action = `Cannot listen on ${formatAddress(address)}`;
  try {
    return listen();
  } catch (cause) {
    if (cause instanceof Deno.errors.AddrInUse) {
      throw new FailedError(`${action}: another program uses the port`, {
        code: "PORT_IN_USE",
        cause,
        hint: `stop that program, or name another port with ${option}`,
      });
    }
    throw new UsageError(`${action}: ${messageOf(cause)}`, {
      code: "LISTEN_INVALID",
      cause,
      hint: `name an address of this machine and a free port above 1023 with ${option}`,
    });
  }
}

/** Returns whether a numeric address is reachable from this machine only. */
export function isLoopback(hostname: string): boolean {
  return /^(::ffff:)?127\.|^::1$/.test(hostname);
}
