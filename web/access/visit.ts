import { z } from "zod";
import type { TokenRow } from "../store/rows.ts";
import type { Viewer } from "../shared/web.ts";
import type { Variables } from "./password_source.ts";
import { requestHost } from "./request_host.ts";

/**
 * The variable that says that every request comes over a proxy of the operator's, which writes `X-Forwarded-For` and
 * `X-Forwarded-Proto` itself. Without it both are ignored, because any client can send them.
 */
export const PROXY_VARIABLE = "MODEL_SYNC_DASHBOARD_BEHIND_PROXY";

/** Where the dashboard runs, as far as it matters to who may see it. */
export interface AccessSetup {
  readonly env: Variables;
  /** Whether only programs of this machine reach it. */
  readonly isLoopback: boolean;
  /** Whether it runs on Deno Deploy: reached over HTTPS, and set up in the console. */
  readonly isDeploy: boolean;
}

/** A request, as far as it matters to who may see what. */
export interface Visit {
  /** Of the dashboard, as the browser knows it. */
  readonly host: string;
  readonly hostname: string;
  readonly isHttps: boolean;
  /** Of the client: what sign-ins are counted by. */
  readonly address: string;
}

/** What the guard hands to the handlers of the app. */
export interface AccessEnv {
  Variables: {
    /** For whom the answer is made. */
    viewer: Viewer;
    /** Whether the reader has a session to sign out of: not with a token, and not where there is no password. */
    signedIn: boolean;
    visit: Visit;
    /** What `/api/v1/events` was called with. */
    nodeToken?: TokenRow;
    /** The cookie that this visit renews. */
    renewal?: string;
  };
}

/** What Deno's server knows of a request's connection; Hono hands it on as the environment. */
const Connection = z.object({ remoteAddr: z.object({ hostname: z.string() }) });

/**
 * Returns what is known of a request's way here; `undefined` where its address cannot be read.
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

/** All that come over a connection without an address, such as a Unix socket, are one client. */
function remoteAddress(connection: unknown): string {
  const parsed = Connection.safeParse(connection);
  return parsed.success ? parsed.data.remoteAddr.hostname : "unknown";
}

/** The nearest proxy writes the last entry; those before it are the client's own words. */
function lastOf(header: string | null): string | undefined {
  const last = header?.split(",").at(-1)?.trim() ?? "";
  return last === "" ? undefined : last;
}

function isTrue(value: string | undefined): boolean {
  return /^(1|true|yes|on)$/i.test(value?.trim() ?? "");
}
