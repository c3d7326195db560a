import assert from "node:assert/strict";
import { join } from "node:path";
import { REPO } from "../helpers/hub_machines.ts";
import { hasOpenssl, makeCertificates } from "../helpers/certificates.ts";
import { runCli, spawnCli } from "../helpers/run_cli.ts";
import { HubWorld, MODELS } from "../helpers/hub_world.ts";
import { classifier, FLOAT, input, model, node, output } from "../helpers/onnx_bytes.ts";
import { listing, readFiles, writeFiles } from "../helpers/temp_dir.ts";
import { bareRepository } from "../helpers/test_git.ts";

Deno.test("hf-upload and hf-pull move models over a hub under their own permission sets", async () => {
  await using world = new HubWorld();
  const spawn = (machine: string, command: string, ...args: string[]) =>
    spawnCli(command, args, { cwd: join(world.path, machine), entry: "script" });
  const uploaded = await spawn("trainer", "hf-upload", "--private");
  assert.equal(uploaded.code, 0, uploaded.stderr);
  assert.match(
    uploaded.stdout,
    /published release [0-9a-f]{12} \(sequence 1\)[^]*3 changed, to you\/models main as/,
  );
  assert.equal(world.server.repos.get(REPO)?.isPrivate, true);
  const pulled = await spawn("bot", "hf-pull");
  assert.equal(pulled.code, 0, pulled.stderr);
  assert.match(pulled.stdout, /activated release/);
  assert.deepEqual(readFiles(join(world.path, "bot/models")), MODELS);
  assert.match((await world.run("trainer", "hf-upload")).stdout, /unchanged: you\/models main holds release/);
  assert.doesNotMatch(uploaded.stderr + uploaded.stdout + pulled.stderr + pulled.stdout, /hf_test/);
});

Deno.test("withdraw publishes to the configured repository on a hub, and hf-pull rolls back", async () => {
  await using world = new HubWorld();
  const first = await world.json("trainer", "hf-upload");
  await world.json("bot", "hf-pull");
  Deno.writeTextFileSync(join(world.path, "trainer/models/model.bin"), "two");
  const second = await world.json("trainer", "hf-upload");
  await world.json("bot", "hf-pull");
  const { registries } = await world.json("trainer", "withdraw", "2");
  assert.partialDeepStrictEqual(registries, [{
    carrier: "huggingface",
    target: "you/models main",
    outcome: "published",
    release: first["release"],
    sequence: 3,
    replaced: second["release"],
    commit: world.server.head(REPO).id,
  }]);
  const { code, stderr } = await world.run("bot", "hf-pull");
  assert.equal(code, 8, stderr);
  assert.match(stderr, /release [0-9a-f]{12} is active again/);
});

Deno.test("hf-upload and hf-pull print the JSON that scripts rely on", async () => {
  await using world = new HubWorld();
  const uploaded = await world.json("trainer", "hf-upload", "--commit-message", "first");
  assert.deepEqual(Object.keys(uploaded), [
    "outcome",
    "release",
    "previous",
    "sequence",
    "files",
    "bytes",
    "changed",
    "durationMs",
    "carrier",
    "repoId",
    "branch",
    "commit",
    "pullRequestUrl",
    "runId",
    "warnings",
  ]);
  assert.deepEqual([uploaded["commit"], uploaded["branch"], uploaded["carrier"]], [
    world.server.head(REPO).id,
    "main",
    "huggingface",
  ]);
  assert.equal(world.server.head(REPO).message, "first");
  const pulled = await world.json("bot", "hf-pull", "--limit-rate", "10M");
  assert.deepEqual([pulled["release"], pulled["revision"], pulled["carrier"]], [
    uploaded["release"],
    uploaded["commit"],
    "huggingface",
  ]);
});

