import { isoSeconds } from "../core/clock.ts";
import { cleanLine } from "../core/clean_text.ts";
import type { Context } from "../core/context.ts";
import { postWebhook } from "../core/post_webhook.ts";
import { withRetry } from "../core/retry.ts";
import type { Secret } from "../core/secret.ts";
import { type Alert, alertId } from "./alert.ts";
import { ALERT_REQUEST_TIMEOUT_MS, ALERT_RETRIES } from "./alert_retries.ts";

/**
 * Posts an alert as JSON in the shape of Standard Webhooks: `type` (`model_sync.rolled-back`), `timestamp`, and `data`,
 * the event with `downForMs`. Signed; sent again it has the same `webhook-id`.
 */
export async function sendWebhook(
  context: Context,
  url: string,
  secret: Secret,
  alert: Alert,
): Promise<void> {
  const { error, ...event } = alert.event;
  const webhook = {
    url,
    id: alertId(alert),
    body: JSON.stringify({
      type: `model_sync.${alert.kind}`,
      timestamp: isoSeconds(context.clock.now()),
      data: {
        ...event,
        ...(error === undefined ? {} : { error: { ...error, message: cleanLine(error.message) } }),
        ...(alert.downForMs === undefined ? {} : { downForMs: alert.downForMs }),
      },
    }),
    secret,
    what: "the answer of the alert webhook",
    timeoutMs: ALERT_REQUEST_TIMEOUT_MS,
  };
  await withRetry(context, ALERT_RETRIES, () => postWebhook(context, webhook));
}
