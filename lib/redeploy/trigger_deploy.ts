import * as z from "zod";
import type { Context } from "../core/context.ts";
import { withDeadline } from "../core/deadline.ts";
import { FailedError, TransientError } from "../core/errors.ts";
import type { HttpRequest } from "../http/request_types.ts";
import { readText, requestJson, sendRequest } from "../http/request.ts";
import { statusError } from "../http/status_error.ts";
import { parseJson } from "../core/json.ts";
import { REQUEST_RETRIES, withRetry } from "../core/retry.ts";
import { urlSecrets } from "../http/web_address.ts";
import type { DeployTarget } from "./deploy_targets.ts";

/** A started deployment. */
export interface Deployment {
  readonly type: DeployTarget["type"];
  readonly host: string;
  /** The id of the deployment, if the host returns one. */
  readonly id: string | undefined;
}

/**
 * Starts a deployment. A passing fault is retried: a second deployment of the same release does no harm. No error
 * message contains the address of a hook.
 *
 * @throws {UnreachableError}, {@link AuthenticationError}; {@link FailedError} code `DEPLOY_REFUSED`
 */
export async function triggerDeploy(
  context: Context,
  target: DeployTarget,
  requestTimeoutMs: number,
): Promise<Deployment> {
  return await withRetry(
    context,
    REQUEST_RETRIES,
    () =>
      target.kind === "hook"
        ? callHook(context, target, requestTimeoutMs)
        : callRailway(context, target, requestTimeoutMs),
  );
}

/** An id that may be shown. Other text could contain the hook's address or control characters. */
const DeploymentId = z.string().regex(/^[\w.-]{1,100}$/);

/** Vercel answers `{"job":{"id":…}}`, Render `{"deploy":{"id":…}}`; others may answer anything. */
const HookAnswer = z.object({
  id: DeploymentId.optional(),
  job: z.object({ id: DeploymentId }).optional(),
  deploy: z.object({ id: DeploymentId }).optional(),
});

async function callHook(
  context: Context,
  target: DeployTarget & { readonly kind: "hook" },
  timeoutMs: number,
): Promise<Deployment> {
  const address = new URL(target.url.reveal());
  const { host } = address;
  const request: HttpRequest = {
    url: address.href,
    method: target.method,
    headers: { accept: "application/json" },
    verb: "call",
    what: `the ${target.type} deploy hook`,
    secrets: urlSecrets(address),
  };
  const late = () =>
    new TransientError(`Cannot redeploy: no answer from ${host} in ${timeoutMs / 1000} s`, {
      code: "TIMEOUT",
      hint: `check the network, and that ${host} is right`,
    });
  return await withDeadline(context, timeoutMs, late, async (signal) => {
    const { response } = await sendRequest(context, request, signal);
    if (!response.ok) throw await statusError(context, request, response);
    if (/^text\/html\b/i.test(response.headers.get("content-type") ?? "")) {
      await response.body?.cancel();
      throw new FailedError(
        `Cannot redeploy: the ${target.type} deploy hook at ${host} answered with an HTML page`,
        {
          code: "DEPLOY_REFUSED",
          hint: "check the hook's address: it may lead to a login",
        },
      );
    }
    const answer = HookAnswer.safeParse(parseJson(await readText(response, request))).data;
    return { type: target.type, host, id: answer?.job?.id ?? answer?.deploy?.id ?? answer?.id };
  });
}

const RailwayAnswer = z.object({
  data: z.object({ serviceInstanceRedeploy: z.boolean().nullish() }).nullish(),
  errors: z.array(z.object({ message: z.string() })).nullish(),
});

const REDEPLOY_MUTATION =
  "mutation redeploy($serviceId: String!, $environmentId: String!) { serviceInstanceRedeploy(serviceId: $serviceId, environmentId: $environmentId) }";

async function callRailway(
  context: Context,
  target: DeployTarget & { readonly kind: "railway-api" },
  timeoutMs: number,
): Promise<Deployment> {
  const { url, token, serviceId, environmentId, isProjectToken } = target;
  const { data } = await requestJson(context, {
    url,
    method: "POST",
    headers: { "content-type": "application/json", accept: "application/json" },
    credentials: {
      origin: new URL(url).origin,
      headers: isProjectToken
        ? { "project-access-token": token }
        : { authorization: token.map((value) => `Bearer ${value}`) },
    },
    body: JSON.stringify({ query: REDEPLOY_MUTATION, variables: { serviceId, environmentId } }),
    verb: "call",
    what: "Railway's API",
    timeoutMs,
  }, RailwayAnswer);
  // GraphQL answers 200 also for a refusal.
  const [refusal] = data.errors ?? [];
  if (refusal === undefined && data.data?.serviceInstanceRedeploy === true) {
    return { type: "railway-api", host: new URL(url).host, id: undefined };
  }
  throw new FailedError(
    `Cannot redeploy service ${serviceId} on Railway: ${
      refusal?.message ?? "the API did not start a deployment"
    }`,
    { code: "DEPLOY_REFUSED", hint: "check service_id, environment_id, and the permissions of the token" },
  );
}