Deno.test("options replace the settings of the configuration", async () => {
  await using world = new HubWorld();
  const flags = [
    "--repo-id",
    "you/others",
    "--revision",
    "next",
    "--include",
    "*.bin",
    "--exclude",
    "scaler*",
  ];
  await world.json("trainer", "hf-upload", ...flags);
  assert.deepEqual(Object.keys(world.server.files("you/others", "next")), [
    "model-sync.json",
    "model.bin",
  ]);
  await world.json("trainer", "hf-upload", "--exclude", "scaler*");
  await world.json("trainer", "hf-upload", "--include", "model.bin", "--delete-removed", "--allow-shrink");
  assert.ok("selected_features.json" in world.server.files(REPO));
  Deno.removeSync(join(world.path, "trainer/models/selected_features.json"));
  await world.json("trainer", "hf-upload", "--exclude", "scaler*", "--delete-removed", "--allow-shrink");
  assert.deepEqual(Object.keys(world.server.files(REPO)), ["model-sync.json", "model.bin"]);
});

Deno.test("dry runs show what would change, and change nothing on either side", async () => {
  await using world = new HubWorld();
  const first = await world.json("trainer", "hf-upload", "--dry-run");
  assert.deepEqual([first["outcome"], first["missing"], world.server.repos.size], [
    "published",
    "repository",
    0,
  ]);
  await world.json("trainer", "hf-upload");
  await world.json("bot", "hf-pull");
  writeFiles(join(world.path, "trainer/models"), { "model.bin": "newer" });
  const before = [listing(join(world.path, "trainer")), world.server.head(REPO).id];
  const text = await world.run("trainer", "hf-upload", "--dry-run");
  assert.match(
    text.stdout,
    /would publish release [0-9a-f]{12} \(sequence 2\) to you\/models main, 1 file changed:\n {2}~ model\.bin/,
  );
  assert.deepEqual([listing(join(world.path, "trainer")), world.server.head(REPO).id], before);
  await world.json("trainer", "hf-upload");
  assert.match(
    (await world.run("trainer", "hf-upload", "--dry-run")).stdout,
    /^nothing to upload: you\/models main holds these models already$/m,
  );
  const bot = listing(join(world.path, "bot"));
  const plan = await world.json("bot", "hf-pull", "--dry-run");
  assert.deepEqual([plan["outcome"], plan["sequence"], plan["changes"]], [
    "activated",
    2,
    { added: [], modified: ["model.bin"], removed: [] },
  ]);
  assert.deepEqual(listing(join(world.path, "bot")), bot);
});

Deno.test("--offline-ok keeps the last good release while the hub is unreachable, and says so", async () => {
  await using world = new HubWorld();
  await world.json("trainer", "hf-upload");
  const { release, revision } = await world.json("bot", "hf-pull");
  writeFiles(join(world.path, "bot"), { ".env": "HF_ENDPOINT=http://127.0.0.1:2\n" });
  const offline = await world.json("bot", "hf-pull", "--offline-ok");
  assert.deepEqual([offline["outcome"], offline["release"], offline["revision"]], [
    "unchanged",
    release,
    revision,
  ]);
  assert.match(String(offline["unreached"]), /did not answer/);
  const text = await world.run("bot", "hf-pull", "--offline-ok");
  assert.match(text.stderr, /keeping the active release/);
  assert.match(text.stdout, /could not check for a newer release/);
});

