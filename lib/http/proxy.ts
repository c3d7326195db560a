import type { Environment } from "../core/context.ts";

/** A proxy from the environment. */
export interface Proxy {
  /** `HTTPS_PROXY` */
  readonly variable: string;
  /** `proxy.example:3128`, without user and password. */
  readonly host: string;
}

/** In the runtime's order, upper case first. */
const VARIABLES: Readonly<Record<string, readonly string[]>> = {
  "https:": ["ALL_PROXY", "all_proxy", "HTTPS_PROXY", "https_proxy"],
  "http:": ["ALL_PROXY", "all_proxy", "HTTP_PROXY", "http_proxy"],
};

/**
 * Returns the proxy that the runtime's `fetch` uses for an address; `undefined` if it connects directly.
 *
 * @param env the variables of the process. The runtime reads no others.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { findProxy } from "./proxy.ts";
 * const variables: Record<string, string> = { HTTPS_PROXY: "http://u:pw@proxy.example:3128", NO_PROXY: "corp.example" };
 * const env = { get: (name: string) => variables[name], toObject: () => variables };
 * const proxy = { variable: "HTTPS_PROXY", host: "proxy.example:3128" };
 * assert.deepEqual(findProxy(new URL("https://huggingface.co/a"), env), proxy);
 * assert.equal(findProxy(new URL("https://hub.corp.example/a"), env), undefined);
 * assert.equal(findProxy(new URL("http://huggingface.co/a"), env), undefined);
 * ```
 */
export function findProxy(url: URL, env: Pick<Environment, "get">): Proxy | undefined {
  for (const variable of VARIABLES[url.protocol] ?? []) {
    const text = env.get(variable)?.trim() ?? "";
    if (text === "") continue;
    const address = text.includes("://") ? text : `http://${text}`;
    if (!URL.canParse(address)) continue;
    const exempt = env.get("NO_PROXY") ?? env.get("no_proxy") ?? "";
    return isExempt(url.hostname, exempt) ? undefined : { variable, host: new URL(address).host };
  }
  return undefined;
}

/**
 * A name exempts its subdomains, too. Every IP address counts as exempt if a network such as `10.0.0.0/8` is listed, so
 * that no error names a proxy that was not used.
 */
function isExempt(host: string, exempt: string): boolean {
  const isAddress = /^[\d.]+$|^\[/.test(host);
  return exempt.split(",").map((entry) => entry.trim().toLowerCase().replace(/^\*?\./, "")).some((entry) =>
    entry === "*" || entry === host || (entry !== "" && host.endsWith(`.${entry}`)) ||
    (isAddress && entry.includes("/"))
  );
}
