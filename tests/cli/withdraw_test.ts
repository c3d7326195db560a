import assert from "node:assert/strict";
import { join } from "node:path";
import { parseManifest } from "../../lib/release/manifest.ts";
import { startRecordingHost } from "../../fakes/recording_host.ts";
import { configuredPair } from "../helpers/machines.ts";
import { HubWorld } from "../helpers/hub_world.ts";
import { REPO } from "../helpers/hub_machines.ts";
import { runCli } from "../helpers/run_cli.ts";
import { readArchiveFile } from "../helpers/read_archive.ts";
import { run, runJson, world } from "../helpers/seed_world.ts";
import { readFiles, tempDir, writeFiles } from "../helpers/temp_dir.ts";
import { bareRepository, git } from "../helpers/test_git.ts";
import { makeProgram } from "../helpers/make_program.ts";

Deno.test("withdraw shows its plan, publishes it, and prints the JSON that scripts rely on; pulls, status, releases and doctor show it", async () => {
  using dir = tempDir();
  const { registry, trainer, bot } = world(dir);
  const publish = async (text: string) => {
    writeFiles(trainer, { "models/BTC_USDC/rf.bin": text });
    return String((await runJson(trainer, "publish", "--skip-training"))["release"]);
  };
  const good = await publish("good");
  await runJson(bot, "pull");
  const bad = await publish("bad");
  await runJson(bot, "pull");
  const tip = git(registry, "rev-parse", "main");
  const plan = await runJson(trainer, "withdraw", "2", "--dry-run");
  assert.deepEqual(plan["registries"], [{
    carrier: "git",
    target: "origin/main",
    outcome: "published",
    release: good,
    sequence: 3,
    replaced: bad,
    commit: null,
  }]);
  assert.equal(git(registry, "rev-parse", "main"), tip);
  assert.deepEqual((await runJson(trainer, "releases"))["releases"]?.constructor, Array);
  const { outcome, withdrawal, registries } = await runJson(
    trainer,
    "withdraw",
    bad,
    "--reason",
    "wrong labels",
  );
  assert.equal(outcome, "withdrawn");
  assert.partialDeepStrictEqual(withdrawal, { digest: bad, state: "withdrawn", reason: "wrong labels" });
  assert.partialDeepStrictEqual(registries, [{ release: good, sequence: 3, replaced: bad }]);
  assert.match(
    (await run(trainer, "withdraw", bad, "--dry-run")).stdout,
    /^would withdraw release [0-9a-f]{12}\n {2}origin\/main: nothing to publish, it says so already$/m,
  );
  for (
    const [args, code, says] of [
      [["ffff"], 5, /no published release has this name/],
      [["not-hex"], 2, /neither "active", nor a sequence number/],
      [[good, "--undo"], 2, /is not withdrawn/],
      [
        ["active", "--carrier", "huggingface"],
        2,
        /no registry of that kind is configured\n.*huggingface\.repo_id or --repo-id/,
      ],
      [[], 2, /RELEASE is missing/],
    ] as const
  ) {
    const result = await run(trainer, "withdraw", ...args);
    assert.equal(result.code, code, result.stderr);
    assert.match(result.stderr, says);
  }

  assert.match(
    (await run(bot, "pull", "--dry-run")).stdout,
    /would roll back from release .* \(wrong labels\), to/,
  );
  const pulled = await run(bot, "pull", "--json");
  assert.equal(pulled.code, 8, pulled.stderr);
  assert.partialDeepStrictEqual(JSON.parse(pulled.stderr), {
    code: "WITHDRAWN",
    outcome: "rolled-back",
    release: good,
    previous: bad,
  });
  assert.match(
    (await run(bot, "status")).stdout,
    /withdrawn by the publisher\n.* since .*\n {4}wrong labels/,
  );
  const listed = (await run(bot, "quarantine", "list")).stdout.trimEnd().split("\n");
  assert.deepEqual(listed.map((line) => line.includes("withdrawn by its publisher at")), [true]);
  assert.doesNotMatch((await run(bot, "status")).stdout, /^quarantine$/m);
  assert.match((await run(bot, "releases")).stdout, /withdrawn/);
  const lifted = await run(bot, "quarantine", "lift", bad);
  assert.equal(lifted.code, 5, lifted.stderr);
  assert.match(lifted.stderr, /its publisher withdrew it at \S+ \(wrong labels\)/);
  assert.match(
    lifted.stderr,
    /on the publisher: model-sync withdraw [0-9a-f]{12} --undo; to activate it here anyway: model-sync rollback --to [0-9a-f]{12} --force/,
  );
  const forced = await run(bot, "rollback", "--to", "2", "--force");
  assert.equal(forced.code, 0, forced.stderr);
  assert.match((await run(bot, "status")).stdout, /its publisher withdrew it at .*activated here by force/s);
  assert.match((await run(bot, "doctor")).stdout, /warn {2}withdrawal: .*\(wrong labels\)/);
  assert.match((await run(bot, "quarantine", "lift", good)).stderr, /^$/);
  await publish("three");
  await runJson(bot, "pull");
  // A rollback without a target would choose it again.
  assert.match((await run(bot, "status")).stdout, new RegExp(`^ {2}previous {2}${bad.slice(7, 19)}`, "m"));
});