Deno.test("--offline-ok on a fresh disk makes the models of the image the active release", async (test) => {
  for (const mode of ["symlink", "mirror"]) {
    await test.step(mode, async () => {
      await using world = new HubWorld();
      const bot = join(world.path, "bot");
      const baked = { "model.bin": "in the image" };
      const offline = ["hf-pull", "--offline-ok"] as const;
      writeFiles(bot, {
        "configs/bot.yaml": `model_sync: {huggingface: {repo_id: ${REPO}}, activation: {mode: ${mode}}}\n`,
        ".env": "HF_HUB_OFFLINE=1\n",
      });
      const without = await world.run("bot", ...offline);
      assert.equal(without.code, 4);
      writeFiles(join(bot, "models"), baked);
      const first = await world.run("bot", ...offline);
      assert.equal(first.code, 0, first.stderr);
      assert.match(first.stderr, /the models that are already in .*models become the active release/);
      assert.match(first.stdout, /activated release [0-9a-f]{12}/);
      const again = await world.json("bot", ...offline);
      const status = await world.json("bot", "status");
      assert.deepEqual([again["outcome"], again["sequence"], again["changed"]], ["unchanged", 0, 0]);
      assert.deepEqual(Object(status["current"]).digest, again["release"]);
      assert.deepEqual(readFiles(join(bot, "models")), baked);
      const [period] = Object(await world.json("bot", "history")).periods;
      assert.deepEqual(
        [period.release, period.by?.command, period.by?.outcome, period.by?.carrier, typeof period.from],
        [again["release"], "hf-pull", "activated", "local", "string"],
      );
      await world.json("bot", "verify", "--deep");
      // The hub is back.
      await world.json("trainer", "hf-upload");
      writeFiles(bot, { ".env": `HF_ENDPOINT=${world.server.endpoint}\n` });
      const pulled = await world.json("bot", ...offline);
      assert.deepEqual([pulled["outcome"], pulled["previous"]], ["activated", again["release"]]);
      assert.deepEqual(readFiles(join(bot, "models")), MODELS);
      await world.json("bot", "rollback");
      assert.deepEqual(readFiles(join(bot, "models")), baked);
    });
  }
});

Deno.test("--offline-ok makes no release of an image's models where signatures are required", async () => {
  await using world = new HubWorld();
  const bot = join(world.path, "bot");
  const key = await world.run(
    "bot",
    "keys",
    "generate",
    "--private-key",
    "k.pem",
    "--public-key",
    "k.pub.pem",
  );
  assert.equal(key.code, 0, key.stderr);
  writeFiles(bot, {
    "models/model.bin": "in the image",
    "configs/bot.yaml":
      `model_sync: {huggingface: {repo_id: ${REPO}}, signing: {required: true, public_keys: [k.pub.pem]}}\n`,
    ".env": "HF_HUB_OFFLINE=1\n",
  });
  const { code, stderr } = await world.run("bot", "hf-pull", "--offline-ok");
  assert.equal(code, 4);
  assert.match(stderr, /have no signature, and signing.required is set/);
  assert.equal((await world.json("bot", "status"))["current"], null);
});

Deno.test("each hint for a damaged release names the command that the configuration pulls with", async () => {
  await using world = new HubWorld();
  await world.json("trainer", "hf-upload");
  await world.json("bot", "hf-pull");
  const root = join(world.path, "bot/.model-sync");
  const shown = async (command: string, ...args: string[]) => {
    const { stdout, stderr } = await world.run("bot", command, ...args);
    const text = stdout + stderr;
    assert.ok(!text.includes("model-sync pull"), `${command}: ${text}`);
    return text;
  };
  const model = Deno.realPathSync(join(world.path, "bot/models/model.bin"));
  Deno.removeSync(model);
  assert.match(await shown("verify"), /repair it with: model-sync hf-pull {3}or roll back/);
  assert.match(await shown("verify", "--deep"), /repair it with: model-sync hf-pull --force, which/);
  assert.match(await shown("status"), /run model-sync hf-pull/);
  const [manifest] = [...Deno.readDirSync(join(root, "releases"))].filter(({ name }) =>
    name.endsWith(".json")
  );
  assert.ok(manifest !== undefined);
  Deno.writeTextFileSync(join(root, "releases", manifest.name), "damaged");
  for (const command of ["verify", "status", "doctor"]) {
    assert.match(await shown(command), /pull it again with --force: model-sync hf-pull/, command);
  }
  Deno.removeSync(join(root, "current"));
  Deno.writeTextFileSync(join(root, "current"), "damaged");
  for (const command of ["verify", "status", "doctor"]) {
    assert.match(await shown(command), /rollback may restore it, and so may model-sync hf-pull;/, command);
  }
});

