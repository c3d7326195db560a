import assert from "node:assert/strict";
import { suggestion } from "../../lib/config/complaints.ts";
import { configKeys, jsonSchema } from "../../lib/config/keys.ts";
import { ConfigError } from "../../lib/config/config_error.ts";
import { readEnvironment } from "../../lib/config/environment.ts";
import { type FlagValue, loadConfig, type LoadedConfig } from "../../lib/config/load.ts";
import { parseSettings } from "../../lib/config/parse_settings.ts";
import { renderDefaults } from "../../lib/config/render_defaults.ts";
import { ModelSync } from "../../lib/config/schema.ts";
import { renderStarter } from "../../lib/config/starter.ts";
import { PROJECT } from "../helpers/run_cli.ts";
import { fixedEnvironment } from "../helpers/test_context.ts";

async function load(
  text: string | undefined,
  env: Readonly<Record<string, string>> = {},
  flags: readonly FlagValue[] = [],
): Promise<LoadedConfig> {
  return await loadConfig({
    file: "bot.yaml",
    isFileRequired: false,
    flags,
    env: fixedEnvironment(env),
    readText: () => text,
  });
}

async function complaintsOf(
  text: string,
  env: Readonly<Record<string, string>> = {},
): Promise<readonly string[]> {
  try {
    await load(text, env);
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error));
    assert.equal(error.exitCode, 2);
    assert.ok(!error.message.includes("\n"));
    return error.complaints;
  }
  assert.fail("no complaint");
}

Deno.test("loadConfig() accepts seed 0's file unchanged and ignores the bot's own sections", async () => {
  const { settings } = await load(`
bot:
  exchange: !!python/object:bot.Exchange {name: x}
  branch: [not, ours]
model_sync:
  repo_dir: "/abs/path/to/model-registry-repo"
  remote: "origin"
  branch: "main"
  repo_models_subdir: "models"
  publisher:
    schedule: "00:00"
    train_before_push: true
  client:
    schedule: "06:00"
`);
  assert.equal(settings.repo_dir, "/abs/path/to/model-registry-repo");
  assert.deepEqual(settings, ModelSync.parse({ repo_dir: "/abs/path/to/model-registry-repo" }));
});

Deno.test("loadConfig() accepts seed 1's file unchanged", async () => {
  const { settings } = await load(`
model_sync:
  runpod_client:
    schedule: "03:00"
  runpod:
    enabled: true
    trigger_url: "https://api.runpod.ai/v2/<ENDPOINT_ID>/run"
    status_url_template: "https://api.runpod.ai/v2/<ENDPOINT_ID>/status/{job_id}"
    api_key_env: "RUNPOD_API_KEY"
    trigger_method: "POST"
    trigger_payload:
      input:
        prompt: "Train BN-ML models only (no trading bot execution) and return a downloadable models archive"
    headers: {}
    request_timeout_sec: 20
    poll_interval_sec: 10
    job_timeout_sec: 3600
    download_timeout_sec: 300
    extract_subdir: "models"
`);
  assert.equal(settings.runpod_client.schedule, "03:00");
  assert.deepEqual(Object.keys(settings.runpod.trigger_payload), ["input"]);
});

Deno.test("loadConfig() reads unquoted times as texts and empty settings as not set", async () => {
  const { settings } = await load(
    "model_sync:\n  token_env:\n  client:\n    schedule: 06:30\n  publisher:\n",
  );
  assert.equal(settings.client.schedule, "06:30");
  assert.equal(settings.token_env, undefined);
  for (const nothing of [undefined, "", "# only a comment", "model_sync:", "bot: {}"]) {
    assert.deepEqual((await load(nothing)).settings, ModelSync.parse({}));
  }
});

Deno.test("loadConfig() applies flags over environment over file over defaults, and records each origin", async () => {
  const text = "model_sync:\n  branch: file\n  remote: file\n  keep: 7\n";
  const flags = [{ path: ["branch"], value: "flag", flag: "--branch" }];
  const { settings, origins } = await load(
    text,
    { MODEL_SYNC_BRANCH: "env", MODEL_SYNC_REMOTE: "env" },
    flags,
  );
  assert.deepEqual([settings.branch, settings.remote, settings.keep, settings.lfs], [
    "flag",
    "env",
    7,
    "auto",
  ]);
  assert.deepEqual(origins.get("branch"), { kind: "flag", name: "--branch" });
  assert.deepEqual(origins.get("remote"), { kind: "environment", name: "MODEL_SYNC_REMOTE" });
  assert.deepEqual(origins.get("keep"), { kind: "file", file: "bot.yaml", line: 4, column: 3 });
  assert.equal(origins.get("lfs"), undefined);
});

