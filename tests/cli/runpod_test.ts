import assert from "node:assert/strict";
import { join } from "node:path";
import { systemClock } from "../../lib/core/clock.ts";
import { acquireLock } from "../../lib/core/lock.ts";
import { parseManifest } from "../../lib/release/manifest.ts";
import { readHistory } from "../../lib/store/history.ts";
import { openStore } from "../../lib/store/store.ts";
import { startStorage } from "../../fakes/storage_server.ts";
import { HurriedClock } from "../helpers/fake_clock.ts";
import { readArchive } from "../helpers/read_archive.ts";
import { cliArgs, PROJECT, runCli, spawnCli } from "../helpers/run_cli.ts";
import { RunPodWorld } from "../helpers/runpod_world.ts";
import { PYTHON, TRAIN, useModels, WITHOUT_PYTHON } from "../helpers/scikit_learn.ts";
import { listing, readFiles, type TempDir, tempDir, writeFiles } from "../helpers/temp_dir.ts";
import { GIT_ENV } from "../helpers/test_git.ts";

const MODELS = { "BTC_USDC/metadata.json": "{}", "BTC_USDC/rf.bin": "one" };

/** Seed 1's setting: an endpoint at RunPod, and a bot with its configuration and `.env`. */
class Seed implements AsyncDisposable {
  readonly #dir: TempDir = tempDir();
  readonly world = new RunPodWorld(join(this.#dir.path, "runpod"));
  readonly bot = join(this.#dir.path, "bot");
  readonly trainer = join(this.#dir.path, "trainer");

  constructor() {
    writeFiles(this.bot, {
      "configs/bot.yaml": `bot: {mode: paper}
model_sync:
  runpod_client:
    schedule: "03:00"
  runpod:
    enabled: true
    trigger_url: "${this.world.api.triggerUrl}"
    status_url_template: "${this.world.api.statusUrlTemplate}"
    api_key_env: "RUNPOD_API_KEY"
    trigger_method: "POST"
    trigger_payload:
      input:
        prompt: "Train BN-ML models only (no trading bot execution) and return a downloadable models archive"
    headers: {}
    request_timeout_sec: 20
    poll_interval_sec: 1
    job_timeout_sec: 3600
    download_timeout_sec: 300
    extract_subdir: "models"
`,
      ".env": `RUNPOD_API_KEY=${this.world.api.apiKey}\n`,
    });
    writeFiles(this.trainer, {
      "configs/bot.yaml": `model_sync:
  publisher:
    train_command: ${JSON.stringify(demoTraining())}
`,
    });
    this.world.api.script = [{ status: "COMPLETED", output: { models_archive_url: this.world.archiveUrl } }];
  }

  /** How often a job was started. */
  get starts(): number {
    return this.world.api.requests.filter(({ operation }) => operation === "run").length;
  }

  async run(...args: string[]) {
    return await runCli("runpod-pull", args, { cwd: this.bot, world: { clock: new HurriedClock() } });
  }

  async json(...args: string[]): Promise<Record<string, unknown>> {
    const result = await this.run(...args, "--json");
    assert.equal(result.code, 0, result.stderr);
    return JSON.parse(result.stdout);
  }

  /** A running pull, whose output the test reads and which the test may stop. */
  spawn(...args: string[]): Deno.ChildProcess {
    return new Deno.Command(Deno.execPath(), {
      args: cliArgs("runpod-pull", args, { entry: "script" }),
      cwd: this.bot,
      env: { ...GIT_ENV, NO_COLOR: "1" },
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).spawn();
  }

  async [Symbol.asyncDispose]() {
    await this.world[Symbol.asyncDispose]();
    this.#dir[Symbol.dispose]();
  }
}

/** The demo's training program: real models, simulated markets. */
function demoTraining(): string[] {
  const allowed = ["--allow-read", "--allow-write", "--allow-env=MODEL_SYNC_MODELS_DIR"];
  const config = ["--config", join(PROJECT, "deno.json")];
  return [
    Deno.execPath(),
    "run",
    "-q",
    "--no-prompt",
    ...config,
    ...allowed,
    join(PROJECT, "configs/demo/train.ts"),
  ];
}

/** Sends a signal as soon as a process says something; returns all that it said. */
async function signalAt(child: Deno.ChildProcess, text: string, signal: Deno.Signal): Promise<string> {
  const decoder = new TextDecoder();
  let said = "";
  let isSent = false;
  for await (const piece of child.stderr) {
    said += decoder.decode(piece, { stream: true });
    if (!isSent && said.includes(text)) {
      isSent = true;
      child.kill(signal);
    }
  }
  return said;
}

Deno.test("runpod-pull works as seed 1 documents, under its own permissions, and prints the original's keys beside its own", async () => {
  await using seed = new Seed();
  await seed.world.offer(MODELS, 1);
  const args = ["--config", "configs/bot.yaml", "--models-dir", "models"];
  const result = await spawnCli("runpod-pull", args, { cwd: seed.bot, entry: "script" });
  assert.equal(result.code, 0, result.stderr);
  assert.match(result.stdout, /activated release [0-9a-f]{12} \(sequence 1\)\n {2}2 files/);
  assert.deepEqual(readFiles(join(seed.bot, "models")), MODELS);
  await seed.world.offer({ ...MODELS, "BTC_USDC/rf.bin": "two" }, 2);
  const json = await seed.json();
  assert.deepEqual([
    json["pulled"],
    json["provider"],
    json["job_id"],
    json["status"],
    json["download_url"],
    json["model_files"],
    json["models_dir"],
    json["outcome"],
    json["carrier"],
    json["revision"],
    json["sequence"],
    json["changed"],
  ], [
    true,
    "runpod",
    "job-2-u1",
    "COMPLETED",
    seed.world.files.url,
    2,
    join(seed.bot, "models"),
    "activated",
    "runpod",
    "job-2-u1",
    2,
    1,
  ]);
  assert.equal((await seed.json())["outcome"], "unchanged");
  const shown = result.stdout + result.stderr + JSON.stringify(json);
  assert.doesNotMatch(shown, /rpa_test_account_key|signed-secret/);
});

Deno.test("seed 1's options replace settings, and its git options are accepted and ignored", async () => {
  await using seed = new Seed();
  await seed.world.offer({ ...MODELS }, 1);
  const { triggerUrl, statusUrlTemplate } = seed.world.api;
  writeFiles(seed.bot, { "configs/bot.yaml": "model_sync: {runpod: {extract_subdir: nowhere}}\n" });
  writeFiles(seed.bot, { ".env": `OTHER_KEY=${seed.world.api.apiKey}\n` });
  const json = await seed.json(
    ...["--trigger-url", triggerUrl, "--status-url-template", statusUrlTemplate.replace("job_id", "id")],
    ...["--api-key-env", "OTHER_KEY", "--trigger-method", "POST"],
    ...["--trigger-payload-json", '{"input": {"a": 1}, "policy": {"executionTimeout": 7200000}}'],
    ...["--headers-json", '{"X-Team": "blue"}', "--request-timeout-sec", "10"],
    ...["--poll-interval-sec-runpod", "1", "--job-timeout-sec", "60", "--download-timeout-sec", "30"],
    ...["--extract-subdir", "models", "--no-cancel", "--limit-rate", "10M"],
    ...["--repo-dir", "/nowhere", "--repo-models-subdir", "m", "--remote", "r", "--branch", "b"],
    "--allow-dirty-worktree",
  );
  assert.equal(json["outcome"], "activated");
  const [start] = seed.world.api.requests;
  assert.equal(start?.headers.get("x-team"), "blue");
  assert.deepEqual(JSON.parse(start?.body ?? ""), {
    input: { a: 1 },
    policy: { executionTimeout: 7_200_000, ttl: 9_000_000 },
  });
});

Deno.test("a dry run shows the request or the job to continue with, and sends and writes nothing", async () => {
  await using seed = new Seed();
  await seed.world.offer(MODELS, 1);
  const before = listing(seed.bot);
  const json = await seed.json("--dry-run", "--headers-json", '{"X-Team": "team-secret"}');
  assert.deepEqual([json["action"], json["request"]], ["start", {
    method: "POST",
    url: seed.world.api.triggerUrl,
    body: {
      input: {
        prompt: "Train BN-ML models only (no trading bot execution) and return a downloadable models archive",
      },
      policy: { executionTimeout: 3_600_000, ttl: 5_400_000 },
    },
    headers: ["accept", "authorization", "content-type", "x-team"],
  }]);
  const text = await seed.run("--dry-run");
  assert.match(
    text.stdout,
    /would start a job: POST http:\/\/127\.0\.0\.1:\d+\/v2\/ep1\/run\n {2}with the headers/,
  );
  assert.doesNotMatch(text.stdout + JSON.stringify(json), /team-secret|rpa_test/);
  const payload = {
    input: {
      hf_token: "hub-secret",
      upload_url: "https://b.example/m.zip?sig=signed",
      aws_secret_access_key: "storage-secret",
    },
  };
  const hidden = await seed.run("--dry-run", "--trigger-payload-json", JSON.stringify(payload));
  assert.match(
    hidden.stdout,
    /"hf_token":"\[redacted\]","upload_url":"https:\/\/b\.example\/m\.zip\?sig=\[redacted\]"/,
  );
  const inJson = await seed.run("--dry-run", "--json", "--trigger-payload-json", JSON.stringify(payload));
  assert.doesNotMatch(hidden.stdout + inJson.stdout, /hub-secret|signed|storage-secret/);
  assert.deepEqual([listing(seed.bot), seed.world.api.requests.length], [before, 0]);

  seed.world.files.faults.push(
    ...Array.from(
      { length: 1 },
      () => ({ kind: "answer", make: () => Response.json({}, { status: 418 }) }) as const,
    ),
  );
  assert.equal((await seed.run()).code, 4);
  const attached = await seed.json("--dry-run");
  assert.deepEqual([attached["action"], attached["jobId"], attached["request"]], [
    "attach",
    "job-1-u1",
    null,
  ]);
  assert.match((await seed.run("--dry-run")).stdout, /would continue with RunPod job job-1-u1/);
  assert.equal(seed.starts, 1);
});

Deno.test("a key on the command line or in the file works, with a warning, and is never shown", async () => {
  await using seed = new Seed();
  await seed.world.offer(MODELS, 1);
  const key = seed.world.api.apiKey;
  writeFiles(seed.bot, { ".env": "" });
  const without = await seed.run();
  assert.equal(without.code, 3);
  const flag = await seed.run("--api-key", key);
  assert.equal(flag.code, 0, flag.stderr);
  assert.match(flag.stderr, /warn {2}every user of this machine can read --api-key/);
  const file = join(seed.bot, "configs/bot.yaml");
  Deno.writeTextFileSync(
    file,
    Deno.readTextFileSync(file).replace(
      "    headers: {}",
      `    api_key: ${key}\n    headers: {X-Own: own-secret}`,
    ),
  );
  const yaml = await seed.run();
  assert.equal(yaml.code, 0, yaml.stderr);
  assert.match(yaml.stderr, /warn {2}runpod\.api_key is in the configuration file/);
  const print = await runCli("config", ["print"], { cwd: seed.bot });
  assert.match(print.stdout, /runpod\.api_key +"\[redacted\]"/);
  for (const { stdout, stderr } of [without, flag, yaml, print]) {
    assert.doesNotMatch(stdout + stderr, new RegExp(`${key}|own-secret`));
  }
});

Deno.test("a missing or wrong setting is an error before a job is started", async () => {
  await using seed = new Seed();
  const expect = async (code: number, says: RegExp, ...args: string[]) => {
    const result = await seed.run(...args);
    assert.equal(result.code, code, result.stderr);
    assert.match(result.stderr, says);
    assert.equal(result.stdout, "");
  };
  await expect(2, /its value must be a JSON object/, "--headers-json", "[1]");
  await expect(
    2,
    /--status-url-template: must be an http address with \{job_id\}/,
    "--status-url-template",
    "http://a/b",
  );
  await expect(2, /The header|Cannot send the header "x y"/, "--headers-json", '{"x y": "z"}');
  const real = "https://api.runpod.ai/v2/abc/run";
  await expect(3, /the variable NO_KEY is not set/, "--trigger-url", real, "--api-key-env", "NO_KEY");
  // Another API may want no key, but not where a variable for it is named.
  await expect(3, /the variable NO_KEY is not set/, "--api-key-env", "NO_KEY");
  const other = seed.world.api.statusUrlTemplate.replace("/ep1/", "/ep2/");
  await expect(
    2,
    /trigger_url has the endpoint "ep1", status_url_template has "ep2"/,
    "--status-url-template",
    other,
  );
  // As the original's example has it, and as ours has.
  for (const id of ["<ENDPOINT_ID>", "ENDPOINT_ID", "{endpoint_id}", "%3CENDPOINT_ID%3E"]) {
    const left = new RegExp(`trigger_url has "${id}" in the place of an endpoint's id`);
    await expect(2, left, "--trigger-url", `https://api.runpod.ai/v2/${id}/run`, "--api-key-env", "NO_KEY");
    const template = `${seed.world.api.origin}/v2/${id}/status/{job_id}`;
    await expect(2, /status_url_template has /, "--status-url-template", template);
  }
  writeFiles(seed.bot, { "configs/bot.yaml": "model_sync: {}\n" });
  await expect(2, /trigger_url is not set\n.*model-sync init runpod --endpoint ENDPOINT_ID/);
  await expect(2, /status_url_template is not set/, "--trigger-url", seed.world.api.triggerUrl);
  assert.equal(seed.world.api.requests.length, 0);
});

Deno.test("an error about a refused key names the key's origin", async () => {
  await using seed = new Seed();
  const ask = async (...args: string[]) => {
    const { faults } = seed.world.api;
    faults.run.push({ kind: "answer", make: () => new Response("{}", { status: 401 }) });
    const { code, stderr } = await seed.run(...args);
    assert.equal(code, 3, stderr);
    return stderr;
  };
  assert.match(await ask(), /^next: +check the API key in RUNPOD_API_KEY, and its access to the endpoint/m);
  assert.match(await ask("--api-key", "k-123456"), /^next: +check the API key in --api-key,/m);
  const header = JSON.stringify({ Authorization: "Bearer k-123456" });
  assert.match(await ask("--headers-json", header), /^next: +check the API key in runpod\.headers,/m);
  writeFiles(seed.bot, { ".env": "" });
  assert.match(await ask(), /^next: +the variable RUNPOD_API_KEY is not set: set it to the API key/m);
});

Deno.test("after a pull was killed while its job runs, the next pull continues with the job and starts none", async () => {
  await using seed = new Seed();
  await seed.world.offer(MODELS, 1);
  const output = { models_archive_url: seed.world.archiveUrl };
  seed.world.api.script = [...Array.from({ length: 3 }, () => ({ status: "IN_PROGRESS" })), {
    status: "COMPLETED",
    output,
  }];
  const child = seed.spawn();
  await signalAt(child, "RunPod job job-1-u1: IN_PROGRESS", "SIGKILL");
  assert.equal((await child.status).signal, "SIGKILL");
  const json = await seed.json();
  assert.deepEqual([json["outcome"], json["job_id"], seed.starts], ["activated", "job-1-u1", 1]);
  assert.equal((await seed.json())["job_id"], "job-2-u1");
});

Deno.test("while a pull waits for its job, a rollback works, and a second pull starts no second job", async () => {
  await using seed = new Seed();
  for (const [sequence, text] of ["one", "two"].entries()) {
    await seed.world.offer({ ...MODELS, "BTC_USDC/rf.bin": text }, sequence + 1);
    await seed.json();
  }
  seed.world.api.script = Array.from({ length: 1000 }, () => ({ status: "IN_PROGRESS" }));
  const child = seed.spawn();
  const decoder = new TextDecoder();
  let said = "";
  for await (const piece of child.stderr) {
    said += decoder.decode(piece, { stream: true });
    if (!said.includes("RunPod job job-3-u1: IN_PROGRESS") || said.includes("stopping")) continue;
    const second = await seed.run();
    assert.equal(second.code, 6);
    assert.match(second.stderr, /runpod\.lock: held by pid \d+/);
    assert.equal((await runCli("rollback", [], { cwd: seed.bot })).code, 0);
    child.kill("SIGTERM");
  }
  assert.equal((await child.status).code, 130);
  assert.equal(readFiles(join(seed.bot, "models"))["BTC_USDC/rf.bin"], "one");
  assert.equal(seed.starts, 3);
  const { runs } = JSON.parse((await runCli("status", ["--json"], { cwd: seed.bot })).stdout);
  const outcomes = runs.map(({ command, outcome }: { command: string; outcome: string }) =>
    `${command} ${outcome}`
  );
  assert.deepEqual(outcomes.slice(0, 3), [
    "runpod-pull interrupted",
    "rollback rolled-back",
    "runpod-pull failed",
  ]);
});

for (const cancels of [true, false]) {
  Deno.test(`SIGTERM while waiting ends with 130 and ${cancels ? "cancels the job" : "leaves the job, with --no-cancel"}`, async () => {
    await using seed = new Seed();
    seed.world.api.script = Array.from({ length: 100 }, () => ({ status: "IN_PROGRESS" }));
    const child = seed.spawn(...(cancels ? [] : ["--no-cancel"]));
    const said = await signalAt(child, "RunPod job job-1-u1: IN_PROGRESS", "SIGTERM");
    assert.equal((await child.status).code, 130, said);
    assert.equal(seed.world.api.jobs[0]?.state.status, cancels ? "CANCELLED" : "IN_PROGRESS");
    assert.match(
      said,
      cancels ? /cancelled RunPod job job-1-u1/ : /RunPod job job-1-u1 keeps running and is paid for/,
    );
    assert.match(said, /^next: +run the command again; it continues interrupted downloads/m);
    const plan = await seed.json("--dry-run");
    assert.equal(plan["action"], cancels ? "start" : "attach");
  });
}

Deno.test("a start without a response is the shown failure even if another run holds the store's lock", async () => {
  await using seed = new Seed();
  const store = openStore(Deno, { modelsDir: join(seed.bot, "models") });
  const owner = { command: "pull", runId: "20261130T060000Z-1", host: "bot" };
  using _lock = await acquireLock(Deno, store.lock, owner, systemClock);
  seed.world.api.faults.run.push({ kind: "lost" });
  const { code, stderr } = await seed.run();
  assert.equal(code, 1, stderr);
  assert.match(stderr, /A RunPod job may be running: the start request sent at .* got no response/);
  assert.match(stderr, /--new-job/);
  assert.match(stderr, /warn.*Cannot lock /i);
  const [record] = readHistory(store, 1);
  assert.deepEqual([record?.outcome, record?.error?.code], ["failed", "JOB_UNKNOWN"]);
});

Deno.test("train prints the original's keys, and runpod-pull accepts its archive", async () => {
  await using seed = new Seed();
  const flags = ["--paper", "--symbol", "BTC/USDC", "--train-missing-only"];
  const options = { cwd: seed.trainer };
  const result = await spawnCli("train", [...flags, "--json"], { ...options, entry: "script" });
  assert.equal(result.code, 0, result.stderr);
  const json = JSON.parse(result.stdout);
  const { release, sequence, archive_bytes, ...rest } = json;
  assert.deepEqual(rest, {
    status: "ok",
    mode: "train_only",
    paper: true,
    models_dir: "models",
    archive_path: "artifacts/exports/models_latest.zip",
    archive_files: 2,
    symbols_requested: 1,
    symbols_queued_for_training: null,
    symbols_trained: null,
    symbols_skipped_up_to_date: null,
    symbols_skipped_errors: null,
    warnings: [],
  });
  assert.match(result.stderr, /trained BTC\/USDC on/);
  assert.ok(sequence > 1_700_000_000);
  seed.world.files.content = Deno.readFileSync(join(seed.trainer, json.archive_path));
  assert.equal(seed.world.files.content.length, archive_bytes);
  const pulled = await seed.json();
  assert.deepEqual([pulled["release"], pulled["sequence"]], [release, sequence]);
  assert.deepEqual(readFiles(join(seed.bot, "models")), readFiles(join(seed.trainer, "models")));
  const text = await runCli("train", ["--skip-training", "--archive-path", "out.zip"], options);
  assert.match(text.stdout, /wrote release [0-9a-f]{12} \(sequence \d+\) into out\.zip\n {2}2 files/);
  assert.equal((await runCli("train", ["--train-all", "--train-missing-only"], options)).code, 2);
});

function spawnWorker(seed: Seed): Deno.ChildProcess {
  return new Deno.Command(Deno.execPath(), {
    args: cliArgs("train", ["--serve-runpod"], { entry: "script" }),
    cwd: seed.trainer,
    env: { ...GIT_ENV, NO_COLOR: "1", ...seed.world.api.workerEnv },
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).spawn();
}

/** A RunPod worker on the trainer's machine, until it is disposed of. */
function startWorker(seed: Seed): AsyncDisposable & { readonly said: Promise<string> } {
  const child = spawnWorker(seed);
  const said = new Response(child.stderr).text();
  return {
    said,
    async [Symbol.asyncDispose]() {
      child.kill("SIGTERM");
      const { code } = await child.status;
      assert.equal(code, 0, await said);
    },
  };
}

Deno.test("a worker trains for each job, uploads the archive, and runpod-pull activates it", async () => {
  await using seed = new Seed();
  await using storage = startStorage();
  seed.world.api.script = undefined;
  const target = { upload_url: storage.uploadUrl, download_url: storage.downloadUrl };
  const payload = (input: unknown) => ["--trigger-payload-json", JSON.stringify({ input })];
  let said: Promise<string>;
  {
    await using worker = startWorker(seed);
    const json = await seed.json(
      ...payload({ prompt: "Train models only", symbols: ["BTC/USDC"], ...target }),
    );
    assert.deepEqual([json["outcome"], json["job_id"], json["model_files"]], ["activated", "job-1-u1", 2]);
    assert.equal(json["download_url"], storage.files.url);
    const { output } = seed.world.api.jobs[0]?.state ?? {};
    assert.ok(typeof output === "object" && output !== null);
    assert.deepEqual(Object.keys(output).sort(), [
      "archive_bytes",
      "archive_files",
      "archive_path",
      "mode",
      "models_archive_url",
      "models_dir",
      "paper",
      "release",
      "sequence",
      "status",
      "symbols_queued_for_training",
      "symbols_requested",
      "symbols_skipped_errors",
      "symbols_skipped_up_to_date",
      "symbols_trained",
    ]);
    const failed = await seed.run(...payload({ symbols: ["--config"], ...target }));
    assert.equal(failed.code, 1);
    assert.match(
      failed.stderr,
      /error: RunPod job job-2-u1 failed \(FAILED\): Cannot train with the job's input: symbols\.0/,
    );
    const targetless = await seed.run(...payload({}));
    assert.match(
      targetless.stderr,
      /the job has no target for the archive; give upload_url and download_url/,
    );
    const second = await seed.json(...payload({ symbols: ["ETH/USDC"], ...target }));
    assert.deepEqual([second["outcome"], second["model_files"]], ["activated", 4]);
    said = worker.said;
  }
  assert.doesNotMatch(await said, /upload-secret|download-secret|worker-key/);
  assert.deepEqual(readFiles(join(seed.bot, "models")), readFiles(join(seed.trainer, "models")));
});

Deno.test("a worker that gets SIGTERM completes its training, uploads the archive and exits with 0", async () => {
  await using seed = new Seed();
  await using storage = startStorage();
  seed.world.api.script = undefined;
  writeFiles(seed.trainer, {
    "test_input.json": "[]",
    "train.ts": `
      console.log("training begins");
      Deno.stdout.writeSync(new TextEncoder().encode("\\n"));
      while (!Deno.statSync(".").isDirectory || !exists("go")) await new Promise((go) => setTimeout(go, 20));
      Deno.mkdirSync("models", { recursive: true });
      Deno.writeTextFileSync("models/m.bin", "trained");
      function exists(path: string) { try { return Deno.statSync(path).isFile; } catch { return false; } }
    `,
    "configs/bot.yaml": `model_sync:
  stop_timeout_sec: 0.001
  publisher: {train_command: ["${Deno.execPath()}", "run", "-A", "-q", "--no-config", "train.ts"]}
`,
  });
  const target = { upload_url: storage.uploadUrl, download_url: storage.downloadUrl };
  const worker = spawnWorker(seed);
  const pulling = seed.json("--trigger-payload-json", JSON.stringify({ input: target }));
  const decoder = new TextDecoder();
  let [said, isAsked] = ["", false];
  for await (const piece of worker.stderr) {
    said += decoder.decode(piece, { stream: true });
    if (said.includes("training begins") && !isAsked) {
      // Once: a second signal ends the worker at once.
      isAsked = true;
      worker.kill("SIGTERM");
    }
    if (said.includes("before it stops")) writeFiles(seed.trainer, { go: "" });
  }
  assert.equal((await worker.status).code, 0, said);
  const pulled = await pulling;
  assert.deepEqual([pulled["outcome"], pulled["model_files"]], ["activated", 1]);
  assert.equal(readFiles(join(seed.bot, "models"))["m.bin"], "trained");
  assert.ok(
    seed.world.api.requests.some(({ body }) => body === '{"status":"IN_PROGRESS","output":"training"}'),
  );
});

/** Returns the origin that the manifest of an archive names. */
async function originOf(archive: Uint8Array) {
  const text = (await readArchive(archive)).get("model-sync.json");
  return (await parseManifest(new TextDecoder().decode(text), "the archive")).origin;
}

Deno.test("a worker can be tried without RunPod", async () => {
  await using seed = new Seed();
  await using storage = startStorage();
  const options = { cwd: seed.trainer };
  const job = {
    input: { symbols: ["BTC/USDC"], upload_url: storage.uploadUrl, download_url: storage.downloadUrl },
  };
  const good = await runCli(
    "train",
    ["--serve-runpod", "--test-input", JSON.stringify(job), "--json"],
    options,
  );
  assert.equal(good.code, 0, good.stderr);
  assert.equal(JSON.parse(good.stdout).output.models_archive_url, storage.downloadUrl);
  // The client finds the release of its own job.
  const { carrier, revision } = await originOf(storage.files.content);
  assert.deepEqual([carrier, typeof revision], ["runpod", "string"]);
  for (const [env, expected] of [[{}, "runpod"], [{ GITHUB_ACTIONS: "true" }, "github-actions"]] as const) {
    const args = ["--skip-training", "--archive-path", "out.zip"];
    assert.equal((await runCli("train", args, { ...options, env })).code, 0);
    const origin = await originOf(Deno.readFileSync(join(seed.trainer, "out.zip")));
    assert.deepEqual([origin.carrier, origin.revision], [expected, undefined]);
  }
  const alone = await runCli("train", ["--test-input", JSON.stringify(job)], options);
  assert.deepEqual([alone.code, /--test-input: it needs --serve-runpod/.test(alone.stderr)], [2, true]);
  const bad = await runCli("train", ["--serve-runpod", "--test-input", '{"input": {}}', "--json"], options);
  assert.equal(bad.code, 1);
  assert.equal(JSON.parse(JSON.parse(bad.stdout).error).error_type, "UPLOAD_TARGET_MISSING");
  writeFiles(seed.trainer, { "test_input.json": `\ufeff${JSON.stringify(job)}` });
  const fromFile = await runCli("train", ["--serve-runpod", "--json"], options);
  assert.equal(fromFile.code, 0, fromFile.stderr);
  assert.equal(JSON.parse(fromFile.stdout).output.models_archive_url, storage.downloadUrl);
  writeFiles(seed.trainer, { "test_input.json": "[]" });
  const odd = await runCli("train", ["--serve-runpod"], options);
  assert.equal(odd.code, 2);
  assert.match(odd.stderr, /Cannot do the job in test_input\.json: it is not a JSON object with an input/);
  Deno.removeSync(join(seed.trainer, "test_input.json"));
  // Without a training command, no worker begins, and no store is left.
  const untrained = join(seed.trainer, "untrained");
  Deno.mkdirSync(untrained);
  for (const args of [["--serve-runpod"], ["--serve-runpod", "--test-input", JSON.stringify(job)], []]) {
    const refused = await runCli("train", args, { cwd: untrained });
    assert.deepEqual(
      [refused.code, /train_command is not set/.test(refused.stderr)],
      [2, true],
      refused.stderr,
    );
  }
  assert.deepEqual(listing(untrained), []);
  const nowhere = await runCli("train", ["--serve-runpod"], options);
  assert.equal(nowhere.code, 2);
  assert.match(nowhere.stderr, /RUNPOD_WEBHOOK_GET_JOB is not set/);
});

Deno.test({
  name: `a model that scikit-learn trained in a worker loads on the bot${WITHOUT_PYTHON}`,
  ignore: PYTHON === undefined,
  async fn() {
    await using seed = new Seed();
    await using storage = startStorage();
    seed.world.api.script = undefined;
    writeFiles(seed.trainer, {
      "train.py": `
import os
folder = os.environ["MODEL_SYNC_MODELS_DIR"] + "/BTC_USDC"
os.makedirs(folder, exist_ok=True)
os.chdir(folder)
${TRAIN}
print('{"symbols_requested": 1, "symbols_trained": 1}')
`,
      "configs/bot.yaml": `model_sync: {publisher: {train_command: ["${PYTHON}", "train.py"]}}\n`,
    });
    await using _worker = startWorker(seed);
    const input = { upload_url: storage.uploadUrl, download_url: storage.downloadUrl };
    await seed.json("--trigger-payload-json", JSON.stringify({ input }));
    const [here, there] = [seed.trainer, seed.bot].map((machine) =>
      useModels(join(machine, "models/BTC_USDC"))
    );
    assert.equal(there, here);
  },
});

Deno.test("runpod-pull starts no job for a folder that this machine trains into", async () => {
  await using seed = new Seed();
  writeFiles(seed.bot, { "models/rf.bin": "mine" });
  const archived = await runCli("train", ["--skip-training"], { cwd: seed.bot });
  assert.equal(archived.code, 0, archived.stderr);
  const preview = await seed.run("--dry-run");
  assert.match(
    preview.stdout,
    /models becomes a link to the active release: .*\n {2}this machine trains into it/,
  );
  const { code, stderr } = await seed.run();
  assert.equal(code, 5, stderr);
  assert.match(stderr, /this machine trains into that folder \(train of /);
  assert.equal(seed.starts, 0);
  await seed.world.offer(MODELS, 1);
  assert.equal((await seed.json("--adopt"))["outcome"], "activated");
});
