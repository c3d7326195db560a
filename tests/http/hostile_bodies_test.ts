import assert from "node:assert/strict";
import * as z from "zod";
import { sampleMetric } from "../../lib/canary/sample_metric.ts";
import { Canary } from "../../lib/config/sections/canary.ts";
import type { Context } from "../../lib/core/context.ts";
import { ModelSyncError } from "../../lib/core/errors.ts";
import { postWebhook } from "../../lib/http/post_webhook.ts";
import { Secret } from "../../lib/core/secret.ts";
import { GitHubClient } from "../../lib/github/github_client.ts";
import { githubRequest } from "../../lib/github/github_request.ts";
import { Hub } from "../../lib/huggingface/hub.ts";
import { triggerDeploy } from "../../lib/redeploy/trigger_deploy.ts";
import { PrimaryClient } from "../../lib/references/primary_client.ts";
import { readPrimaryRecords } from "../../lib/references/read_records.ts";
import { readThroughProxy } from "../../lib/references/read_through_proxy.ts";
import { RunPodClient } from "../../lib/runpod/client.ts";
import { HOSTILE_ANSWERS, startHostileServer } from "../../fakes/hostile_server.ts";
import { QuickClock } from "../helpers/fake_clock.ts";
import { testContext } from "../helpers/test_context.ts";

/** Longer than the pauses that the clock skips: no request times out. */
const NEVER_MS = 24 * 3_600_000;

/** Asks a server something. */
type Ask = (context: Context, origin: string) => Promise<unknown>;

const quickContext = () => testContext({ clock: new QuickClock("2026-11-21T00:00:00Z") });

const SECRET = "s3cret-of-the-client";
const hubAt = (context: Context, endpoint: string) =>
  new Hub(
    context,
    {
      endpoint,
      repoId: "you/models",
      revision: "main",
      token: new Secret(SECRET),
      tokenEnv: "HF_TOKEN",
      tokenPlace: "HF_TOKEN",
      isOffline: false,
    },
    { requestMs: NEVER_MS, retries: { attemptsMax: 2, firstDelayMs: 1, delayMsMax: 1, retryAfterMsMax: 1 } },
  );
const COMMIT = "a".repeat(40);
const runPodAt = (origin: string) =>
  new RunPodClient({
    triggerUrl: `${origin}/v2/a/run`,
    statusUrlTemplate: `${origin}/v2/a/status/{job_id}`,
    method: "POST",
    payload: {},
    headers: { authorization: new Secret(SECRET) },
    requestTimeoutMs: NEVER_MS,
    jobTimeoutMs: NEVER_MS,
  });

/** They read JSON of a shape of their own. */
const CLIENTS: Readonly<Record<string, Ask>> = {
  "what GitHub lists": async (context, origin) => {
    const access = { apiUrl: origin, serverUrl: origin, token: new Secret(SECRET), timeoutMs: NEVER_MS };
    const client = await GitHubClient.open(context, access);
    const request = githubRequest((api) => api.actions.listWorkflowRunsForRepo, { owner: "a", repo: "b" }, {
      what: "the runs",
      needs: "nothing",
    });
    return await client.send(request, z.object({ workflow_runs: z.array(z.object({ id: z.number() })) }));
  },
  "the hub's revision": (context, origin) => hubAt(context, origin).findCommit(),
  "the hub's file list": (context, origin) => hubAt(context, origin).listFiles(COMMIT),
  "the hub's list of commits": (context, origin) => hubAt(context, origin).listCommits(20),
  "a file of the hub": (context, origin) =>
    hubAt(context, origin).readFile(COMMIT, { path: "a", size: 999, blob: COMMIT, sha256: undefined }),
  "what PRIMARY holds": async (context, origin) => {
    const client = new PrimaryClient(context, { baseUrl: origin, timeoutMs: NEVER_MS });
    return readPrimaryRecords("clip", await client.records("clip"));
  },
  "PRIMARY's last change": (context, origin) =>
    new PrimaryClient(context, { baseUrl: origin, timeoutMs: NEVER_MS }).lastUpdated(),
  "Railway's answer": (context, origin) =>
    triggerDeploy(context, {
      kind: "railway-api",
      type: "railway-api",
      url: origin,
      token: new Secret(SECRET),
      isProjectToken: false,
      serviceId: "s",
      environmentId: "e",
    }, NEVER_MS),
};

