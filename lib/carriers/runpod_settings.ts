import type { ModelSync } from "../config/schema.ts";
import type { Context, Environment } from "../core/context.ts";
import { UsageError } from "../core/errors.ts";
import { quote } from "../core/quote.ts";
import { absenceOf, findToken, missingSecret, tokenOf } from "../core/read_secret.ts";
import { isSecretName } from "../core/redact_arguments.ts";
import { RequestSecret, Secret } from "../core/secret.ts";
import type { RunPodApi } from "../runpod/client.ts";

/** The default of `runpod.api_key_env`. */
const DEFAULT_KEY_VARIABLE = "RUNPOD_API_KEY";

/** Returns the API settings, with the key from the command line, the environment or the file, in this order. */
export function runPodApi(
  { runpod }: Pick<ModelSync, "runpod">,
  context: Pick<Context, "env" | "log">,
  keyFlag: string | undefined,
): RunPodApi {
  const { trigger_url: triggerUrl } = runpod;
  if (triggerUrl === undefined) {
    throw new UsageError("Cannot pull from RunPod: model_sync.runpod.trigger_url is not set", {
      code: "TRIGGER_URL_MISSING",
      hint: "to write a configuration, run model-sync init runpod --endpoint ENDPOINT_ID; " +
        "or set model_sync.runpod.trigger_url, or --trigger-url, to https://api.runpod.ai/v2/ENDPOINT_ID/run",
    });
  }
  refusePlaceholder("trigger_url", triggerUrl);
  refusePlaceholder(
    "status_url_template",
    runpod.status_url_template?.replaceAll(/\{(?:job_)?id\}/g, "") ?? "",
  );
  // Without it, a started job could not be followed, but would cost money.
  if (runpod.status_url_template === undefined && /\/run\/?$/.test(new URL(triggerUrl).pathname)) {
    throw new UsageError("Cannot pull from RunPod: model_sync.runpod.status_url_template is not set", {
      code: "STATUS_URL_MISSING",
      hint:
        "set model_sync.runpod.status_url_template, or --status-url-template, to https://api.runpod.ai/v2/ENDPOINT_ID/status/{job_id}",
    });
  }
  refuseOtherEndpoint(triggerUrl, runpod.status_url_template ?? "");
  return {
    triggerUrl,
    statusUrlTemplate: runpod.status_url_template,
    method: runpod.trigger_method,
    payload: runpod.trigger_payload,
    headers: apiHeaders(triggerUrl, runpod, context, keyFlag),
    accessHint: accessHint(runpod, context, keyFlag),
    requestTimeoutMs: runpod.request_timeout_sec * 1000,
    jobTimeoutMs: runpod.job_timeout_sec * 1000,
  };
}

/**
 * Refuses two different endpoints: RunPod responds with 404 for a job of another endpoint, which costs money anyway.
 *
 * @throws {UsageError} code `ENDPOINTS_DIFFER`
 */
function refuseOtherEndpoint(triggerUrl: string, statusUrl: string): void {
  const [started, followed] = [triggerUrl, statusUrl].map(endpointOf);
  if (started === undefined || followed === undefined || started.host !== followed.host) return;
  if (started.id === followed.id) return;
  throw new UsageError(
    `Cannot pull from RunPod: model_sync.runpod.trigger_url has the endpoint ${quote(started.id)}, ` +
      `status_url_template has ${quote(followed.id)}`,
    { code: "ENDPOINTS_DIFFER", hint: "put the id of one endpoint into both" },
  );
}

/** `abc` of `https://api.runpod.ai/v2/abc/run`. */
function endpointOf(url: string): { readonly host: string; readonly id: string } | undefined {
  if (!URL.canParse(url)) return undefined;
  const { host, pathname } = new URL(url);
  const [, id] = /\/v2\/([^/]+)\/(?:run|runsync|status)(?:\/|$)/.exec(pathname) ?? [];
  return id === undefined ? undefined : { host, id };
}

