import assert from "node:assert/strict";
import { join } from "node:path";
import { ModelSync } from "../../lib/config/schema.ts";
import { systemClock } from "../../lib/core/clock.ts";
import { checkCarriers } from "../../lib/doctor/carrier_checks.ts";
import { OWNER, REPOSITORY, startGitHubServer } from "../fakes/github_server.ts";
import { HubServer } from "../fakes/hub_server.ts";
import { startLimiterTimers } from "../helpers/actions_world.ts";
import { REPO } from "../helpers/hub_machines.ts";
import { tempDir } from "../helpers/temp_dir.ts";
import { fixedEnvironment, testContext } from "../helpers/test_context.ts";

await startLimiterTimers();

async function checksOf(section: Record<string, unknown>, env: Readonly<Record<string, string>>) {
  const context = testContext({ env: fixedEnvironment(env) });
  const checks = await checkCarriers(context, ModelSync.parse(section), undefined);
  return checks.map(({ name, status, detail }) => `${status} ${name}: ${detail}`);
}

Deno.test("checkCarriers() looks at what is configured, and at nothing else", async () => {
  assert.deepEqual(await checksOf({}, {}), []);
});

Deno.test("checkCarriers() asks RunPod how the endpoint is, without starting a job", async () => {
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
    /^pass runpod: .* the key is right/,
  );
  const [wrong = ""] = await checksOf({ runpod }, { RUNPOD_API_KEY: "rp_wrong" });
  assert.match(wrong, /^fail runpod: .*answered 401/);
  assert.doesNotMatch(wrong, /rp_wrong/);
  assert.deepEqual(asked, ["GET /v2/ep1/health", "GET /v2/ep1/health"]);
});

Deno.test("checkCarriers() looks for the workflow's newest run", async () => {
  await using github = startGitHubServer(systemClock);
  const artifacts = { owner: OWNER, repository: REPOSITORY, workflow: "train_models.yml" };
  assert.match(
    (await checksOf({ artifacts }, github.env))[0] ?? "",
    /^warn github actions: .* has no such run yet/,
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
});
