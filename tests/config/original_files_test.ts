import assert from "node:assert/strict";
import { ConfigError } from "../../lib/config/config_error.ts";
import { ModelSync } from "../../lib/config/schema.ts";
import { loadText } from "../helpers/complete_settings.ts";

async function settingsOf(text: string, env: Readonly<Record<string, string>> = {}): Promise<ModelSync> {
  return (await loadText(text, env)).settings;
}

async function complaintOf(text: string, env: Readonly<Record<string, string>> = {}): Promise<string> {
  try {
    await loadText(text, env);
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error));
    return error.complaints.join("\n");
  }
  assert.fail("no complaint");
}

Deno.test("the section that the bot's package ships, with empty addresses, sets nothing", async () => {
  const { settings, origins } = await loadText(`
model_sync:
  enabled: false
  repo_dir: ""
  runpod:
    enabled: false
    trigger_url: ""
    status_url_template: ""
    trigger_method: post
    trigger_payload: {}
    headers: {}
    extract_subdir: ""
`);
  const { runpod } = ModelSync.parse({});
  assert.deepEqual(
    settings,
    ModelSync.parse({ enabled: false, runpod: { ...runpod, enabled: false } }),
  );
  assert.deepEqual([origins.has("enabled"), origins.has("repo_dir"), origins.has("runpod.trigger_url")], [
    true,
    false,
    false,
  ]);
});

Deno.test("a valid text stays a text, and an empty text in a list is a complaint", async () => {
  const settings = await settingsOf(
    'model_sync: {branch: "no", remote: "off", huggingface: {path_in_repo: ""}}',
  );
  assert.deepEqual([settings.branch, settings.remote, settings.huggingface.path_in_repo], ["no", "off", ""]);
  assert.match(
    await complaintOf('model_sync: {activation: {reload: [{type: http, url: ""}]}}'),
    /reload\.0\.url is missing/,
  );
  assert.match(await complaintOf('model_sync: {publisher: {train_command: [""]}}'), /train_command\.0: /);
});

for (
  const [text, value] of [["no", false], ["Off", false], ['"false"', false], ["yes", true], ["ON", true]]
) {
  Deno.test(`train_before_push: ${text} is ${value}, as in YAML 1.1`, async () => {
    const settings = await settingsOf(`model_sync:\n  publisher:\n    train_before_push: ${text}\n`);
    assert.equal(settings.publisher.train_before_push, value);
  });
}

Deno.test("numbers may have quotes or underscores, and other texts are complaints with their place", async () => {
  const settings = await settingsOf(
    'model_sync:\n  keep: "7"\n  runpod: {poll_interval_sec: "2.5"}\n  archives: {max_bytes: 10_000_000}\n',
  );
  assert.deepEqual([settings.keep, settings.runpod.poll_interval_sec, settings.archives.max_bytes], [
    7,
    2.5,
    10_000_000,
  ]);
  assert.match(await complaintOf('model_sync:\n  keep: "7 or 8"\n'), /^bot\.yaml:2:3: model_sync\.keep: /);
  assert.match(await complaintOf('model_sync:\n  keep: "1"\n'), /^bot\.yaml:2:3: model_sync\.keep: .*2/);
  assert.match(await complaintOf("model_sync: {enabled: perhaps}"), /model_sync\.enabled: expected boolean/);
});

Deno.test("a wrong variable is a complaint even where texts of the file are converted", async () => {
  const text = 'model_sync: {publisher: {train_before_push: no}, state_dir: ""}';
  assert.match(await complaintOf(text, { MODEL_SYNC_KEEP: "x" }), /^MODEL_SYNC_KEEP: [^\n]*$/);
});

Deno.test("merge keys work: a section's own keys win, then the first source", async () => {
  const settings = await settingsOf(`
defaults: &defaults
  schedule: "01:00"
  splay: 5m
late: &late {schedule: "23:00", catch_up: false}
model_sync:
  client:
    splay: 1m
    <<: *defaults
  publisher:
    <<: [*late, *defaults]
    train_before_push: no
  runpod_client: *late
  <<: {branch: prod, remote: upstream}
  remote: mine
`);
  assert.deepEqual([settings.client.schedule, settings.client.splay], ["01:00", "1m"]);
  const { schedule, splay, catch_up, train_before_push } = settings.publisher;
  assert.deepEqual([schedule, splay, catch_up, train_before_push], ["23:00", "5m", false, false]);
  assert.equal(settings.runpod_client.schedule, "23:00");
  assert.deepEqual([settings.branch, settings.remote], ["prod", "mine"]);
});

Deno.test("a complaint about a merged setting names the place of its merge key", async () => {
  const text = "base: &base\n  schedul: x\nmodel_sync:\n  client:\n    <<: *base\n";
  assert.match(
    await complaintOf(text),
    /^bot\.yaml:5:5: model_sync\.client\.schedul is not a setting; did you mean "schedule"/,
  );
});

