import assert from "node:assert/strict";
import { type FlagValue, loadConfig, type LoadedConfig } from "../../lib/config/load.ts";
import { fixedEnvironment } from "../helpers/test_context.ts";

/** Loads the configuration of a folder with these files. */
async function load(
  files: Readonly<Record<string, string>>,
  { env = {}, flags = [], named }: {
    readonly env?: Readonly<Record<string, string>>;
    readonly flags?: readonly FlagValue[];
    readonly named?: string;
  } = {},
): Promise<LoadedConfig> {
  return await loadConfig({
    file: named ?? "configs/bot.yaml",
    isFileRequired: named !== undefined,
    fallbackFile: "appsettings.json",
    flags,
    env: fixedEnvironment(env),
    readText: (path) => files[path],
  });
}

/** Seed 2's file with other sections of a .NET bot. */
const SEED = `\ufeff{
  // Visual Studio writes a byte order mark, people write comments.
  "Logging": { "LogLevel": { "Default": "Information" } },
\t"CloudSync": {
    "IntervalMinutes": 30, /* and commas at the end */
    "Enabled": true,
    "RetryPolicy": { "Max": 3 },
  },
  "GitHub": {
    "Owner": "c-trading-bo",
    "Repository": "trading-bot-c-",
    "Token": "",
    "Url": "https://github.com/c-trading-bo",
  },
}
`;

Deno.test("seed 2's appsettings.json is read if bot.yaml is missing, and the bot's own keys are ignored", async () => {
  const { settings, origins, githubToken, file } = await load({ "appsettings.json": SEED });
  const { owner, repository, interval_minutes } = settings.artifacts;
  assert.deepEqual([owner, repository, interval_minutes, settings.enabled], [
    "c-trading-bo",
    "trading-bot-c-",
    30,
    true,
  ]);
  assert.equal(githubToken, undefined);
  assert.equal(file, "appsettings.json");
  assert.deepEqual(origins.get("artifacts.interval_minutes"), {
    kind: "file",
    file: "appsettings.json",
    line: 5,
    column: 6,
  });
});

Deno.test("seed 2's appsettings.json is ignored beside a bot.yaml, and read if --config names it", async () => {
  const files = { "appsettings.json": SEED, "configs/bot.yaml": "model_sync:\n  artifacts: {branch: dev}\n" };
  assert.equal((await load(files)).settings.artifacts.owner, undefined);
  const { settings } = await load(files, { named: "appsettings.json" });
  assert.deepEqual([settings.artifacts.owner, settings.artifacts.branch], ["c-trading-bo", "main"]);
});

Deno.test("the order of precedence is flags, our variables, our YAML, the bot's variables, the bot's file", async () => {
  const json = JSON.stringify({
    CloudSync: { IntervalMinutes: 1 },
    GitHub: { Owner: "of-json", Repository: "of-json" },
    model_sync: { artifacts: { workflow: "of-our-section.yml", owner: "of-our-section" } },
  });
  const dotnet = {
    "GitHub__Owner": "of-dotnet",
    "GITHUB__REPOSITORY": "of-dotnet",
    "CloudSync:IntervalMinutes": "7",
  };
  const ofJson = await load({ "appsettings.json": json }, { env: dotnet });
  assert.deepEqual([
    ofJson.settings.artifacts.owner,
    ofJson.settings.artifacts.repository,
    ofJson.settings.artifacts.interval_minutes,
    ofJson.settings.artifacts.workflow,
  ], ["of-our-section", "of-dotnet", 7, "of-our-section.yml"]);
  assert.deepEqual(ofJson.origins.get("artifacts.interval_minutes"), {
    kind: "environment",
    name: "CloudSync:IntervalMinutes",
  });
  const yaml = { "configs/bot.yaml": "model_sync: {artifacts: {owner: of-yaml, repository: of-yaml}}" };
  const env = { ...dotnet, MODEL_SYNC_ARTIFACTS_REPOSITORY: "of-env" };
  const ofYaml = await load(yaml, { env });
  assert.deepEqual([ofYaml.settings.artifacts.owner, ofYaml.settings.artifacts.repository], [
    "of-yaml",
    "of-env",
  ]);
  const flags = [{ path: ["artifacts", "repository"], value: "of-flag", flag: "--repository" }];
  assert.equal((await load(yaml, { env, flags })).settings.artifacts.repository, "of-flag");
});

Deno.test("a token from the bot's file or variable is used, and has its origin", async () => {
  const files = { "appsettings.json": '{"GitHub": {"Token": "ghp_file"}}' };
  const ofFile = (await load(files)).githubToken;
  assert.equal(ofFile?.token.reveal(), "ghp_file");
  assert.equal(ofFile?.origin.kind, "file");
  const ofVariable = (await load(files, { env: { GitHub__Token: "ghp_variable" } })).githubToken;
  assert.equal(ofVariable?.token.reveal(), "ghp_variable");
  assert.equal(ofVariable?.origin.kind, "environment");
});

Deno.test("the bot's settings are validated, and complaints name their place", async () => {
  const complaint = async (text: string) => {
    try {
      await load({ "appsettings.json": text });
    } catch (error) {
      return String(error);
    }
    assert.fail("no complaint");
  };
  assert.match(
    await complaint('{\n  "CloudSync": {"IntervalMinutes": "soon"}\n}'),
    /appsettings\.json:2:18: model_sync\.artifacts\.interval_minutes/,
  );
  assert.match(await complaint('{\n  "GitHub": {"Owner": \n'), /appsettings\.json:\d+:\d+: /);
});

Deno.test("sections named GitHub and CloudSync with other content cause no complaint", async () => {
  const { settings } = await load({
    "appsettings.json": '{"GitHub": "https://github.com", "CloudSync": [1]}',
  });
  assert.equal(settings.artifacts.owner, undefined);
});

Deno.test("a model_sync section in appsettings.json may contain every setting, and wins over the bot's sections", async () => {
  const { settings, origins } = await load({
    "appsettings.json": `\ufeff{
  // as .NET allows
  "GitHub": { "Owner": "you", "Repository": "bot" },
  "model_sync": { "artifacts": { "workflow": "train.yml", "owner": "team" }, "keep": 3, },
}`,
  });
  const { owner, repository, workflow } = settings.artifacts;
  assert.deepEqual([owner, repository, workflow, settings.keep], ["team", "bot", "train.yml", 3]);
  assert.deepEqual(origins.get("keep"), { kind: "file", file: "appsettings.json", line: 4, column: 79 });
});