/** They take nearly any body for an answer, and judge later what it means. */
const CARELESS: Readonly<Record<string, Ask>> = {
  "a webhook": (context, origin) =>
    postWebhook(context, {
      url: `${origin}/hook`,
      id: "1",
      body: "{}",
      what: "the answer of the hook",
      timeoutMs: NEVER_MS,
      hidden: [new Secret(SECRET)],
    }),
  "a deploy hook": (context, origin) =>
    triggerDeploy(
      context,
      { kind: "hook", type: "generic", url: new Secret(`${origin}/${SECRET}`), method: "POST" },
      NEVER_MS,
    ),
  "the state of a RunPod job": (context, origin) => runPodAt(origin).status(context, "job"),
  "the start of a RunPod job": (context, origin) => runPodAt(origin).start(context),
  "a proxy for files": (context, origin) =>
    readThroughProxy(context, origin, { owner: "a", name: "b", branch: "main" }, ["x.json"]),
};

/** More than any of them reads, and what the kernel buffers of a connection. */
const SENT_BYTES_MAX = 80 * 1024 * 1024;
const MESSAGE_CHARS_MAX = 1500;

async function assertRefused(name: string, ask: () => Promise<unknown>): Promise<void> {
  const answer = ask().then((value) =>
    assert.fail(`${name}: taken as ${JSON.stringify(value)?.slice(0, 200)}`)
  );
  await assert.rejects(answer, (error) => {
    const shown = `${name}: ${error instanceof Error ? `${error.name}: ${error.message}`.slice(0, 500) : ""}`;
    assert.ok(error instanceof ModelSyncError, shown);
    // A deployment that its host refuses is a failure, whatever words the host has for it.
    const codes = error.code === "DEPLOY_REFUSED" ? [1] : [4, 5];
    assert.ok(codes.includes(error.exitCode), `${shown}, exit code ${error.exitCode}`);
    assert.match(error.message, /^Cannot [^\p{Cc}]+$/u, shown);
    assert.ok(error.message.length <= MESSAGE_CHARS_MAX, `${shown}: ${error.message.length} characters`);
    assert.ok(error.hint !== undefined, shown);
    assert.ok(!error.message.includes(SECRET), shown);
    return true;
  });
}

for (const [name, ask] of Object.entries(CLIENTS)) {
  Deno.test(`whatever a server answers, ${name} ends in one line with the right exit code, without reading forever`, async () => {
    for (const [what, answer] of Object.entries(HOSTILE_ANSWERS)) {
      for (const status of [200, 418]) {
        await using server = startHostileServer(answer, status);
        await assertRefused(`${what}, ${status}`, () => ask(quickContext(), server.origin));
        assert.ok(server.requests > 0 && server.requests < 20, `${what}: ${server.requests} requests`);
        assert.ok(server.sent < SENT_BYTES_MAX, `${what}: ${server.sent} bytes were sent`);
      }
    }
  });
}

for (const [name, ask] of Object.entries(CARELESS)) {
  Deno.test(`whatever a server answers, ${name} accepts it or fails with one line`, async () => {
    for (const [what, answer] of Object.entries(HOSTILE_ANSWERS)) {
      for (const status of [200, 418]) {
        await using server = startHostileServer(answer, status);
        const asking = ask(quickContext(), server.origin);
        const isTaken = status === 200 && await asking.then(() => true, () => false);
        if (!isTaken) await assertRefused(`${what}, ${status}`, () => asking);
        assert.ok(server.sent < SENT_BYTES_MAX, `${what}: ${server.sent} bytes were sent`);
      }
    }
  });
}

Deno.test("whatever a server answers, a canary's metric has no value", async () => {
  const sources = [{ type: "http", path: "win_rate" }, { type: "prometheus", query: "up" }];
  for (const [what, answer] of Object.entries(HOSTILE_ANSWERS)) {
    for (const source of sources) {
      await using server = startHostileServer(answer, 200);
      const keys = { name: "win_rate", direction: "higher", url: server.origin, ...source };
      const [metric] = Canary.parse({ metrics: [keys] }).metrics;
      assert.ok(metric !== undefined);
      const reading = await sampleMetric(quickContext(), metric, NEVER_MS);
      assert.equal(reading.kind, "no-data", `${what}: ${JSON.stringify(reading)}`);
      if (reading.kind === "no-data") assert.match(reading.reason, /^[^\p{Cc}]{1,1500}$/u, what);
      assert.ok(server.sent < SENT_BYTES_MAX, `${what}: ${server.sent} bytes were sent`);
    }
  }
});