Deno.test("duplicate keys in other sections are ignored, however many aliases they use", async () => {
  const aliases = Array.from({ length: 500 }, (_, index) => `  s${index}: *pair`).join("\n");
  const settings = await settingsOf(`
exchange: {name: a, name: b}
exchange: {name: c, nested: {x: 1, x: 2}}
pair: &pair {a: 1, a: 2}
symbols:
${aliases}
model_sync: {branch: prod}
`);
  assert.equal(settings.branch, "prod");
});

for (
  const [text, place] of [
    ["model_sync:\n  client:\n    schedule: a\n    schedule: b\n", "4:5"],
    ["model_sync:\n  activation:\n    reload:\n      - type: http\n        type: http\n", "5:9"],
    ["other: {a: 1, a: 2}\nmodel_sync: {branch: x}\nmodel_sync: {branch: y}\n", "3:1"],
  ] as const
) {
  Deno.test(`a duplicate key in our section is a complaint at ${place}`, async () => {
    assert.match(await complaintOf(text), new RegExp(`^bot\\.yaml:${place}: duplicated mapping key`));
  });
}

for (const written of ["models/", "./models", "./models/", ".//models//", "models/."]) {
  Deno.test(`the folder ${written} of a repository, an archive or the hub is read as models`, async () => {
    const settings = await settingsOf(JSON.stringify({
      model_sync: {
        repo_models_subdir: written,
        runpod: { extract_subdir: written },
        huggingface: { path_in_repo: written },
        activation: { reload: [{ type: "tensorflow-serving", model_base_path: "/m", folder: written }] },
      },
    }));
    const [hook] = settings.activation.reload;
    assert.deepEqual(
      [settings.repo_models_subdir, settings.runpod.extract_subdir, settings.huggingface.path_in_repo],
      ["models", "models", "models"],
    );
    assert.equal(hook?.type === "tensorflow-serving" && hook.folder, "models");
  });
}

for (const written of ["/models", "//models", "./..", "models/../x", ".", "./", "models/.git", "a\\b"]) {
  Deno.test(`the folder ${written} is refused as a folder of a repository`, async () => {
    assert.match(
      await complaintOf(JSON.stringify({ model_sync: { repo_models_subdir: written } })),
      /repo_models_subdir: must be a folder inside the repository/,
    );
  });
}

const PATHS = `
model_sync:
  models_dir: ~/models
  state_dir: ~/state
  repo_dir: ~/registry
  repo_url: ~/origin.git
  publisher: {train_command: [~/venv/bin/python, train.py, ~/data, a~/b]}
  activation:
    backup_dir: ~/backups
    reload:
      - {type: signal, pid_file: ~/bot.pid}
      - {type: tensorflow-serving, model_base_path: ~/serving}
      - {type: command, command: [~/bin/reload]}
    canary: {metrics: [{name: a, type: file, path: ~/metric, direction: higher}]}
    validate: {validate_command: [~/bin/check], onnx: {sanity_vectors: ~/vectors.json}}
  signing: {private_key: ~/key.pem, public_keys: [~/a.pub, {path: ~/b.pub}]}
  references: {output_dir: ~/out, target_dir: ~/target, temp_dir: ~/tmp}
  report: {metrics_file: ~/metrics.prom}
  runpod: {trigger_payload: {input: {folder: ~/volume}}, headers: {x-folder: ~/volume}}
`;

Deno.test("~ is the home folder in every path, and stays unchanged in requests to RunPod", async () => {
  const { runpod, ...others } = await settingsOf(PATHS, { HOME: "/h/bot" });
  const text = JSON.stringify(others);
  assert.equal(text.split("/h/bot/").length - 1, 20);
  assert.deepEqual(text.match(/"~[^"]*"/g), null);
  assert.deepEqual(others.publisher.train_command, [
    "/h/bot/venv/bin/python",
    "train.py",
    "/h/bot/data",
    "a~/b",
  ]);
  assert.deepEqual(runpod.trigger_payload, { input: { folder: "~/volume" } });
  assert.deepEqual(runpod.headers, { "x-folder": "~/volume" });
  const variable = await settingsOf("", { HOME: "/h/bot", MODEL_SYNC_MODELS_DIR: "~" });
  assert.equal(variable.models_dir, "/h/bot");
});

Deno.test("~ without HOME, as in a systemd service, is a complaint", async () => {
  assert.match(
    await complaintOf("model_sync:\n  models_dir: ~/models\n", { HOME: "" }),
    /^bot\.yaml:2:3: model_sync\.models_dir begins with ~, but HOME is not set: write the full path$/,
  );
  assert.match(
    await complaintOf("model_sync: {signing: {public_keys: [a, {path: ~/b}]}}"),
    /model_sync\.signing\.public_keys\.1\.path begins with ~/,
  );
});
