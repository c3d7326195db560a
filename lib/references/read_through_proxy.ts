import type { Context } from "../core/context.ts";
import { exchange, readText } from "../http/request.ts";
import { statusError } from "../http/status_error.ts";
import { REQUEST_RETRIES, withRetry } from "../core/retry.ts";
import type { RepositoryAddress } from "./git/repository_address.ts";
import type { FileTexts } from "./plan.ts";

/** The original tool's limit for one file. */
const TIMEOUT_MS = 30_000;

/** GitHub's host of raw files. The whole address is appended to the proxy's. */
const RAW_HOST = "https://raw.githubusercontent.com";

/**
 * Reads reference files through a proxy, for networks that cannot reach GitHub, as
 * `<proxy>/https://raw.githubusercontent.com/<owner>/<name>/refs/heads/<branch>/<path>`. Missing files are left out.
 * Needs net permission.
 */
export async function readThroughProxy(
  context: Context,
  proxy: string,
  { owner, name, branch }: RepositoryAddress,
  paths: readonly string[],
): Promise<FileTexts> {
  const texts = new Map<string, string>();
  for (const path of paths) {
    const request = {
      url: `${proxy.replace(/\/+$/, "")}/${RAW_HOST}/${owner}/${name}/refs/heads/${branch}/${path}`,
      what: `${path} of ${owner}/${name} through the proxy`,
      timeoutMs: TIMEOUT_MS,
    };
    const text = await withRetry(
      context,
      REQUEST_RETRIES,
      () =>
        exchange(context, request, async (response) => {
          if (response.ok) return await readText(response, request);
          const error = await statusError(context, request, response);
          if (response.status === 404) return undefined;
          throw error;
        }),
    );
    if (text !== undefined) texts.set(path, text);
  }
  return texts;
}