/** Refuses the placeholder of an example instead of an endpoint's id. @throws {UsageError} code `ENDPOINT_ID_MISSING` */
function refusePlaceholder(setting: string, url: string): void {
  const placeholder = /<[^<>]*>|%3[cC].*?%3[eE]|\{[^{}]*\}|\b(?:YOUR_)?ENDPOINT_ID\b/.exec(url)?.[0];
  if (placeholder === undefined) return;
  throw new UsageError(
    `Cannot pull from RunPod: model_sync.runpod.${setting} has ${
      quote(placeholder)
    } in the place of an endpoint's id`,
    {
      code: "ENDPOINT_ID_MISSING",
      hint: "put the id of your endpoint there: RunPod shows it on the page of the endpoint",
    },
  );
}

/** Returns the configured headers, and the key unless they contain an authorization. */
function apiHeaders(
  triggerUrl: string,
  runpod: ModelSync["runpod"],
  context: Pick<Context, "env" | "log">,
  keyFlag: string | undefined,
): Record<string, Secret> {
  const own = Object.entries(runpod.headers).map(([name, value]) => [name, header(name, value)] as const);
  if (own.some(([name]) => name.toLowerCase() === "authorization")) return Object.fromEntries(own);
  const key = findKey(runpod, context, keyFlag);
  if (key !== undefined) {
    return Object.fromEntries([...own, ["authorization", key.map((value) => `Bearer ${value}`)]]);
  }
  const isRunPods = /(?:^|\.)runpod\.(?:ai|io)$/i.test(new URL(triggerUrl).hostname);
  // Another API may need no key, but a configured variable must be set.
  if (isRunPods || runpod.api_key_env !== DEFAULT_KEY_VARIABLE) {
    throw missingSecret(context.env, runpod.api_key_env, {
      failure: "Cannot use RunPod's API: ",
      advice: " to an API key of RunPod",
    });
  }
  return Object.fromEntries(own);
}

function findKey(
  runpod: ModelSync["runpod"],
  { env, log }: Pick<Context, "env" | "log">,
  flag: string | undefined,
): Secret | undefined {
  const better = `set ${runpod.api_key_env} in the environment or in .env instead`;
  if (flag !== undefined && flag.trim() !== "") {
    log.warn(`every user of this machine can read --api-key in the list of processes; ${better}`);
    return tokenOf(flag, "--api-key");
  }
  const fromEnv = findToken(env, runpod.api_key_env);
  if (fromEnv !== undefined) return fromEnv;
  if (runpod.api_key === undefined) return undefined;
  log.warn(`runpod.api_key is in the configuration file, which may end up in a repository; ${better}`);
  return tokenOf(runpod.api_key, "model_sync.runpod.api_key");
}

/** Returns the hint for a refused access: where {@link apiHeaders} takes the authorization from, or that there is none. */
function accessHint(
  runpod: ModelSync["runpod"],
  { env }: Pick<Context, "env">,
  flag: string | undefined,
): string {
  const place = keyPlace(runpod, env, flag);
  if (place !== undefined) return `check the API key in ${place}, and its access to the endpoint`;
  const { api_key_env: variable } = runpod;
  return `the variable ${variable} ${
    absenceOf(env, variable)
  }: set it to the API key, in the environment or in .env`;
}

function keyPlace(
  runpod: ModelSync["runpod"],
  env: Environment,
  flag: string | undefined,
): string | undefined {
  if (Object.keys(runpod.headers).some((name) => name.toLowerCase() === "authorization")) {
    return "runpod.headers";
  }
  if (flag !== undefined && flag.trim() !== "") return "--api-key";
  if (findToken(env, runpod.api_key_env) !== undefined) return runpod.api_key_env;
  return runpod.api_key === undefined ? undefined : "runpod.api_key";
}

/** @throws {UsageError} code `HEADER_INVALID`, without the value, which may be a secret */
function header(name: string, value: string): Secret {
  try {
    new Headers([[name, value]]);
  } catch (cause) {
    throw new UsageError(`Cannot send the header "${name}": its name or value is not valid in HTTP`, {
      code: "HEADER_INVALID",
      cause,
      hint:
        "check model_sync.runpod.headers, --headers-json and the API key for line breaks and other stray characters",
    });
  }
  return isSecretName(name) ? new Secret(value) : new RequestSecret(value);
}
