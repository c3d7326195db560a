import { exchange } from "./request.ts";
import type { HttpContext } from "./request_types.ts";

/**
 * Checks that a server answers, with a HEAD request of its root. Any status counts. The rest of the address is not
 * requested, so a webhook is not triggered. Needs the net permission.
 *
 * @returns the server's name and port
 * @throws {TransientError} if there is no answer in time
 */
export async function probeServer(
  context: HttpContext,
  url: string,
  what: string,
  timeoutMs: number,
): Promise<string> {
  const { origin, host } = new URL(url);
  const request = { url: `${origin}/`, method: "HEAD", what, timeoutMs } as const;
  await exchange(context, request, async (response) => await response.body?.cancel());
  return host;
}
