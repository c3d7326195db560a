import * as z from "zod";
import type { TokenRow } from "../store/rows.ts";
import type { Viewer } from "../shared/web.ts";
import type { Variables } from "./password_source.ts";
import { requestHost } from "./request_host.ts";

/**
 * The variable that declares that every request comes through the operator's proxy, which sets `X-Forwarded-For` and
 * `X-Forwarded-Proto`. Without it, both headers are ignored, because any client can send them.
 */
const PROXY_VARIABLE = "MODEL_SYNC_DASHBOARD_BEHIND_PROXY";

/** The facts about the dashboard's environment that access depends on. */
export interface AccessSetup {
  readonly env: Variables;
  /** Whether only programs of this machine can reach it. */
  readonly isLoopback: boolean;
  /** Whether it runs on Deno Deploy, where it is reached over HTTPS and set up in the console. */
  readonly isDeploy: boolean;
}

/** The facts about a request that access depends on. */
export interface Visit {
  /** The dashboard's host, as the browser knows it. */
  readonly host: string;
  readonly hostname: string;
  readonly isHttps: boolean;
  /** The client's address, by which sign-ins are counted. */
  readonly address: string;
}

/** Variables that the guard sets for handlers. */
export interface AccessEnv {
  Variables: {
    /** The reader of the answer. */
    viewer: Viewer;
    /** Whether the reader has a session; false with a token, and without a password. */
    signedIn: boolean;
    visit: Visit;
    /** The token of a request to `/api/v1/events`. */
    nodeToken?: TokenRow;
    /** The `Set-Cookie` header that renews the session. */
    renewal?: string;
  };
}

/** The connection of a request, which Deno's server passes to Hono as the environment. */
const Connection = z.object({ remoteAddr: z.object({ hostname: z.string() }) });

/**
 * Returns the facts about a request; `undefined` if its address is invalid.
 *
 * @param connection the second argument of the server's handler
 */
export function visitOf(request: Request, connection: unknown, setup: AccessSetup): Visit | undefined {
  const host = requestHost(request);
  if (host === undefined) return undefined;
  const isBehindProxy = isTrue(setup.env.get(PROXY_VARIABLE));
  const forwardedProto = isBehindProxy ? lastOf(request.headers.get("x-forwarded-proto")) : undefined;
  const forwardedFor = isBehindProxy ? lastOf(request.headers.get("x-forwarded-for")) : undefined;
  return {
    ...host,
    isHttps: host.isHttps || setup.isDeploy || forwardedProto?.toLowerCase() === "https",
    address: forwardedFor ?? remoteAddress(connection),
  };
}

/** Connections without an address, such as Unix sockets, count as one client. */
function remoteAddress(connection: unknown): string {
  const parsed = Connection.safeParse(connection);
  return parsed.success ? parsed.data.remoteAddr.hostname : "unknown";
}

/** Returns the last entry, which the nearest proxy writes. The client can forge the others. */
function lastOf(header: string | null): string | undefined {
  const last = header?.split(",").at(-1)?.trim() ?? "";
  return last === "" ? undefined : last;
}

function isTrue(value: string | undefined): boolean {
  return /^(1|true|yes|on)$/i.test(value?.trim() ?? "");
}
