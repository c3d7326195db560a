import assert from "node:assert/strict";
import { startRunPod } from "../../fakes/runpod_server.ts";
import { join } from "node:path";
import { ModelSync } from "../../lib/config/schema.ts";
import { systemClock } from "../../lib/core/clock.ts";
import { checkCarriers } from "../../lib/doctor/carrier_checks.ts";
import { UNUSED } from "../../lib/status/machine_use.ts";
import type { Role } from "../../lib/config/roles.ts";
import { OWNER, REPOSITORY, startGitHubServer } from "../../fakes/github_server.ts";
import { HubServer } from "../../fakes/hub_server.ts";
import { QuickClock } from "../helpers/fake_clock.ts";
import { REPO } from "../helpers/hub_machines.ts";
import { tempDir } from "../helpers/temp_dir.ts";
import { fixedEnvironment, testContext } from "../helpers/test_context.ts";

async function checksOf(
  section: Record<string, unknown>,
  env: Readonly<Record<string, string>>,
  ...used: Role[]
) {
  const context = testContext({ env: fixedEnvironment(env) });
  const checks = await checkCarriers(context, ModelSync.parse(section), undefined, {
    ...UNUSED,
    roles: new Set(used),
  });
  return checks.map(({ name, status, detail }) => `${status} ${name}: ${detail}`);
}

Deno.test("checkCarriers() checks only configured carriers", async () => {
  assert.deepEqual(await checksOf({}, {}), []);
});

Deno.test("checkCarriers() requests the health of the RunPod endpoint, without starting a job", async () => {
  const asked: string[] = [];
  await using server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, (request) => {
    asked.push(`${request.method} ${new URL(request.url).pathname}`);
    const isKnown = request.headers.get("authorization") === "Bearer rp_right";
    return isKnown ? Response.json({ jobs: {}, workers: {} }) : new Response("no", { status: 401 });
  });
  const base = `http://127.0.0.1:${server.addr.port}/v2/ep1`;
  const runpod = { trigger_url: `${base}/run`, status_url_template: `${base}/status/{job_id}` };
  assert.match(
    (await checksOf({ runpod }, { RUNPOD_API_KEY: "rp_right" }))[0] ?? "",
    /^pass runpod: .* accepts the key/,
  );
  const [wrong = ""] = await checksOf({ runpod }, { RUNPOD_API_KEY: "rp_wrong" });
  assert.match(wrong, /^fail runpod: .*answered 401/);
  assert.doesNotMatch(wrong, /rp_wrong/);
  const hintOf = async (env: Readonly<Record<string, string>>) => {
    const context = testContext({ env: fixedEnvironment(env) });
    const [check] = await checkCarriers(context, ModelSync.parse({ runpod }), undefined, UNUSED);
    return check?.mend;
  };
  assert.match(await hintOf({ RUNPOD_API_KEY: "rp_wrong" }) ?? "", /^check the API key in RUNPOD_API_KEY,/);
  assert.match(await hintOf({}) ?? "", /^the variable RUNPOD_API_KEY is not set: set it to the API key/);
  // The health of another API has no known address.
  const other = { trigger_url: `${base}/start`, status_url_template: runpod.status_url_template };
  assert.match(
    (await checksOf({ runpod: other }, { RUNPOD_API_KEY: "rp_right" }))[0] ?? "",
    /^warn runpod: 127\.0\.0\.1:\d+ cannot be tried without starting a job$/,
  );
  assert.deepEqual(asked, Array(4).fill("GET /v2/ep1/health"));
});

Deno.test("checkCarriers() shows the workers and the queue of a RunPod endpoint, and warns if no worker takes jobs", async () => {
  await using api = startRunPod();
  const runpod = { trigger_url: api.triggerUrl, status_url_template: api.statusUrlTemplate };
  const check = async () => (await checksOf({ runpod }, { RUNPOD_API_KEY: api.apiKey }))[0] ?? "";
  assert.match(await check(), /^pass runpod: .* key; workers: 0 idle, 0 running; 0 jobs in its queue$/);
  const headers = { authorization: api.apiKey };
  const started = await fetch(api.triggerUrl, { method: "POST", headers, body: '{"input": {}}' });
  await started.body?.cancel();
  assert.match(await check(), /^warn runpod: .* but it has no worker for 1 job in its queue$/);
});

Deno.test("checkCarriers() looks for the workflow's newest run", async () => {
  await using github = startGitHubServer(systemClock);
  const artifacts = { owner: OWNER, repository: REPOSITORY, workflow: "train_models.yml" };
  assert.match(
    (await checksOf({ artifacts }, github.env))[0] ?? "",
    /^warn github actions: .* has no such run/,
  );
  const run = github.addRun();
  assert.match(
    (await checksOf({ artifacts }, github.env))[0] ?? "",
    new RegExp(`^pass github actions: run ${run} of`),
  );
  assert.match(
    (await checksOf({ artifacts }, {}))[0] ?? "",
    /^fail github actions: No GitHub token configured/,
  );
});