Deno.test("the alerts of a withdrawal, of the rollback that it causes and of its end name the release, the reason and what is active now", async () => {
  using dir = tempDir();
  await using host = startRecordingHost();
  const { trainer, bot } = configuredPair(dir.path);
  for (const machine of [trainer, bot]) {
    const path = join(machine, "configs/bot.yaml");
    const { model_sync } = JSON.parse(Deno.readTextFileSync(path));
    const alerts = {
      chat: [{ type: "slack", url: host.origin }],
      on: ["rolled-back", "withdrawn", "reinstated"],
    };
    Deno.writeTextFileSync(path, JSON.stringify({ model_sync: { ...model_sync, alerts } }));
  }
  const digests: string[] = [];
  for (const content of ["good", "bad"]) {
    writeFiles(trainer, { "models/rf.bin": content });
    digests.push(String((await runJson(trainer, "publish"))["release"]));
    await runJson(bot, "pull");
  }
  const [good = "", bad = ""] = digests.map((digest) => digest.slice("sha256:".length).slice(0, 12));
  await runJson(trainer, "withdraw", "active", "--reason", "wrong labels");
  assert.equal((await run(bot, "pull")).code, 8);
  await runJson(trainer, "withdraw", bad, "--undo");
  const texts = host.requests.map(({ body }) =>
    String(JSON.parse(body).text)
      .replaceAll(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ/g, "TIME")
      .replaceAll(Deno.hostname(), "HOST")
      .split("\n")
      .filter((line) => !/^(?:Models|Took|Run|Started|Host|Files): /.test(line))
  );
  assert.deepEqual(texts, [
    [
      "*Release withdrawn by HOST*",
      "Command: withdraw (git)",
      "Outcome: withdrawn",
      `Newest release: ${good}, sequence 3`,
      `Before: ${bad}`,
      `Withdrawn: ${bad} at TIME: wrong labels`,
    ],
    [
      "*Models rolled back on HOST (pull): WITHDRAWN*",
      "Command: pull",
      "Outcome: rolled-back",
      `Reason: Cannot keep release ${bad} active: it was withdrawn at TIME (wrong labels); release ${good} is active again (WITHDRAWN)`,
      `Active release: ${good}, sequence 3`,
      `Rolled back from: ${bad}`,
      `Withdrawn: ${bad} at TIME: wrong labels`,
    ],
    [
      "*Release no longer withdrawn by HOST*",
      "Command: withdraw (git)",
      "Outcome: reinstated",
      `Newest release: ${good}, sequence 4`,
      `No longer withdrawn: ${bad} at TIME`,
    ],
  ]);
  assert.match((await run(trainer, "status")).stdout, new RegExp(`withdraw +withdrawn +${bad} `));
});

Deno.test("without a registry, the archives of train carry a withdrawal, and the withdrawn models are not archived again", async () => {
  using dir = tempDir();
  writeFiles(dir.path, { "models/rf.bin": "bad" });
  const trainer = dir.path;
  const archive = async () =>
    await runJson(trainer, "train", "--skip-training", "--archive-path", "out/models.zip");
  const { release } = await archive();
  const plan = await run(trainer, "withdraw", "active", "--dry-run");
  assert.match(plan.stdout, /^would withdraw release \w+\n {2}nothing is published: .* train carries it\n$/);
  const text = await run(trainer, "withdraw", "active");
  assert.match(
    text.stdout,
    /withdrew release \w+\n {2}noted here; nothing was published yet: the next archive of train carries it\n$/,
  );
  const refused = await run(trainer, "train", "--skip-training", "--archive-path", "out/models.zip");
  assert.equal(refused.code, 5, refused.stderr);
  writeFiles(trainer, { "models/rf.bin": "good" });
  await archive();
  const files = await readArchiveFile(join(trainer, "out/models.zip"));
  const manifest = await parseManifest(new TextDecoder().decode(files.get("model-sync.json")), "the archive");
  assert.deepEqual(manifest.withdrawals?.map(({ digest, state }) => [digest, state]), [[
    release,
    "withdrawn",
  ]]);
  assert.equal((await runJson(trainer, "withdraw", String(release), "--undo"))["outcome"], "reinstated");
  assert.equal((await runJson(trainer, "withdraw", String(release), "--undo"))["outcome"], "unchanged");
  assert.deepEqual(readFiles(join(trainer, "models")), { "rf.bin": "good" });
});

