import { z } from "zod";
import { githubActionsSettings } from "../carriers/github_actions_settings.ts";
import { runPodApi } from "../carriers/runpod_settings.ts";
import type { ModelSync } from "../config/schema.ts";
import type { Context } from "../core/context.ts";
import { requestJson } from "../core/http.ts";
import type { Secret } from "../core/secret.ts";
import { GitHubClient } from "../github/github_client.ts";
import { newestFirst } from "../github/newest_first.ts";
import { newestRuns, runsRequest } from "../github/workflow_runs.ts";
import { HASTY, Hub } from "../huggingface/hub.ts";
import { hubSettings } from "../huggingface/hub_settings.ts";
import { deployTargets } from "../redeploy/deploy_targets.ts";
import { type Check, pass, tried, warn } from "./check.ts";

/**
 * Whether the carriers besides git that the configuration names can be reached with what they are given. Nothing is
 * started, and nothing is changed. Needs net permission.
 *
 * @param fileToken a GitHub token that stands in a bot's own file
 */
export async function checkCarriers(
  context: Context,
  settings: ModelSync,
  fileToken: Secret | undefined,
): Promise<Check[]> {
  const { runpod, artifacts, huggingface, redeploy } = settings;
  const checks: Check[] = [];
  if (runpod.trigger_url !== undefined) {
    checks.push(await tried("runpod", () => checkRunPod(context, settings)));
  }
  if (artifacts.repository !== undefined) {
    checks.push(await tried("github actions", () => checkActions(context, settings, fileToken)));
  }
  if (huggingface.repo_id !== undefined) {
    checks.push(await tried("hugging face", () => checkHub(context, settings)));
  }
  if (redeploy.hooks.length > 0) {
    checks.push(
      await tried("redeploy", () => {
        const types = deployTargets(redeploy.hooks, context.env).map(({ type }) => type);
        return Promise.resolve(pass("redeploy", `${types.join(", ")}: no hook is called to try it`));
      }),
    );
  }
  return checks;
}

const Health = z.looseObject({});

/** RunPod tells how an endpoint is without starting anything; whatever stands in for it may not. */
async function checkRunPod(context: Context, settings: ModelSync): Promise<Check> {
  const { triggerUrl, headers, requestTimeoutMs } = runPodApi(settings, context, undefined);
  const url = triggerUrl.replace(/\/run(?:sync)?\/?$/, "/health");
  const { origin, host } = new URL(url);
  if (url === triggerUrl) {
    return warn("runpod", `${host} cannot be tried without starting a job`, "try it: model-sync runpod-pull");
  }
  await requestJson(context, {
    url,
    headers: { accept: "application/json" },
    credentials: { origin, headers },
    what: "the health of the RunPod endpoint",
    timeoutMs: requestTimeoutMs,
  }, Health);
  return pass("runpod", `the endpoint at ${host} answers, and the key is right`);
}

async function checkActions(
  context: Context,
  settings: ModelSync,
  fileToken: Secret | undefined,
): Promise<Check> {
  const { access, query } = githubActionsSettings(settings, context.env, fileToken, undefined);
  const client = await GitHubClient.open(context, access);
  const answer = await newestRuns(client, await runsRequest(client, query), undefined);
  const [newest] = newestFirst(answer?.data ?? []);
  const where = `${query.owner}/${query.repository}`;
  if (newest !== undefined) return pass("github actions", `run ${newest.id} of ${where} is the newest`);
  return warn(
    "github actions",
    `${where} has no such run yet`,
    "run the workflow, or check artifacts.workflow and branch",
  );
}

async function checkHub(context: Context, settings: ModelSync): Promise<Check> {
  const hub = new Hub(context, hubSettings(settings, context.env), HASTY);
  const { repoId, revision, token } = hub.settings;
  const { commit } = await hub.findCommit();
  const who = token === undefined ? ", without a token: enough for pulling, not for uploading" : "";
  return pass("hugging face", `${revision} of ${repoId} is at ${commit.slice(0, 12)}${who}`);
}
