import assert from "node:assert/strict";
import { join } from "node:path";
import { REPO } from "../helpers/hub_machines.ts";
import { HubWorld } from "../helpers/hub_world.ts";
import { HurriedClock } from "../helpers/fake_clock.ts";
import { testKey } from "../helpers/signing.ts";
import { runCli, spawnCli } from "../helpers/run_cli.ts";
import { writeFiles } from "../helpers/temp_dir.ts";

/** A host with a deploy hook and a backend, which loads the hub's release with each deployment. */
function startBackend(world: HubWorld, serves: (release: string) => string) {
  const hooks: string[] = [];
  let release = "none";
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, async (request) => {
    const { pathname } = new URL(request.url);
    await request.body?.cancel();
    if (pathname === "/health") return Response.json({ status: "online", release });
    hooks.push(`${request.method} ${pathname}`);
    const manifest: { digest: string } = JSON.parse(world.server.files(REPO)["model-sync.json"] ?? "{}");
    release = serves(manifest.digest);
    return Response.json({ job: { id: `job-${hooks.length}` } });
  });
  const origin = `http://127.0.0.1:${server.addr.port}`;
  return {
    hooks,
    get release() {
      return release;
    },
    settings: {
      VERCEL_DEPLOY_HOOK: `${origin}/prj_1/s3cret`,
      MODEL_SYNC_REDEPLOY_VERIFY_URL: `${origin}/health`,
      MODEL_SYNC_REDEPLOY_POLL_INTERVAL_SEC: "1",
      MODEL_SYNC_REDEPLOY_WAIT_TIMEOUT_SEC: "1",
    },
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

/** Runs a command on a clock on which no pause between two looks at the backend lasts. */
function runAt(hub: HubWorld, command: string, args: string[], env: Record<string, string>) {
  const world = { clock: new HurriedClock() };
  return runCli(command, args, { cwd: join(hub.path, "trainer"), env, world });
}

Deno.test("hf-upload --redeploy --wait uploads, deploys and sees the backend serve the release, under its own permissions", async () => {
  await using world = new HubWorld();
  await using backend = startBackend(world, (release) => release);
  const spawn = (command: string, ...args: string[]) =>
    spawnCli(command, args, { cwd: join(world.path, "trainer"), entry: "script", env: backend.settings });
  const { code, stdout, stderr } = await spawn("hf-upload", "--redeploy", "--wait");
  assert.equal(code, 0, stderr);
  assert.match(
    stdout,
    /published release[^]*deployment started: vercel on 127\.0\.0\.1:\d+, job-1[^]*the backend serves release/,
  );
  assert.doesNotMatch(stdout + stderr, /s3cret/);
  const again = await spawn("redeploy", "--wait", "--json");
  assert.equal(again.code, 0, again.stderr);
  const { outcome, release, deployments } = JSON.parse(again.stdout);
  assert.deepEqual([outcome, release, deployments.length], ["redeployed", backend.release, 1]);
});

Deno.test("a backend that does not serve the release fails the command, and --revert-on-failure redeploys the previous release", async () => {
  await using world = new HubWorld();
  const bad = new Set<string>();
  await using backend = startBackend(world, (release) => bad.has(release) ? "sha256:crashing" : release);
  assert.equal((await runAt(world, "hf-upload", ["--redeploy"], backend.settings)).code, 0);
  const good = backend.release;

  writeFiles(join(world.path, "trainer/models"), { "model.bin": "a model that crashes the backend" });
  const upload = await world.json("trainer", "hf-upload");
  bad.add(String(upload["release"]));
  const failed = await runAt(world, "redeploy", ["--wait"], backend.settings);
  assert.equal(failed.code, 1);
  assert.match(failed.stderr, /Cannot see release [0-9a-f]{12} at .* the backend reports "sha256:crashing"/);

  const reverted = await runAt(world, "redeploy", ["--revert-on-failure", "--json"], backend.settings);
  assert.equal(reverted.code, 8);
  const { message, ...error } = JSON.parse(reverted.stderr);
  assert.match(message, /release [0-9a-f]{12} is published and deployed again/);
  assert.deepEqual([error.code, error.exitCode, error.outcome], ["RELEASE_NOT_SERVED", 8, "rolled-back"]);
  assert.deepEqual([error.release, error.previous, error.sequence], [good, upload["release"], 3]);
  const [run] = JSON.parse((await world.run("trainer", "status", "--json")).stdout).runs;
  assert.deepEqual([run.command, run.outcome, run.release, run.error.exitCode], [
    "redeploy",
    "rolled-back",
    good,
    8,
  ]);
  assert.equal(backend.release, good);
  assert.equal((await world.json("bot", "hf-pull"))["release"], good);
});

Deno.test("--revert-on-failure restores and signs only a release that this machine's own key or a trusted key has signed", async () => {
  await using world = new HubWorld();
  await using backend = startBackend(world, () => "sha256:crashing");
  const [old, own] = [testKey(), testKey()];
  const trainer = join(world.path, "trainer");
  const configure = (privatePem: string, ...trusted: string[]) => {
    const keys = trusted.map((pem, index) => [`trusted-${index}.pem`, pem] as const);
    const signing = { private_key: "own.pem", public_keys: keys.map(([name]) => name) };
    writeFiles(trainer, {
      "configs/bot.yaml": JSON.stringify({ model_sync: { huggingface: { repo_id: REPO }, signing } }),
      "own.pem": privatePem,
      ...Object.fromEntries(keys),
    });
    Deno.chmodSync(join(trainer, "own.pem"), 0o600);
  };
  configure(old.privatePem);
  const good = await world.json("trainer", "hf-upload");
  configure(own.privatePem);
  writeFiles(trainer, { "models/model.bin": "a model that crashes the backend" });
  await world.json("trainer", "hf-upload");
  const refused = await runAt(world, "redeploy", ["--revert-on-failure"], backend.settings);
  assert.equal(refused.code, 1, refused.stderr);
  assert.match(
    refused.stderr,
    /not trusted here; it is not restored\n[^]*the branch is unchanged: Cannot restore/,
  );
  configure(own.privatePem, old.publicPem);
  const reverted = await runAt(world, "redeploy", ["--revert-on-failure", "--json"], backend.settings);
  assert.equal(reverted.code, 8, reverted.stderr);
  assert.equal(JSON.parse(reverted.stderr).release, good["release"]);
});

Deno.test("a missing setting of a redeployment is an error before anything is uploaded", async () => {
  await using world = new HubWorld();
  const hookless = await runAt(world, "hf-upload", ["--redeploy"], {});
  assert.equal(hookless.code, 2);
  assert.match(hookless.stderr, /no deploy hook is set/);
  const blind = await runAt(world, "hf-upload", ["--redeploy", "--wait"], {
    DEPLOY_HOOK: "http://127.0.0.1:9/x",
  });
  assert.equal(blind.code, 2);
  assert.match(blind.stderr, /redeploy\.verify_url is not set/);
  assert.equal(world.server.repos.size, 0);
});

Deno.test("redeploy fails when a hook does, and --dry-run calls none", async () => {
  await using world = new HubWorld();
  await using backend = startBackend(world, (release) => release);
  const dry = await runAt(world, "redeploy", ["--dry-run"], backend.settings);
  assert.match(dry.stdout, /would start a deployment: vercel, POST to 127\.0\.0\.1:\d+/);
  assert.deepEqual(backend.hooks, []);
  await using gone = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    () => new Response("no such service", { status: 404 }),
  );
  const { code, stderr } = await runAt(world, "redeploy", [], {
    RENDER_DEPLOY_HOOK: `http://127.0.0.1:${gone.addr.port}/deploy/srv-1?key=s3cret`,
  });
  assert.equal(code, 4);
  assert.match(stderr, /render deploy hook: 127\.0\.0\.1:\d+ answered 404: no such service/);
  assert.doesNotMatch(stderr, /s3cret/);
});

