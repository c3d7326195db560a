import { sentence } from "../shared/words.ts";
import { formatBytes } from "../../lib/core/format.ts";
import { EVENT_LIMITS, EVENTS_BYTES_MAX, SEND_LESS } from "./read_body.ts";
import { HASH_VARIABLE, PASSWORD_VARIABLE } from "./password_source.ts";

/** Denials of the guard. */
export const REFUSALS = {
  address: {
    status: 400,
    code: "ADDRESS_INVALID",
    message: "Cannot answer this request: its Host header is invalid or differs from its address",
    hint: "open the dashboard at its own address; a proxy must pass the Host header unchanged",
  },
  method: (method: string, allowed: readonly string[]): Denial => ({
    status: 405,
    code: "METHOD_NOT_ALLOWED",
    message: `Cannot answer ${method.replace(/[^A-Za-z-]/g, "?").slice(0, 32)}: this address accepts ${
      allowed.join(", ")
    }`,
    hint: "use one of these methods",
    headers: { allow: allowed.join(", ") },
  }),
  otherName: {
    status: 403,
    code: "HOST_REFUSED",
    message:
      "Cannot show the dashboard under this host name: without a password, it answers only as localhost",
    hint: `open http://localhost with the same port, or set a password in ${PASSWORD_VARIABLE}`,
  },
  forwarded: {
    status: 403,
    code: "PROXY_REFUSED",
    message: "Cannot show the dashboard through a proxy: no password is set",
    hint: `run model-sync dashboard --set-password, or set ${PASSWORD_VARIABLE}`,
  },
  noPassword: (isDeploy: boolean): Denial => ({
    status: 503,
    code: "PASSWORD_MISSING",
    message: "Cannot show the dashboard: no password is set, and anyone can reach this address",
    hint: isDeploy
      ? `open the app's settings at console.deno.com, add the environment variable ${PASSWORD_VARIABLE} as a secret ` +
        "in the Production context, and deploy again"
      : `run model-sync dashboard --set-password, or set ${PASSWORD_VARIABLE} or ${HASH_VARIABLE} and start it again`,
  }),
  brokenPassword: (fault: string): Denial => ({
    status: 503,
    code: "PASSWORD_UNUSABLE",
    message: `Cannot show the dashboard: ${fault}`,
    hint: "set the password again and restart the dashboard",
  }),
  signIn: {
    status: 401,
    code: "SIGN_IN_NEEDED",
    message: "Cannot show this: the request has no session and no valid read token",
    hint: "send Authorization: Bearer with a read token, which the settings page creates",
    headers: { "www-authenticate": "Bearer" },
  },
  nodeToken: {
    status: 401,
    code: "TOKEN_INVALID",
    message: "Cannot accept reports: the request has no valid node token",
    hint:
      "create or rotate the node's token on the dashboard's settings page and set MODEL_SYNC_REPORT_TOKEN to it",
    headers: { "www-authenticate": "Bearer" },
  },
  crossSite: (fault: string): Denial => ({
    status: 403,
    code: "CROSS_SITE",
    message: `Cannot accept this form: ${fault}`,
    hint: "send it from the dashboard's own page; a proxy must pass the Host header unchanged",
  }),
  bodyTooLarge: (bytesMax: number): Denial => ({
    status: 413,
    code: "BODY_TOO_LARGE",
    message: `Cannot accept this request: its body is longer than ${formatBytes(bytesMax)}`,
    hint: "send less at once",
  }),
  formType: {
    status: 415,
    code: "FORM_TYPE",
    message: "Cannot accept this form: its content type is not application/x-www-form-urlencoded",
    hint: "send it from the dashboard's own page",
  },
  reportTooLarge: {
    status: 413,
    code: "BODY_TOO_LARGE",
    message: `Cannot store the events: the request has more than ${formatBytes(EVENTS_BYTES_MAX)}`,
    hint: SEND_LESS,
    limits: EVENT_LIMITS,
  },
  bodyMissing: {
    status: 408,
    code: "BODY_MISSING",
    message: "Cannot accept this request: its body did not arrive",
    hint: "send it again",
  },
  intake: (reason: string): Denial => ({
    status: 503,
    code: "LOCAL_RUNS_MISSING",
    message: `Cannot show the runs of the dashboard's own machine: ${reason}`,
    hint: "try again in a moment; the dashboard's log has the reason",
    headers: { "retry-after": "5" },
  }),
  database: {
    status: 503,
    code: "DATABASE_UNAVAILABLE",
    message: "Cannot answer: the dashboard's database cannot be read or written",
    hint: "try again in a moment; the dashboard's log has the reason",
    headers: { "retry-after": "5" },
  },
} as const satisfies Readonly<Record<string, Denial | ((...args: never[]) => Denial)>>;

/** An error answer. */
export interface Denial {
  readonly status: 400 | 401 | 403 | 404 | 405 | 408 | 413 | 415 | 429 | 500 | 503;
  /** Stable, for programs. */
  readonly code: string;
  /** The failure and its reason. */
  readonly message: string;
  /** The next step for the reader. */
  readonly hint: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** The limits of a request, if it exceeded them. */
  readonly limits?: { readonly events: number; readonly bytes: number };
}

/** Returns the answer for programs: `{ "error": { "code", "message", "hint" } }`. */
export function denialJson({ status, code, message, hint, limits, headers }: Denial): Response {
  const error = { code, message, hint, ...(limits === undefined ? {} : { limits }) };
  return Response.json({ error }, { status, headers: headers ?? {} });
}

/** Returns the answer for people: plain text, which needs no other file. */
export function denialText({ status, message, hint, headers }: Denial): Response {
  const text = `${sentence(message)}\n\n${sentence(hint)}\n`;
  return new Response(text, { status, headers: { ...headers, "content-type": "text/plain; charset=utf-8" } });
}