Deno.test("--hf-cache shares the files with Hugging Face's own libraries", async () => {
  await using world = new HubWorld();
  await world.json("trainer", "hf-upload");
  const home = join(world.path, "hf");
  writeFiles(join(world.path, "bot"), {
    ".env": `HF_ENDPOINT=${world.server.endpoint}\nHF_HOME=${home}\n`,
  });
  await world.json("bot", "hf-pull", "--hf-cache");
  const snapshot = join(home, "hub/models--you--models/snapshots", world.server.head(REPO).id);
  assert.deepEqual(readFiles(snapshot), MODELS);
});

Deno.test("both commands need what their permission sets hold, and no more", async () => {
  await using world = new HubWorld();
  const needed = ["read", "write", "net", "env", "sys"];
  for (const [machine, command] of [["trainer", "hf-upload"], ["bot", "hf-pull"]] as const) {
    for (const missing of needed) {
      const permissions = needed.filter((name) => name !== missing).map((name) => `--allow-${name}`);
      const less = await spawnCli(command, [], {
        cwd: join(world.path, machine),
        entry: "script",
        permissions,
      });
      assert.notEqual(less.code, 0, `${command} works without ${missing}`);
      assert.match(
        less.stderr + less.stdout,
        /Requires \w+ access|NotCapable/,
        `${command} without ${missing}`,
      );
    }
    const whole = await spawnCli(command, [], { cwd: join(world.path, machine), entry: "script" });
    assert.equal(whole.code, 0, command);
  }
});

Deno.test("a missing setting, folder or token is an error with its next step and exit code", async () => {
  await using world = new HubWorld();
  writeFiles(join(world.path, "bot"), { "configs/bot.yaml": "model_sync: {}\n" });
  const unset = await world.run("bot", "hf-pull");
  assert.deepEqual([unset.code, /set --repo-id/.test(unset.stderr)], [2, true]);
  writeFiles(join(world.path, "trainer"), { ".env": `HF_ENDPOINT=${world.server.endpoint}\n` });
  const tokenless = await world.run("trainer", "hf-upload");
  assert.deepEqual([tokenless.code, /set HF_TOKEN/.test(tokenless.stderr)], [3, true]);
  for (const bad of ["../x", "you/..", "you"]) {
    assert.equal((await world.run("bot", "hf-pull", "--repo-id", bad)).code, 2, bad);
  }
  writeFiles(join(world.path, "trainer"), { ".env": `HF_ENDPOINT=ftp://hub\nHF_TOKEN=hf_test\n` });
  assert.match(
    (await world.run("trainer", "hf-upload")).stderr,
    /HF_ENDPOINT: "ftp:\/\/hub" is not an http address/,
  );
});

