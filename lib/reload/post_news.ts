import type { HttpHook } from "../config/sections/reload.ts";
import type { Context } from "../core/context.ts";
import { postWebhook } from "../http/post_webhook.ts";
import { withRetry } from "../core/retry.ts";
import type { Secret } from "../core/secret.ts";
import { describeNews, newsId, type ReloadNews } from "./reload_news.ts";
import { reloadRetries } from "./reload_retries.ts";

/** Posts the news to a consumer, signed where there is a secret; 2xx says that it has reloaded. */
export async function postNews(
  context: Context,
  hook: HttpHook,
  news: ReloadNews,
  secret: Secret | undefined,
): Promise<void> {
  const webhook = {
    url: hook.url,
    id: newsId(news),
    body: describeNews(news, context.clock.now()),
    secret,
    headers: hook.headers,
    what: "the answer of the reload hook",
    timeoutMs: hook.timeout_seconds * 1000,
  };
  await withRetry(context, reloadRetries(hook), () => postWebhook(context, webhook));
}
