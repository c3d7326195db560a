import * as z from "zod";
import { githubActionsSettings } from "../carriers/github_actions_settings.ts";
import { runPodApi } from "../carriers/runpod_settings.ts";
import type { ModelSync } from "../config/schema.ts";
import type { Context } from "../core/context.ts";
import { ModelSyncError } from "../core/errors.ts";
import { plural } from "../core/format.ts";
import { requestJson } from "../http/request.ts";
import { probeServer } from "../http/probe_server.ts";
import type { Secret } from "../core/secret.ts";
import { GitHubClient } from "../github/github_client.ts";
import { newestFirst } from "../github/newest_first.ts";
import { newestRuns, runsRequest } from "../github/workflow_runs.ts";
import { HASTY, Hub } from "../huggingface/hub.ts";
import { hubSettings } from "../huggingface/hub_settings.ts";
import { deployTargetReaders } from "../redeploy/deploy_targets.ts";
import { explainRefusal, type RunPodApi } from "../runpod/client.ts";
import { type Check, pass, tried, triedAll, triedRemote, warn } from "./check.ts";
import type { MachineUse } from "../status/machine_use.ts";

/**
 * Checks that the configured carriers other than git can be reached with their credentials. Starts and changes nothing.
 * Needs net permission.
 *
 * @param fileToken a GitHub token in the configuration file of a bot
 * @param use what this machine was used for
 */
export async function checkCarriers(
  context: Context,
  settings: ModelSync,
  fileToken: Secret | undefined,
  use: MachineUse,
): Promise<Check[]> {
  const { runpod, artifacts, huggingface, redeploy } = settings;
  const checks: Check[] = [];
  if (runpod.trigger_url !== undefined) {
    checks.push(await triedRemote(context, "runpod", (bounded) => checkRunPod(bounded, settings, use)));
  }
  if (artifacts.repository !== undefined) {
    checks.push(
      await triedRemote(context, "github actions", (bounded) => checkActions(bounded, settings, fileToken)),
    );
    if (artifacts.workflow === undefined) checks.push(anyWorkflow(artifacts.branch));
  }
  if (huggingface.repo_id !== undefined) {
    checks.push(await triedRemote(context, "hugging face", (bounded) => checkHub(bounded, settings)));
  }
  checks.push(...await triedAll("redeploy", () => checkHooks(context, redeploy)));
  return checks;
}

/** Checks the hosts of deploy hooks. Any request to the hook itself may start a deployment. */
async function checkHooks(
  context: Context,
  { hooks, request_timeout_sec }: ModelSync["redeploy"],
): Promise<Check[]> {
  return await Promise.all(
    deployTargetReaders(hooks, context.env).map((read) =>
      tried("redeploy", async () => {
        const target = read();
        const url = target.kind === "hook" ? target.url.reveal() : target.url;
        const timeoutMs = Math.min(request_timeout_sec * 1000, KNOCK_TIMEOUT_MS);
        const host = await probeServer(context, url, `the host of the ${target.type} deploy hook`, timeoutMs);
        return pass("redeploy", `${target.type}: ${host} answers; the hook was not called to try it`);
      })
    ),
  );
}

function anyWorkflow(branch: string): Check {
  return warn(
    "workflow",
    `artifacts.workflow is not set: a pull takes the newest run of any workflow on ${branch} with a matching artifact`,
    "set artifacts.workflow to the file name of the workflow that trains",
  );
}

/** The time limit of a request: a person waits for the answer. */
const KNOCK_TIMEOUT_MS = 10_000;

const Count = z.number().int().min(0).default(0).catch(0);
/** RunPod's answer to `/health`. Another server's may lack every count. */
const Health = z.object({
  jobs: z.object({ inQueue: Count, inProgress: Count }).optional().catch(undefined),
  workers: z.object({ idle: Count, initializing: Count, ready: Count, running: Count }).optional().catch(
    undefined,
  ),
});

/** Checks the endpoint by its health request, which starts nothing. Other servers may have no such request. */
async function checkRunPod(
  context: Context,
  settings: ModelSync,
  use: MachineUse,
): Promise<Check> {
  let api: RunPodApi;
  try {
    api = runPodApi(settings, context, undefined);
  } catch (error) {
    const hasRegistry = (settings.repo_dir ?? settings.repo_url) !== undefined;
    // One configuration file may serve all machines; this one pulls from git.
    if (!(error instanceof ModelSyncError) || !hasRegistry || use.roles.has("runpod_client")) throw error;
    return warn(
      "runpod",
      `not set up on this machine: ${error.message}`,
      `only where models come from RunPod: ${error.hint ?? "fix it and run again"}`,
    );
  }
  return await checkEndpoint(context, api);
}

async function checkEndpoint(
  context: Context,
  api: RunPodApi,
): Promise<Check> {
  const { triggerUrl, headers, requestTimeoutMs } = api;
  const url = triggerUrl.replace(/\/run(?:sync)?\/?$/, "/health");
  const { origin, host } = new URL(url);
  if (url === triggerUrl) {
    return warn(
      "runpod",
      `${host} cannot be tried without starting a job`,
      "try it with: model-sync runpod-pull",
    );
  }
  const { data: { jobs, workers } } = await requestJson(context, {
    url,
    headers: { accept: "application/json" },
    credentials: { origin, headers },
    what: "the health of the RunPod endpoint",
    timeoutMs: requestTimeoutMs,
  }, Health).catch((error: unknown) => {
    throw explainRefusal(error, api);
  });
  const answers = `the endpoint at ${host} answers, and accepts the key`;
  if (jobs === undefined || workers === undefined) return pass("runpod", answers);
  const { idle, initializing, ready, running } = workers;
  const waiting = `${plural(jobs.inQueue, "job")} in its queue`;
  // An endpoint without work may have no worker: RunPod starts one for a job.
  if (jobs.inQueue > 0 && idle + initializing + ready + running === 0) {
    return warn(
      "runpod",
      `${answers}, but it has no worker for ${waiting}`,
      "check the endpoint's workers in RunPod's console; a new job would wait behind the others",
    );
  }
  return pass("runpod", `${answers}; workers: ${idle} idle, ${running} running; ${waiting}`);
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
    `${where} has no such run`,
    "run the workflow, or check artifacts.workflow and branch",
  );
}

async function checkHub(context: Context, settings: ModelSync): Promise<Check> {
  const hub = new Hub(context, hubSettings(settings, context), HASTY);
  const { repoId, revision, token, isOffline } = hub.settings;
  if (isOffline) {
    return warn(
      "hugging face",
      `no request for ${repoId} is sent: HF_HUB_OFFLINE is set`,
      "unset it to pull and upload",
    );
  }
  try {
    const { commit } = await hub.findCommit();
    const access = token === undefined ? ", without a token: enough to pull, not to upload" : "";
    return pass("hugging face", `${revision} of ${repoId} is at ${commit.slice(0, 12)}${access}`);
  } catch (error) {
    const isMissing = error instanceof ModelSyncError && error.code === "REPO_NOT_FOUND";
    if (!isMissing || settings.publisher.train_command === undefined) throw error;
    const hint = "the first upload creates it; if it exists, check huggingface.repo_id and the token";
    return warn("hugging face", error.message, hint);
  }
}
