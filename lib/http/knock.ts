import { exchange, type HttpContext } from "./request.ts";

/**
 * Finds out whether a server answers, without asking it for anything: a HEAD of its root, and any status will do. What
 * the rest of the address would do is not done. Needs the net permission.
 *
 * @returns the server's name and port
 * @throws {PassingError} when nobody answers in time
 */
export async function knock(
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