Deno.test("loadConfig() reads booleans, numbers and lists from the environment and ignores Kubernetes' variables", async () => {
  const { settings } = await load("", {
    MODEL_SYNC_PUBLISHER_TRAIN_BEFORE_PUSH: "no",
    MODEL_SYNC_KEEP: "9",
    MODEL_SYNC_PUBLISHER_TRAIN_COMMAND: '["python3","-m","train, all"]',
    MODEL_SYNC_SERVICE_HOST: "10.0.0.1",
    MODEL_SYNC_PORT: "tcp://10.0.0.1:80",
  });
  assert.equal(settings.publisher.train_before_push, false);
  assert.equal(settings.keep, 9);
  assert.deepEqual(settings.publisher.train_command, ["python3", "-m", "train, all"]);
  const comma = await load("", { MODEL_SYNC_PUBLISHER_TRAIN_COMMAND: "python3, train.py" });
  assert.deepEqual(comma.settings.publisher.train_command, ["python3", "train.py"]);
});

Deno.test("loadConfig() reports a missing key of a list's entry as missing", async () => {
  assert.deepEqual(
    await complaintsOf(`model_sync:
  activation:
    reload:
      - type: http
    canary:
      metrics: [{ name: win_rate, type: file, path: win_rate }]
`),
    [
      "bot.yaml:3:5: model_sync.activation.reload.0.url is missing",
      'bot.yaml:6:7: model_sync.activation.canary.metrics.0.direction is missing: expected one of "higher"|"lower"',
    ],
  );
});

Deno.test("loadConfig() reports each complaint with file, line, column and a suggestion", async () => {
  assert.deepEqual(
    await complaintsOf(`model_sync:
  brnch: main
  lfs: atuo
  keep: many
  client:
    schedule: "25:00"
    foo: 1
  repo_models_subdir: ../outside
`),
    [
      'bot.yaml:2:3: model_sync.brnch is not a setting; did you mean "branch"?',
      'bot.yaml:3:3: model_sync.lfs: expected one of "auto"|"always"|"never"; did you mean "auto"?',
      "bot.yaml:4:3: model_sync.keep: expected number, received string",
      'bot.yaml:6:5: model_sync.client.schedule: "25:00" is neither a time of day such as "06:00" nor a cron expression such as "*/15 * * * *"',
      "bot.yaml:7:5: model_sync.client.foo is not a setting",
      "bot.yaml:8:3: model_sync.repo_models_subdir: must be a folder inside the repository, such as models or prod/models",
    ],
  );
});

Deno.test("loadConfig() names the variable or flag with a wrong value", async () => {
  assert.match(
    (await complaintsOf("", { MODEL_SYNC_KEEP: "1" }))[0] ?? "",
    /^MODEL_SYNC_KEEP: model_sync\.keep: /,
  );
  await assert.rejects(
    load("", {}, [{ path: ["branch"], value: "-x", flag: "--branch" }]),
    /Cannot use --branch: must be the name of a git branch$/m,
  );
});

Deno.test("loadConfig() ignores a removed setting that has its default, with a warning that names its line", async () => {
  const warning = "bot.yaml:3:5: model_sync.huggingface.xet was removed and has no effect: delete this line";
  for (const value of ["false", "no", '"off"']) {
    const { settings, origins, removed } = await load(
      `model_sync:\n  huggingface:\n    xet: ${value}\n    private: true\n`,
    );
    assert.deepEqual(settings.huggingface, ModelSync.parse({ huggingface: { private: true } }).huggingface);
    assert.deepEqual([[...origins.keys()], removed], [["huggingface.private"], [warning]], value);
  }
  assert.deepEqual((await load("model_sync:\n  huggingface: {private: true}\n")).removed, []);
});

Deno.test("loadConfig() refuses a removed setting that would change what a command does", async () => {
  assert.deepEqual(await complaintsOf("model_sync:\n  huggingface:\n    xet: true\n  kep: 3\n"), [
    "bot.yaml:3:5: model_sync.huggingface.xet was removed: delete this line",
    'bot.yaml:4:3: model_sync.kep is not a setting; did you mean "keep"?',
  ]);
});

Deno.test("loadConfig() says the limit that a value exceeds in words", async () => {
  const text = `model_sync:
  keep: 1
  stop_timeout_sec: -3
  huggingface: {include: [""]}
  publisher: {train_command: []}
  artifacts: {download_timeout_sec: 99999999}
`;
  assert.deepEqual(
    (await complaintsOf(text)).map((complaint) => complaint.replace(/^.*model_sync\./, "")).sort(),
    [
      "artifacts.download_timeout_sec: must be at most 86400",
      "huggingface.include.0: must not be empty",
      "keep: must be at least 2",
      "publisher.train_command: must not be empty",
      "stop_timeout_sec: must be more than 0",
    ],
  );
});

