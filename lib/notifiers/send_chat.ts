import type { Chat } from "../config/sections/alerts.ts";
import type { Context } from "../core/context.ts";
import { postWebhook } from "../http/post_webhook.ts";
import { withRetry } from "../core/retry.ts";
import type { Secret } from "../core/secret.ts";
import { urlSecrets } from "../http/web_address.ts";
import type { AlertText } from "./alert_text.ts";
import { ALERT_REQUEST_TIMEOUT_MS, ALERT_RETRIES } from "./alert_retries.ts";

/** Discord takes 2,000 characters (its "Execute Webhook"); of Slack's 40,000, 4,000 are shown at once. */
const CHARS_MAX = { slack: 4_000, discord: 2_000 } as const;

/** Posts an alert to a chat channel. The address is in no message. */
export async function sendChat(
  context: Context,
  type: Chat["type"],
  url: Secret,
  id: string,
  text: AlertText,
): Promise<void> {
  const webhook = {
    url: url.reveal(),
    id,
    body: JSON.stringify(type === "slack" ? slackMessage(text) : discordMessage(text)),
    hidden: urlSecrets(new URL(url.reveal())),
    what: `the answer of the ${type} webhook`,
    timeoutMs: ALERT_REQUEST_TIMEOUT_MS,
  };
  await withRetry(context, ALERT_RETRIES, () => postWebhook(context, webhook));
}

/** In Slack's text `<` begins links and mentions; these three are all that it wants escaped. */
function slackMessage(text: AlertText) {
  const escape = (value: string) =>
    value.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
  return { text: chatText(text, escape, "*", CHARS_MAX.slack) };
}

/** Nobody is mentioned, whatever a message looks like. */
function discordMessage(text: AlertText) {
  const escape = (value: string) => value.replace(/[\\*_~`|>#[\]()<]/g, "\\$&");
  return { content: chatText(text, escape, "**", CHARS_MAX.discord), allowed_mentions: { parse: [] } };
}

/** Whole lines, as many as there is room for. */
function chatText(
  { title, facts }: AlertText,
  escape: (value: string) => string,
  bold: string,
  charsMax: number,
): string {
  let result = `${bold}${escape(title)}${bold}`.slice(0, charsMax);
  for (const [label, value] of facts) {
    const line = `\n${label}: ${escape(value)}`;
    if (result.length + line.length <= charsMax) result += line;
  }
  return result;
}
