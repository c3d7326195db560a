import { isoSeconds } from "../core/clock.ts";
import type { Context } from "../core/context.ts";
import { postWebhook } from "../http/post_webhook.ts";
import { withRetry } from "../core/retry.ts";
import type { Secret } from "../core/secret.ts";
import type { AlertMessage } from "./alert_message.ts";
import { ALERT_REQUEST_TIMEOUT_MS, ALERT_RETRIES } from "./alert_retries.ts";

/**
 * Posts a signed alert as JSON in the format of Standard Webhooks: `type` (`model_sync.rolled-back`), `timestamp` and
 * `data`. A repeated alert has the same `webhook-id`.
 */
export async function sendWebhook(
  context: Context,
  url: string,
  secret: Secret,
  { id, type, data }: AlertMessage,
): Promise<void> {
  const webhook = {
    url,
    id,
    body: JSON.stringify({ type, timestamp: isoSeconds(context.clock.now()), data }),
    secret,
    what: "the alert webhook",
    timeoutMs: ALERT_REQUEST_TIMEOUT_MS,
  };
  await withRetry(context, ALERT_RETRIES, () => postWebhook(context, webhook));
}