Deno.test("loadConfig() names the place of broken YAML, and refuses a section that is not a mapping, and an alias bomb", async () => {
  assert.match((await complaintsOf("model_sync:\n  branch: [a\n"))[0] ?? "", /^bot\.yaml:\d+:\d+: /);
  assert.match(
    (await complaintsOf("model_sync:\n  branch: a\n  branch: b\n"))[0] ?? "",
    /^bot\.yaml:3:3: .*duplicated/,
  );
  assert.match((await complaintsOf("- a\n- b\n"))[0] ?? "", /not a mapping/);
  assert.match(
    (await complaintsOf("model_sync: yes please\n"))[0] ?? "",
    /^bot\.yaml:1:1: model_sync is not a mapping/,
  );
  const bomb = "a: &a [x]\n" + "b: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\n" +
    "c: &c [*b,*b,*b,*b,*b,*b,*b,*b]\n" +
    `model_sync: {reload: [${"*c,".repeat(200)}]}`;
  assert.match((await complaintsOf(bomb))[0] ?? "", /contains more than 20000 values/);
  await assert.rejects(
    loadConfig({
      file: "no.yaml",
      isFileRequired: true,
      flags: [],
      env: fixedEnvironment({}),
      readText: () => undefined,
    }),
    { code: "CONFIG_INVALID", message: /no\.yaml does not exist/ },
  );
});

Deno.test("configs/bot.yaml is the output of config init --full, has every setting with a comment, and equals the defaults", async () => {
  const text = Deno.readTextFileSync(`${PROJECT}configs/bot.yaml`);
  assert.equal(text, renderStarter());
  assert.deepEqual((await load(text)).settings, ModelSync.parse({}));
  const lines = text.split("\n");
  for (const { path } of configKeys()) {
    const index = lines.findIndex((line) => line.trim().replace(/^# /, "").startsWith(`${path.at(-1)}: `));
    assert.ok(index > 0 && lines[index - 1]?.trim().startsWith("#"), `${path.join(".")} has no comment`);
  }
});

Deno.test("every example in configs/bot.yaml is valid", async () => {
  const text = Deno.readTextFileSync(`${PROJECT}configs/bot.yaml`);
  const names = configKeys().map(({ path }) => path.at(-1)).join("|");
  const active = text.replace(new RegExp(`^(\\s*)# ((?:${names}): )`, "gm"), "$1$2");
  assert.equal((await load(active)).settings.repo_url, "https://github.com/you/your-models.git");
});

Deno.test("configs/model-sync.schema.json is the output of config schema", () => {
  const text = Deno.readTextFileSync(`${PROJECT}configs/model-sync.schema.json`);
  assert.deepEqual(JSON.parse(text), jsonSchema());
});

Deno.test("the defaults of sections that nothing sets are those of the schema: deno task build-reference", async () => {
  const written = Deno.readTextFileSync(`${PROJECT}lib/config/section_defaults.ts`);
  assert.equal(written, renderDefaults());
  assert.deepEqual(await parseSettings({}), { success: true, data: ModelSync.parse({}) });
});

Deno.test("settings that are parsed by section are those of the whole schema, and so are their faults", async () => {
  for (
    const raw of [
      { models_dir: "m", activation: { canary: { failure_limit: 5 } }, signing: { required: false } },
      { signing: { required: true }, archives: { max_ratio: -1 }, client: { keep: 1 }, activaton: {} },
      { activation: null, report: [], references: { categories: ["none"] }, keep: 1 },
    ]
  ) {
    const [ours, whole] = [await parseSettings(raw), ModelSync.safeParse(raw, { reportInput: true })];
    const issues = (all: readonly { code?: string; path: PropertyKey[]; message: string }[]) =>
      all.map(({ code, path, message }) => [code, path.join("."), message].join(" ")).sort();
    assert.deepEqual(
      ours.success ? ours.data : issues(ours.issues),
      whole.success ? whole.data : issues(whole.error.issues),
    );
    assert.equal(ours.success, raw.models_dir !== undefined, JSON.stringify(ours));
  }
});

Deno.test("a variable that is no setting, such as that of a launcher, does not make every start walk the schema", async () => {
  const env = (variables: Readonly<Record<string, string>>) => {
    const asked: string[] = [];
    const get = (name: string) => (asked.push(name), variables[name]);
    return { asked, get, toObject: () => ({ ...variables }) };
  };
  const launched = env({
    PATH: "/bin",
    MODEL_SYNC_LAUNCHER: "/bin/model-sync",
    MODEL_SYNC_SERVICE_HOST: "10.0.0.1",
    MODEL_SYNC_BRANCHES: "main",
  });
  assert.deepEqual([await readEnvironment(launched), launched.asked], [[], []]);
  const set = env({ MODEL_SYNC_LAUNCHER: "/bin/model-sync", MODEL_SYNC_MODELS_DIR: "m" });
  assert.deepEqual((await readEnvironment(set)).map(({ name, value }) => [name, value]), [[
    "MODEL_SYNC_MODELS_DIR",
    "m",
  ]]);
  // One of each section: each call walks the schema.
  for (const envName of new Map(configKeys().map(({ path, envName }) => [path[0], envName])).values()) {
    const one = env({ [envName]: "x" });
    assert.deepEqual((await readEnvironment(one)).map(({ name }) => name), [envName]);
  }
});

Deno.test("a value of megabytes gets no suggestion, and none is computed for it", () => {
  assert.equal(suggestion("x".repeat(10_000_000), ["symlink", "mirror"]), "");
  assert.equal(suggestion("mirrro", ["symlink", "mirror"]), '; did you mean "mirror"?');
});
