import type { ReportSettings } from "../config/sections/report.ts";
import type { Environment } from "../core/context.ts";
import { findToken } from "../core/read_secret.ts";
import type { Secret } from "../core/secret.ts";

/** The dashboard that a node reports to. */
export interface Receiver {
  /** The address that events are posted to. */
  readonly url: string;
  /** Sent only to the origin of `url`; `undefined` for no token. */
  readonly token: Secret | undefined;
  /** The variable that holds the token. */
  readonly tokenVariable: string;
}

/** The path of events, below a dashboard's address. */
const EVENTS_PATH = "/api/v1/events";

/**
 * Returns the configured dashboard; `undefined` for none. An address that ends in the path of events stays unchanged.
 *
 * @throws {AuthenticationError} code `TOKEN_INVALID`
 */
export function receiverOf(env: Environment, { url, token_env }: ReportSettings): Receiver | undefined {
  if (url === undefined) return undefined;
  const target = new URL(url);
  const base = target.pathname.replace(/\/+$/, "");
  target.pathname = base.endsWith(EVENTS_PATH) ? base : `${base}${EVENTS_PATH}`;
  target.hash = "";
  return { url: target.href, token: findToken(env, token_env), tokenVariable: token_env };
}