Deno.test("checkCarriers() finds the branch on the hub, or says what is missing", async () => {
  using dir = tempDir();
  Deno.mkdirSync(join(dir.path, "hub"));
  await using hub = new HubServer(join(dir.path, "hub"));
  const env = { HF_ENDPOINT: hub.endpoint, HF_TOKEN: hub.token };
  const huggingface = { repo_id: REPO };
  assert.match((await checksOf({ huggingface }, env))[0] ?? "", /^fail hugging face: .*you\/models/);
  hub.createRepo(REPO);
  assert.match(
    (await checksOf({ huggingface }, env))[0] ?? "",
    /^pass hugging face: main of you\/models is at [0-9a-f]{12}$/,
  );
  const asked = hub.requests.length;
  assert.match(
    (await checksOf({ huggingface }, { ...env, HF_HUB_OFFLINE: "1" }))[0] ?? "",
    /^warn hugging face: no request for you\/models is sent: HF_HUB_OFFLINE is set/,
  );
  assert.equal(hub.requests.length, asked);
});

const RUNPOD = {
  trigger_url: "https://api.runpod.ai/v2/ep1/run",
  status_url_template: "https://api.runpod.ai/v2/ep1/status/{job_id}",
};

Deno.test("checkCarriers() does not fail a machine with a git registry for a missing RunPod key", async () => {
  const [shared = ""] = await checksOf({ runpod: RUNPOD, repo_dir: "/srv/registry" }, {});
  assert.match(shared, /^warn runpod: not set up on this machine: .*RUNPOD_API_KEY is not set/);
  const { status_url_template: _, ...half } = RUNPOD;
  const [url = ""] = await checksOf({ runpod: half, repo_url: "../r.git" }, { RUNPOD_API_KEY: "rp_1" });
  assert.match(url, /^warn runpod: .*status_url_template is not set/);
});

Deno.test("checkCarriers() fails for a missing key where RunPod is the only carrier, or was used before", async () => {
  const missing = /^fail runpod: .*RUNPOD_API_KEY is not set/;
  assert.match((await checksOf({ runpod: RUNPOD }, {}))[0] ?? "", missing);
  const both = { runpod: RUNPOD, repo_dir: "/srv/registry" };
  assert.match((await checksOf(both, {}, "client", "runpod_client"))[0] ?? "", missing);
});

Deno.test("checkCarriers() gives up each server that does not answer within 15 s, whatever its time limit", async () => {
  using silent = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const origin = `http://127.0.0.1:${silent.addr.port}`;
  const settings = ModelSync.parse({
    runpod: {
      trigger_url: `${origin}/v2/ep1/run`,
      status_url_template: `${origin}/v2/ep1/status/{job_id}`,
      request_timeout_sec: 60,
    },
    artifacts: { owner: OWNER, repository: REPOSITORY, workflow: "train.yml" },
  });
  const env = fixedEnvironment({ GITHUB_API_URL: origin, GITHUB_TOKEN: "t", RUNPOD_API_KEY: "k" });
  const clock = new QuickClock("2026-11-30T06:00:00Z", 15_000);
  const checks = await checkCarriers(testContext({ env, clock }), settings, undefined, UNUSED);
  assert.deepEqual(checks.map(({ name, status, detail }) => `${status} ${name}: ${detail}`), [
    "fail runpod: Cannot complete the check: no answer in 15 s",
    "fail github actions: Cannot complete the check: no answer in 15 s",
  ]);
});

Deno.test("checkCarriers() warns when a run of any workflow counts", async () => {
  await using github = startGitHubServer(systemClock);
  github.addRun();
  const artifacts = { owner: OWNER, repository: REPOSITORY, branch: "main" };
  const [found = "", any = ""] = await checksOf({ artifacts }, github.env);
  assert.match(found, /^pass github actions: /);
  assert.match(
    any,
    /^warn workflow: artifacts\.workflow is not set: a pull takes the newest run of any workflow on main/,
  );
  assert.equal((await checksOf({ artifacts: { ...artifacts, workflow: "t.yml" } }, github.env)).length, 1);
});

Deno.test("checkCarriers() fails for a deploy hook whose host does not answer, and calls none", async () => {
  const asked: string[] = [];
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, (request) => {
    asked.push(`${request.method} ${new URL(request.url).pathname}`);
    return new Response(null, { status: 404 });
  });
  const { port } = server.addr;
  const env = {
    MINE: `http://127.0.0.1:${port}/deploy/secret?key=k`,
    RAILWAY_API_URL: `http://127.0.0.1:${port}/g`,
  };
  const redeploy = {
    hooks: [
      { type: "generic", url_env: "MINE" },
      { type: "railway-api", service_id: "s", environment_id: "e", token_env: "MINE" },
    ],
  };
  assert.deepEqual(await checksOf({ redeploy }, env), [
    `pass redeploy: generic: 127.0.0.1:${port} answers; the hook was not called to try it`,
    `pass redeploy: railway-api: 127.0.0.1:${port} answers; the hook was not called to try it`,
  ]);
  assert.deepEqual(await checksOf({}, { RENDER_DEPLOY_HOOK: env.MINE }), [
    `pass redeploy: render: 127.0.0.1:${port} answers; the hook was not called to try it`,
  ]);
  assert.deepEqual(asked, ["HEAD /", "HEAD /", "HEAD /"]);
  await server.shutdown();

  const [silent = "", railway = ""] = await checksOf({ redeploy }, env);
  assert.match(
    silent,
    new RegExp(`^fail redeploy: .*the host of the generic deploy hook.*127\\.0\\.0\\.1:${port}`),
  );
  assert.match(railway, /^fail redeploy: /);
  assert.doesNotMatch(silent, /secret|key=k/);
  const unset = await checksOf({ redeploy }, {});
  assert.equal(unset.length, 2);
  for (const check of unset) assert.match(check, /^fail redeploy: .*MINE.* is not set/);
});