Deno.test("without a configuration, withdraw creates nothing and suggests init, as a pull does; a configuration of a trainer is enough", async () => {
  using dir = tempDir();
  const folder = join(dir.path, "empty");
  Deno.mkdirSync(folder);
  const digest = "a".repeat(64);
  const { stderr: pullError } = await run(folder, "pull");
  for (const args of [["1"], [digest], [digest, "--dry-run"], [digest, "--carrier", "archives"]]) {
    const { code, stdout, stderr } = await run(folder, "withdraw", ...args);
    assert.deepEqual([code, stdout], [2, ""], stderr);
    assert.match(stderr, /^next: .*run model-sync init/m);
    assert.equal(stderr, pullError);
  }
  const ofHub = await run(folder, "withdraw", "1", "--carrier", "huggingface");
  assert.deepEqual([ofHub.code, /next: .*huggingface\.repo_id or --repo-id/.test(ofHub.stderr)], [2, true]);
  assert.deepEqual([...Deno.readDirSync(folder)], []);
  writeFiles(folder, { "configs/bot.yaml": "model_sync: {publisher: {train_command: [make]}}\n" });
  assert.match((await run(folder, "withdraw", digest)).stdout, /noted here; nothing was published yet/);
  assert.match(
    (await run(folder, "withdraw", digest)).stdout,
    /^✓ unchanged: .*\n {2}archives of train carry it\n$/,
  );
});

Deno.test("with a git registry and a hub, withdraw reads both before it changes one, changes both, and says which one still needs the change", async () => {
  await using hub = new HubWorld();
  const registry = bareRepository(join(hub.path, "registry.git"));
  const trainer = join(hub.path, "trainer");
  const settings = {
    repo_url: registry,
    publisher: { train_before_push: false },
    huggingface: { repo_id: REPO },
  };
  writeFiles(trainer, { "configs/bot.yaml": JSON.stringify({ model_sync: settings }) });
  const publish = async (content: string) => {
    writeFiles(trainer, { "models/model.bin": content });
    await runJson(trainer, "hf-upload");
    return String((await runJson(trainer, "publish"))["release"]);
  };
  const listsOf = async () => {
    const texts = [git(registry, "show", "main:model-sync.json"), hub.server.files(REPO)["model-sync.json"]];
    const manifests = await Promise.all(texts.map((text = "") => parseManifest(text, "a registry")));
    return manifests.map(({ withdrawals = [] }) => withdrawals.map(({ digest }) => digest));
  };
  const releases = [
    await publish("one"),
    await publish("two"),
    await publish("three"),
    await publish("four"),
  ];
  const [, two = "", three = "", four = ""] = releases;

  // What is wrong with one registry keeps the other from being changed.
  const denied = await runCli("withdraw", ["active"], { cwd: trainer, env: { HF_TOKEN: "hf_wrong" } });
  assert.equal(denied.code, 3, denied.stderr);
  assert.match(
    denied.stderr,
    /no registry is changed; to change only the other one, run withdraw with --carrier git/,
  );
  assert.deepEqual(await listsOf(), [[], []]);

  const both = await run(trainer, "withdraw", "active", "--reason", "wrong labels");
  assert.match(
    both.stdout,
    /withdrew release .*\n {2}published to origin\/main as .*, sequence 5; .*\n {2}published to you\/models main as .*, sequence 5; /,
  );
  assert.deepEqual(await listsOf(), [[four], [four]]);
  // A repeated command must not withdraw the release that took its place.
  const again = await run(trainer, "withdraw", "active");
  assert.equal(again.code, 2, again.stderr);
  assert.match(
    again.stderr,
    /took the place of [0-9a-f]{12}, which was withdrawn at \S+\nnext: +to withdraw [0-9a-f]{12}, too: model-sync withdraw/,
  );

  // One registry refuses the change: the other one has it, and the next command completes it.
  hub.server.fail(/\/commit\//, { kind: "answer", make: () => new Response("no", { status: 403 }) });
  const half = await run(trainer, "withdraw", three);
  assert.equal(half.code, 3, half.stderr);
  assert.match(
    half.stderr,
    /origin\/main has the change; the other registry gets it with model-sync withdraw ([0-9a-f]{12}), or/,
  );
  assert.deepEqual(await listsOf(), [[four, three], [four]]);
  const rest = await runJson(trainer, "withdraw", three);
  assert.partialDeepStrictEqual(rest, {
    outcome: "withdrawn",
    registries: [{ carrier: "git", outcome: "unchanged" }, { carrier: "huggingface", outcome: "published" }],
  });
  writeFiles(registry, { "hooks/pre-receive": "#!/bin/sh\necho closed >&2; exit 1\n" });
  makeProgram(join(registry, "hooks/pre-receive"));
  const other = await run(trainer, "withdraw", three, "--undo");
  assert.equal(other.code, 1, other.stderr);
  assert.match(
    other.stderr,
    /you\/models main has the change; .* model-sync withdraw [0-9a-f]{12} --undo, or/,
  );
  Deno.removeSync(join(registry, "hooks/pre-receive"));

  // One of them only: the next publish carries it to the other one.
  assert.equal((await runJson(trainer, "withdraw", two, "--carrier", "huggingface"))["outcome"], "withdrawn");
  // Within one second, the undone withdrawal gets a later time than the next one, so their order varies.
  const [inGit, onHub] = await listsOf();
  assert.deepEqual([inGit, onHub?.toSorted()], [[four, three], [four, three, two].toSorted()]);
  await publish("five");
  assert.deepEqual((await listsOf())[0]?.toSorted(), [four, three, two].toSorted());
});
