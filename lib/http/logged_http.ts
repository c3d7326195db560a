import type { Context, Http } from "../core/context.ts";
import { messageOf } from "../core/errors.ts";
import { formatDuration } from "../core/format.ts";
import { redactUrls } from "../core/secret.ts";

/** Returns an {@link Http} that logs each request at debug level: method, address without credentials, status, time. */
export function loggedHttp({ http, clock, log }: Pick<Context, "http" | "clock" | "log">): Http {
  return async (input, init) => {
    const [url, method] = input instanceof Request ? [input.url, input.method] : [String(input), "GET"];
    const request = `${init?.method ?? method} ${redactUrls(url)}`;
    const startedMs = clock.monotonicMs();
    const logEnd = (end: string) =>
      log.debug(`${request}: ${end} after ${formatDuration(clock.monotonicMs() - startedMs)}`);
    try {
      const response = await http(input, init);
      logEnd(String(response.status));
      return response;
    } catch (error) {
      logEnd(messageOf(error));
      throw error;
    }
  };
}