Deno.test("hf-upload refuses the name of a file before it sends a request, with --dry-run, too", async () => {
  await using world = new HubWorld();
  const cases = [
    [2, "model-sync.json", /it holds a model-sync\.json, which belongs at the repository's root/],
    [5, ".netrc", /\.netrc: it looks like a credentials file/],
  ] as const;
  for (const [code, name, message] of cases) {
    const models = join(world.path, "trainer/models");
    Deno.removeSync(models, { recursive: true });
    writeFiles(models, { ...MODELS, [name]: "1" });
    for (const args of [[], ["--dry-run"]]) {
      const refused = await world.run("trainer", "hf-upload", ...args);
      assert.equal(refused.code, code, refused.stderr);
      assert.match(refused.stderr, message);
    }
  }
  assert.deepEqual(world.server.requests, []);
});

Deno.test("hf-upload and hf-pull use the token of hf auth login under their own permission sets", async () => {
  await using world = new HubWorld();
  const home = join(world.path, "hf-home");
  writeFiles(home, { token: `${world.server.token}\n` });
  const env = { HF_HOME: home, HF_HUB_DISABLE_IMPLICIT_TOKEN: "" };
  for (const [machine, command] of [["trainer", "hf-upload"], ["bot", "hf-pull"]] as const) {
    const cwd = join(world.path, machine);
    writeFiles(cwd, { ".env": `HF_ENDPOINT=${world.server.endpoint}\n` });
    const { code, stdout, stderr } = await spawnCli(command, ["--verbose"], { cwd, env, entry: "script" });
    assert.equal(code, 0, stderr);
    assert.ok(!`${stdout}${stderr}`.includes(world.server.token));
  }
  for (const { server, headers } of world.server.requests) {
    assert.equal(headers.get("authorization"), server === "hub" ? `Bearer ${world.server.token}` : null);
  }
  writeFiles(home, { token: "hf_revoked" });
  const refused = await runCli("hf-upload", [], { cwd: join(world.path, "trainer"), env });
  assert.equal(refused.code, 3);
  assert.ok(refused.stderr.includes(`rejects the token in ${join(home, "token")}`), refused.stderr);
});

Deno.test("with HF_HUB_OFFLINE hf-pull and hf-upload send no request: the active release stays", async () => {
  await using world = new HubWorld();
  const env = { HF_HUB_OFFLINE: "1" };
  const offline = (machine: string, command: string, ...args: string[]) =>
    runCli(command, args, { cwd: join(world.path, machine), env });
  await world.json("trainer", "hf-upload");
  const before = world.server.requests.length;
  const first = await offline("bot", "hf-pull");
  assert.equal(first.code, 4);
  assert.match(
    first.stderr,
    /Cannot request you\/models from 127\.0\.0\.1:\d+: HF_HUB_OFFLINE is set\nnext: *unset/,
  );
  writeFiles(join(world.path, "trainer/models"), { "model.bin": "newer" });
  const upload = await offline("trainer", "hf-upload");
  assert.deepEqual([upload.code, /HF_HUB_OFFLINE is set/.test(upload.stderr)], [4, true]);
  assert.equal(world.server.requests.length, before);
  await world.json("bot", "hf-pull");
  const asked = world.server.requests.length;
  const later = await offline("bot", "hf-pull", "--json");
  assert.equal(later.code, 0, later.stderr);
  const { outcome, unreached } = JSON.parse(later.stdout);
  assert.deepEqual([outcome, /HF_HUB_OFFLINE is set/.test(unreached)], ["unchanged", true]);
  const { stderr } = await offline("bot", "hf-pull");
  assert.match(
    stderr,
    /info {2}working offline, because HF_HUB_OFFLINE is set: 127\.0\.0\.1:\d+ is not asked/,
  );
  assert.doesNotMatch(stderr, /asking/);
  assert.equal(world.server.requests.length, asked);
});

Deno.test("offline, the active release stands in for its own repository and no other", async () => {
  await using world = new HubWorld();
  await world.json("trainer", "hf-upload");
  await world.json("bot", "hf-pull");
  const offline = (...args: string[]) =>
    runCli("hf-pull", args, { cwd: join(world.path, "bot"), env: { HF_HUB_OFFLINE: "1" } });
  for (const other of [["--repo-id", "you/others"], ["--revision", "v2"]]) {
    const { code, stderr } = await offline(...other);
    assert.equal(code, 4, stderr);
    assert.match(stderr, /the active release was not pulled from there; release [0-9a-f]{12} is active/);
  }
  assert.equal((await offline("--hf-cache")).code, 0);
  await world.json("trainer", "hf-upload", "--repo-id", "you/others");
  writeFiles(join(world.path, "trainer/models"), { "model.bin": "other" });
  await world.json("trainer", "hf-upload", "--repo-id", "you/others");
  await world.json("bot", "hf-pull", "--repo-id", "you/others");
  assert.equal((await offline("--repo-id", "you/others")).code, 0);
  assert.equal((await offline()).code, 4, "the active release is that of the other repository");
});

const OPENSSL = { ignore: !hasOpenssl() };

Deno.test(
  "a hub behind a company's certificate authority is reached by SSL_CERT_FILE, and by DENO_CERT in .env",
  OPENSSL,
  async () => {
    await using world = new HubWorld();
    makeCertificates(world.path);
    const file = (name: string) => Deno.readTextFileSync(join(world.path, name));
    await using hub = startTlsProxy(world.server.endpoint, file("server.pem"), file("server.key"));
    await world.json("trainer", "hf-upload");
    const cwd = join(world.path, "bot");
    const variables = `HF_ENDPOINT=${hub.endpoint}\nHF_TOKEN=${world.server.token}\n`;
    const none = {
      SSL_CERT_FILE: "",
      REQUESTS_CA_BUNDLE: "",
      CURL_CA_BUNDLE: "",
      // The machine's own may be set, and then an empty SSL_CERT_FILE is no file of the runtime's.
      DENO_TLS_CA_STORE: "mozilla",
    };
    const ca = join(world.path, "ca.pem");
    writeFiles(cwd, { ".env": `${variables}DENO_CERT=\n` });
    const refused = await spawnCli("hf-pull", [], { cwd, env: none, entry: "script" });
    assert.equal(refused.code, 4, refused.stderr);
    assert.match(refused.stderr, /the certificate of localhost:\d+ is not trusted .*DENO_CERT/s);
    assert.doesNotMatch(refused.stderr, /trying again/);
    const pulled = await spawnCli("hf-pull", [], {
      cwd,
      env: { ...none, SSL_CERT_FILE: ca },
      entry: "script",
    });
    assert.equal(pulled.code, 0, pulled.stderr);
    assert.deepEqual(readFiles(join(cwd, "models")), MODELS);
    writeFiles(cwd, { ".env": `${variables}DENO_CERT=${ca}\n` });
    const again = await spawnCli("hf-pull", [], { cwd, env: none, entry: "script" });
    assert.equal(again.code, 0, again.stderr);
    // The runtime reads it, too, and connects to nothing without it.
    const wrong = await spawnCli("hf-pull", [], {
      cwd,
      env: { ...none, SSL_CERT_FILE: ca, DENO_CERT: join(cwd, "no.pem") },
      entry: "script",
    });
    assert.equal(wrong.code, 2, wrong.stderr);
    assert.match(wrong.stderr, /error: Cannot use DENO_CERT: ".*no\.pem" cannot be read/);
    assert.doesNotMatch(wrong.stderr, /SSL_CERT_FILE|damaged/);
    const unreadable = { ...none, SSL_CERT_FILE: join(cwd, "no.pem"), SSL_CERT_DIR: "" };
    const store = await spawnCli("hf-pull", [], {
      cwd,
      env: { ...unreadable, DENO_TLS_CA_STORE: "system" },
      entry: "script",
    });
    assert.equal(store.code, 2, store.stderr);
    assert.match(store.stderr, /error: Cannot use DENO_TLS_CA_STORE="system": Failed to load platform cert/);
  },
);

/** The hub behind TLS. It fetches from the storage itself: no redirect may lead from https to http. */
function startTlsProxy(endpoint: string, cert: string, key: string) {
  const options = { hostname: "127.0.0.1", port: 0, onListen: () => {}, cert, key };
  const server = Deno.serve(options, async (request) => {
    const { pathname, search } = new URL(request.url);
    const headers = new Headers(request.headers);
    headers.delete("host");
    return await fetch(`${endpoint}${pathname}${search}`, { headers });
  });
  return {
    endpoint: `https://localhost:${server.addr.port}`,
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

Deno.test("--offline-ok does not hide that a repository does not exist", async () => {
  await using world = new HubWorld();
  await world.json("trainer", "hf-upload");
  await world.json("bot", "hf-pull");
  const { code, stderr } = await world.run("bot", "hf-pull", "--offline-ok", "--repo-id", "you/mistyped");
  assert.equal(code, 4);
  assert.match(stderr, /you\/mistyped/);
});

Deno.test("hf-pull says that a release with a manifest is pulled whole, despite --include and --exclude", async () => {
  await using world = new HubWorld();
  await world.json("trainer", "hf-upload");
  const { code, stderr } = await world.run("bot", "hf-pull", "--include", "*.json");
  assert.equal(code, 0, stderr);
  assert.match(stderr, /model\.bin is pulled in spite of include and exclude/);
});

Deno.test("a publisher refuses what every pull would refuse, before it uploads, and says how to publish it anyway", async () => {
  await using world = new HubWorld();
  const trainer = join(world.path, "trainer");
  writeFiles(join(trainer, "models"), { "scaler.pkl": "cmy_bot.features\nScaler\n." });
  for (const args of [[], ["--dry-run"]]) {
    const { code, stderr } = await world.run("trainer", "hf-upload", ...args);
    assert.equal(code, 5, stderr);
    assert.match(stderr, /Cannot publish scaler\.pkl: its pickle imports my_bot\.features\.Scaler/);
    assert.match(stderr, /add it under activation\.validate\.pickle: allow: \[my_bot\.features\.Scaler\]/);
    assert.match(stderr, /set activation\.validate\.enabled: false here/);
    assert.doesNotMatch(stderr, /the active release/);
    assert.equal(world.server.repos.size, 0, "nothing is created");
  }
  const checked = Deno.readTextFileSync(join(trainer, "configs/bot.yaml"));
  const config = `huggingface: {repo_id: ${REPO}}, activation: {validate: {enabled: false}}`;
  const unchecked = `model_sync: {${config}}\n`;
  writeFiles(trainer, { "configs/bot.yaml": unchecked });
  await world.json("trainer", "hf-upload");
  assert.equal((await world.run("bot", "hf-pull")).code, 5);
  // Models that are published already are not checked again.
  const registry = ["--repo-url", bareRepository(join(world.path, "registry.git"))];
  for (const [command, ...options] of [["hf-upload"], ["publish", "--skip-training", ...registry]] as const) {
    for (const [settings, args] of [[unchecked, []], [checked, ["--dry-run"]], [checked, []]] as const) {
      writeFiles(trainer, { "configs/bot.yaml": settings });
      const { code, stderr } = await world.run("trainer", command, ...options, ...args);
      assert.equal(code, 0, stderr);
    }
  }
});

Deno.test("hf-upload tries ONNX models under its permission set, like a pull", async () => {
  await using world = new HubWorld();
  const cwd = join(world.path, "trainer");
  const unknown = [node("Unknown", ["x"], ["y"]), input("x", FLOAT, [1]), output("y", FLOAT, [1])];
  Deno.writeFileSync(join(cwd, "models/price.onnx"), model(...unknown));
  const { code, stderr } = await spawnCli("hf-upload", [], { cwd, entry: "script" });
  assert.equal(code, 5, stderr);
  assert.match(stderr, /Cannot publish price\.onnx: ONNX Runtime .*Unknown/);
});

Deno.test("a publisher loads a model again only if it changed, or was published without the checks", async () => {
  await using world = new HubWorld();
  const trainer = join(world.path, "trainer");
  const models = join(trainer, "models");
  const tried = async () => {
    writeFiles(models, { "notes.txt": crypto.randomUUID() });
    const { code, stderr } = await world.run("trainer", "hf-upload", "--verbose");
    assert.equal(code, 0, stderr);
    return [...stderr.matchAll(/(\w+)\.onnx loads in ONNX Runtime/g)].map(([, name]) => name).sort();
  };
  const unchecked = `huggingface: {repo_id: ${REPO}}, activation: {validate: {enabled: false}}`;
  writeFiles(models, { "a.onnx": classifier([[1, 2], [3, 4]]), "b.onnx": classifier([[1, 2], [3, 4]]) });
  const config = Deno.readTextFileSync(join(trainer, "configs/bot.yaml"));
  writeFiles(trainer, { "configs/bot.yaml": `model_sync: {${unchecked}}\n` });
  assert.deepEqual(await tried(), []);
  writeFiles(trainer, { "configs/bot.yaml": config });
  assert.deepEqual(await tried(), ["a", "b"]);
  assert.deepEqual(await tried(), []);
  writeFiles(models, { "b.onnx": classifier([[5, 6], [7, 8]]) });
  assert.deepEqual(await tried(), ["b"]);
});