Deno.test("without a previous release to redeploy, the error still names the release that failed", async () => {
  await using world = new HubWorld();
  await using backend = startBackend(world, () => "sha256:crashing");
  const { code, stderr } = await runAt(
    world,
    "hf-upload",
    ["--redeploy", "--revert-on-failure"],
    backend.settings,
  );
  assert.equal(code, 1);
  assert.match(
    stderr,
    /error: Cannot see release [^\n]*; the branch is unchanged: Cannot restore a release [^\n]*\nnext: +upload the models/,
  );
});

Deno.test("hf-upload redeploys nothing for a pull request, which no backend can serve yet", async () => {
  await using world = new HubWorld();
  await using backend = startBackend(world, (release) => release);
  const { code, stderr } = await runAt(world, "hf-upload", ["--create-pr", "--redeploy"], backend.settings);
  assert.equal(code, 2);
  assert.match(stderr, /Cannot redeploy with --create-pr/);
  assert.deepEqual([world.server.repos.size, backend.hooks.length], [0, 0]);
});

Deno.test("a token with characters that no header may hold is an error that says so", async () => {
  await using world = new HubWorld();
  const { code, stderr } = await runAt(world, "hf-upload", [], { HF_TOKEN: "hf_s3cret\u2013x" });
  assert.equal(code, 3);
  assert.match(stderr, /Cannot use HF_TOKEN: it holds characters that no token has/);
  assert.doesNotMatch(stderr, /s3cret/);
});
