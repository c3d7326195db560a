import type { Chat } from "../config/sections/alerts.ts";
import type { Context } from "../core/context.ts";
import { postWebhook } from "../http/post_webhook.ts";
import { withRetry } from "../core/retry.ts";
import type { Secret } from "../core/secret.ts";
import { urlSecrets } from "../http/web_address.ts";
import type { AlertText } from "./alert_text.ts";
import { ALERT_REQUEST_TIMEOUT_MS, ALERT_RETRIES } from "./alert_retries.ts";

/** Discord accepts 2,000 characters ("Execute Webhook"); Slack accepts 40,000 and shows 4,000 at once. */
const CHARS_MAX = { slack: 4_000, discord: 2_000 } as const;

/** Posts an alert to a chat channel. No error message contains the address. */
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
    what: `the ${type} webhook`,
    timeoutMs: ALERT_REQUEST_TIMEOUT_MS,
  };
  await withRetry(context, ALERT_RETRIES, () => postWebhook(context, webhook));
}

/** Slack requires these three characters to be escaped; `<` begins links and mentions. */
function slackMessage(text: AlertText) {
  const escape = (value: string) =>
    value.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
  return { text: chatText(text, escape, "*", CHARS_MAX.slack) };
}

/** Mentions are disabled, whatever the text contains. */
function discordMessage(text: AlertText) {
  const escape = (value: string) => value.replace(/[\\*_~`|>#[\]()<]/g, "\\$&");
  return { content: chatText(text, escape, "**", CHARS_MAX.discord), allowed_mentions: { parse: [] } };
}

/** Returns the whole lines that fit. */
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
