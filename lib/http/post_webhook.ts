import type { Context } from "../core/context.ts";
import { UsageError } from "../core/errors.ts";
import { exchange } from "./request.ts";
import type { HttpRequest } from "./request_types.ts";
import { statusError } from "./status_error.ts";
import { RequestSecret, type Secret } from "../core/secret.ts";

export interface Webhook {
  readonly url: string;
  /** Identifies the event. A resend has the same id, so that receivers can ignore duplicates. Contains no dots. */
  readonly id: string;
  /** The JSON that is sent and signed. */
  readonly body: string;
  /** If set, {@link signWebhook} signs the request. */
  readonly secret?: Secret | undefined;
  /** Further headers. They are sent to the origin of `url` only. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Further texts that are redacted from messages. */
  readonly hidden?: readonly Secret[];
  /** Its name in errors: `the reload hook`. */
  readonly what: string;
  readonly timeoutMs: number;
}

/**
 * Posts JSON, in one attempt. Only status 2xx of the address itself is a success: a redirect, for example to a login,
 * means that the receiver did not accept it. Needs the net permission.
 *
 * @throws the errors of {@link statusError} and {@link exchange}; {@link UsageError} codes `REDIRECTED`,
 * `WEBHOOK_SECRET_INVALID`
 */
export async function postWebhook(
  context: Pick<Context, "http" | "clock" | "signal">,
  webhook: Webhook,
): Promise<void> {
  const { url, id, body, secret, what, timeoutMs } = webhook;
  const signature = secret === undefined
    ? {}
    : await signWebhook(secret, { id, at: context.clock.now(), body });
  const headers = Object.entries(webhook.headers ?? {}).map((
    [name, value],
  ) => [name, new RequestSecret(value)]);
  const request: HttpRequest & { readonly timeoutMs: number } = {
    url,
    method: "POST",
    headers: { "content-type": "application/json", accept: "application/json, */*", ...signature },
    credentials: { origin: new URL(url).origin, headers: Object.fromEntries(headers) },
    body,
    verb: "call",
    what,
    secrets: [...webhook.hidden ?? [], ...secret === undefined ? [] : [secret]],
    timeoutMs,
  };
  await exchange(context, request, async (response) => {
    if (!response.ok) throw await statusError(context, request, response);
    await response.body?.cancel();
    if (sameAddress(response.url, url)) return;
    const { host } = new URL(url);
    throw new UsageError(`Cannot call ${what}: ${host} redirects to another address`, {
      code: "REDIRECTED",
      hint: "set the address that it redirects to, if that is the right one",
    });
  });
}

/** The part after `#` is not sent. */
function sameAddress(answered: string, asked: string): boolean {
  const [a, b] = [new URL(answered), new URL(asked)];
  a.hash = b.hash = "";
  return a.href === b.href;
}

/** The prefix of a secret in base64. */
const BASE64_PREFIX = "whsec_";

/**
 * The headers by which a receiver knows that a request is ours and new: `webhook-id`, `webhook-timestamp` (seconds
 * since 1970) and `webhook-signature`, `v1,` and the base64 of the HMAC-SHA256 over `<id>.<timestamp>.<body>`, as
 * Standard Webhooks 1.0.0 has it (https://www.standardwebhooks.com), so that its libraries can verify it.
 *
 * @param secret `whsec_` and base64, as those libraries make it; any other text is the key itself, in UTF-8
 * @throws {UsageError} code `WEBHOOK_SECRET_INVALID`
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { Secret } from "../core/secret.ts";
 * import { signWebhook } from "./post_webhook.ts";
 * // The example of the specification's libraries.
 * const headers = await signWebhook(new Secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), {
 *   id: "msg_p5jXN8AQM9LWM0D4loKWxJek",
 *   at: new Date(1614265330_000),
 *   body: '{"test": 2432232314}',
 * });
 * assert.equal(headers["webhook-signature"], "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
 * ```
 */
export async function signWebhook(
  secret: Secret,
  { id, at, body }: { readonly id: string; readonly at: Date; readonly body: string },
): Promise<Record<"webhook-id" | "webhook-timestamp" | "webhook-signature", string>> {
  const timestamp = String(Math.floor(at.getTime() / 1000));
  const key = await crypto.subtle.importKey(
    "raw",
    keyBytes(secret.reveal()),
    { name: "HMAC", hash: "SHA-256" },
    false,
    ["sign"],
  );
  const signed = new TextEncoder().encode(`${id}.${timestamp}.${body}`);
  const signature = String.fromCharCode(...new Uint8Array(await crypto.subtle.sign("HMAC", key, signed)));
  return { "webhook-id": id, "webhook-timestamp": timestamp, "webhook-signature": `v1,${btoa(signature)}` };
}

function keyBytes(secret: string): Uint8Array<ArrayBuffer> {
  if (!secret.startsWith(BASE64_PREFIX)) return new TextEncoder().encode(secret);
  try {
    return Uint8Array.from(atob(secret.slice(BASE64_PREFIX.length)), (char) => char.charCodeAt(0));
  } catch {
    // The runtime's error could show the secret.
    throw new UsageError(`Cannot sign a webhook: the secret begins with ${BASE64_PREFIX} and is not base64`, {
      code: "WEBHOOK_SECRET_INVALID",
      hint: "copy the secret again",
    });
  }
}
