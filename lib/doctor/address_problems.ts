import type { Environment } from "../core/context.ts";
import { ModelSyncError } from "../core/errors.ts";
import { findWebAddress, parseWebAddress } from "../http/web_address.ts";
import { githubUrls } from "../github/github_access.ts";
import { HUB_VARIABLE } from "../huggingface/hub_settings.ts";
import { RAILWAY_VARIABLE } from "../redeploy/deploy_targets.ts";

/** Deno ignores a proxy that it cannot read and connects directly; git and curl fail. */
const PROXY_VARIABLES = ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"];

/** Returns the problems of addresses in the environment, a sentence each. */
export function addressProblems(env: Environment): string[] {
  const checks = [
    () => githubUrls(env),
    () => findWebAddress(env, HUB_VARIABLE),
    () => findWebAddress(env, RAILWAY_VARIABLE),
  ];
  return [...checks.flatMap(problemOf), ...PROXY_VARIABLES.flatMap((name) => proxyProblems(env, name))];
}

function problemOf(check: () => unknown): string[] {
  try {
    check();
    return [];
  } catch (error) {
    if (!(error instanceof ModelSyncError)) throw error;
    return [error.message];
  }
}

/** A proxy's value may hold a password: it is not shown. */
function proxyProblems(env: Environment, name: string): string[] {
  return [name, name.toLowerCase()].flatMap((variable) => {
    const value = env.get(variable)?.trim() ?? "";
    return value === "" || isProxy(value) ? [] : [`Cannot use ${variable}: it is not the address of a proxy`];
  });
}

/** `host:port`, or an address of a proxy of any kind. */
function isProxy(value: string): boolean {
  const [, rest = value] = /^(?:https?|socks[45]?[ah]?):\/\/(.*)$/i.exec(value) ?? [];
  return parseWebAddress(`http://${rest}`) !== undefined;
}
