import type { Hook } from "../config/sections/redeploy.ts";
import type { Environment } from "../core/context.ts";
import { UsageError } from "../core/errors.ts";
import { missingSecret, tokenOf } from "../core/read_secret.ts";
import { Secret } from "../core/secret.ts";
import { type AddressVariable, findWebAddress, parseWebAddress } from "../http/web_address.ts";

/** A deployment that can be started. */
export type DeployTarget =
  | {
    readonly kind: "hook";
    readonly type: Exclude<Hook["type"], "railway-api">;
    /** The whole address is secret. */
    readonly url: Secret;
    readonly method: Hook["method"];
  }
  | {
    readonly kind: "railway-api";
    readonly type: "railway-api";
    readonly url: string;
    readonly token: Secret;
    /** Whether the token is a project's, which is sent in another header than a person's. */
    readonly isProjectToken: boolean;
    readonly serviceId: string;
    readonly environmentId: string;
  };

/** The variable with the address of each kind of hook, unless the configuration names another. */
const HOOK_VARIABLES = {
  render: "RENDER_DEPLOY_HOOK",
  railway: "RAILWAY_DEPLOY_HOOK",
  vercel: "VERCEL_DEPLOY_HOOK",
  generic: "DEPLOY_HOOK",
} as const;

/** Railway's public API (https://docs.railway.com/integrations/api). */
const RAILWAY_API = "https://backboard.railway.com/graphql/v2";
export const RAILWAY_VARIABLE: AddressVariable = {
  name: "RAILWAY_API_URL",
  meaning: "Railway's API",
  usual: RAILWAY_API,
};

/**
 * Returns the configured deployments; without configuration, those whose usual variables are set.
 *
 * @throws {UsageError} code `HOOKS_UNSET`; {@link AuthenticationError} code `HOOK_MISSING` for a configured deployment
 * without its address or token
 */
export function deployTargets(hooks: readonly Hook[], env: Environment): DeployTarget[] {
  const targets = deployTargetReaders(hooks, env).map((read) => read());
  if (targets.length > 0) return targets;
  throw new UsageError("Cannot redeploy: no deploy hook is set", {
    code: "HOOKS_UNSET",
    hint: `set one of ${
      Object.values(HOOK_VARIABLES).join(", ")
    } to the hook's address, or model_sync.redeploy.hooks`,
  });
}

/** Returns a function for each deployment of {@link deployTargets}, which reads it and throws its own errors. */
export function deployTargetReaders(hooks: readonly Hook[], env: Environment): (() => DeployTarget)[] {
  if (hooks.length > 0) return hooks.map((hook) => () => namedTarget(hook, env));
  return (["render", "railway", "vercel", "generic"] as const).flatMap((type) => {
    const variable = HOOK_VARIABLES[type];
    const address = env.get(variable) ?? "";
    return address === "" ? [] : [() => hookTarget(type, variable, address, "POST")];
  });
}

function namedTarget(hook: Hook, env: Environment): DeployTarget {
  if (hook.type === "railway-api") return railwayTarget(hook, env);
  const variable = hook.url_env ?? HOOK_VARIABLES[hook.type];
  return hookTarget(
    hook.type,
    variable,
    required(env, variable, "the address of the deploy hook"),
    hook.method,
  );
}

function hookTarget(
  type: Exclude<Hook["type"], "railway-api">,
  variable: string,
  address: string,
  method: Hook["method"],
): DeployTarget {
  if (parseWebAddress(address) !== undefined) return { kind: "hook", type, url: new Secret(address), method };
  // The value is not shown: it may be a secret.
  throw new UsageError(`Cannot redeploy: the value of ${variable} is not an http address`, {
    code: "HOOK_INVALID",
    hint: "copy the address of the deploy hook from the host's settings",
  });
}

function railwayTarget(hook: Hook, env: Environment): DeployTarget {
  const serviceId = hook.service_id ?? required(env, "RAILWAY_SERVICE_ID", "the service");
  const environmentId = hook.environment_id ?? required(env, "RAILWAY_ENVIRONMENT_ID", "the environment");
  // Railway's CLI uses RAILWAY_TOKEN for a project's token and RAILWAY_API_TOKEN for a person's.
  const isProjectToken = hook.token_env === undefined
    ? (env.get("RAILWAY_TOKEN") ?? "") !== ""
    : hook.token_env === "RAILWAY_TOKEN";
  const variable = hook.token_env ?? (isProjectToken ? "RAILWAY_TOKEN" : "RAILWAY_API_TOKEN");
  return {
    kind: "railway-api",
    type: "railway-api",
    url: findWebAddress(env, RAILWAY_VARIABLE) ?? RAILWAY_API,
    token: tokenOf(required(env, variable, "the token"), variable),
    isProjectToken,
    serviceId,
    environmentId,
  };
}

function required(env: Environment, variable: string, what: string): string {
  const value = env.get(variable)?.trim() ?? "";
  if (value !== "") return value;
  throw missingSecret(env, variable, {
    failure: "Cannot redeploy: ",
    content: ` with ${what}`,
    code: "HOOK_MISSING",
  });
}
