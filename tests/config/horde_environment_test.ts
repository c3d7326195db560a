import assert from "node:assert/strict";
import { readHordeEnvironment } from "../../lib/config/horde_environment.ts";
import { ConfigError } from "../../lib/config/config_error.ts";
import { type FlagValue, loadConfig, type LoadedConfig } from "../../lib/config/load.ts";
import { CATEGORIES, type ReferencesSettings } from "../../lib/config/sections/references.ts";
import { fixedEnvironment } from "../helpers/test_context.ts";

type Variables = Readonly<Record<string, string>>;

async function load(
  env: Variables,
  { yaml = "", flags = [] }: { readonly yaml?: string; readonly flags?: readonly FlagValue[] } = {},
): Promise<LoadedConfig> {
  return await loadConfig({
    file: "bot.yaml",
    isFileRequired: false,
    flags,
    env: fixedEnvironment(env),
    readText: () => yaml,
  });
}

async function referencesOf(env: Variables, yaml = ""): Promise<ReferencesSettings> {
  return (await load(env, { yaml })).settings.references;
}

async function complaintsOf(env: Variables, yaml = ""): Promise<readonly string[]> {
  try {
    await load(env, { yaml });
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error));
    assert.equal(error.exitCode, 2);
    return error.complaints;
  }
  assert.fail("no complaint");
}

Deno.test("the environment of seed 4's documentation sets every setting that it names", async () => {
  const { settings, warnings } = await load({
    HORDE_GITHUB_SYNC_PRIMARY_API_URL: "https://your-primary-server.com/api",
    HORDE_GITHUB_SYNC_GITHUB_TOKEN: "ghp_your_token_here",
    HORDE_GITHUB_SYNC_CATEGORIES_TO_SYNC: "image_generation,text_generation",
    HORDE_GITHUB_SYNC_DRY_RUN: "true",
    HORDE_GITHUB_SYNC_VERBOSE_LOGGING: "true",
    HORDE_GITHUB_SYNC_MIN_CHANGES_THRESHOLD: "1",
    HORDE_GITHUB_SYNC_TARGET_CLONE_DIR: "/path/to/clones",
    HORDE_GITHUB_SYNC_PR_REVIEWERS: "username1,username2",
    HORDE_GITHUB_SYNC_PR_LABELS: "automated,sync,ready-for-review",
    HORDE_GITHUB_SYNC_PR_AUTO_ASSIGN_TEAM: "org-name/team-name",
    HORDE_GITHUB_SYNC_WATCH_MODE: "true",
    HORDE_GITHUB_SYNC_WATCH_INTERVAL_SECONDS: "120",
    HORDE_GITHUB_SYNC_WATCH_INITIAL_DELAY_SECONDS: "5",
    HORDE_GITHUB_SYNC_WATCH_ENABLE_STARTUP_SYNC: "false",
    HORDE_MODEL_REFERENCE_IMAGE_GITHUB_REPO_OWNER: "your-username",
    HORDE_MODEL_REFERENCE_TEXT_GITHUB_REPO_OWNER: "your-username",
  });
  const { references } = settings;
  assert.deepEqual(references, {
    ...(await referencesOf({})),
    primary_url: "https://your-primary-server.com/api",
    categories: ["image_generation", "text_generation"],
    dry_run: true,
    verbose: true,
    target_dir: "/path/to/clones",
    pr: {
      style: "fixed",
      branch: "model-sync/references",
      labels: ["automated", "sync", "ready-for-review"],
      reviewers: ["username1", "username2"],
      team: "org-name/team-name",
    },
    watch: { enabled: true, interval_sec: 120, initial_delay_sec: 5, startup_sync: false },
    image_repository: { owner: "your-username", name: "AI-Horde-image-model-reference", branch: "main" },
    text_repository: { owner: "your-username", name: "AI-Horde-text-model-reference", branch: "main" },
  });
  assert.deepEqual(warnings, []);
});

Deno.test("variables of the original's later versions are read, too", async () => {
  const references = await referencesOf({
    HORDE_GITHUB_SYNC_PRIMARY_API_TIMEOUT: "45",
    HORDE_GITHUB_SYNC_SYNC_TEMP_DIR: "/tmp/sync",
    HORDE_GITHUB_SYNC_NO_PR: "1",
    HORDE_GITHUB_SYNC_OUTPUT_DIR: "preview",
    GITHUB_PROXY_URL_BASE: "https://proxy.example.org",
  });
  assert.equal(references.primary_timeout_sec, 45);
  assert.equal(references.temp_dir, "/tmp/sync");
  assert.equal(references.no_pr, true);
  assert.equal(references.output_dir, "preview");
  assert.equal(references.github_proxy_url_base, "https://proxy.example.org");
});

Deno.test("a repository's owner, name and branch are read with one underscore or two, and two win", async () => {
  const one = await referencesOf({
    HORDE_MODEL_REFERENCE_IMAGE_GITHUB_REPO_OWNER: "a",
    HORDE_MODEL_REFERENCE_IMAGE_GITHUB_REPO_NAME: "b",
    HORDE_MODEL_REFERENCE_IMAGE_GITHUB_REPO_BRANCH: "dev/c",
  });
  assert.deepEqual(one.image_repository, { owner: "a", name: "b", branch: "dev/c" });
  const two = await referencesOf({
    HORDE_MODEL_REFERENCE_TEXT_GITHUB_REPO__OWNER: "a",
    HORDE_MODEL_REFERENCE_TEXT_GITHUB_REPO_OWNER: "b",
    HORDE_MODEL_REFERENCE_TEXT_GITHUB_REPO__NAME: "n",
    HORDE_MODEL_REFERENCE_TEXT_GITHUB_REPO__BRANCH: "x",
  });
  assert.deepEqual(two.text_repository, { owner: "a", name: "n", branch: "x" });
});

Deno.test("lists are read from commas or JSON, trimmed, without empty entries", async () => {
  const lists: readonly (readonly [string, readonly string[]])[] = [
    ["clip,lora", ["clip", "lora"]],
    [" clip , , lora ,", ["clip", "lora"]],
    ['["clip", " lora ", ""]', ["clip", "lora"]],
    [" [] ", []],
    [",", []],
  ];
  for (const [text, wanted] of lists) {
    assert.deepEqual((await referencesOf({ HORDE_GITHUB_SYNC_CATEGORIES_TO_SYNC: text })).categories, wanted);
  }
  const { pr } = await referencesOf({ HORDE_GITHUB_SYNC_PR_LABELS: "[]" });
  assert.deepEqual(pr.labels, [], "an empty list means no labels");
});

Deno.test("booleans are read by pydantic's rules, in any case", async () => {
  for (const text of ["true", "T", "Yes", "y", "ON", "1", " True "]) {
    assert.equal((await referencesOf({ HORDE_GITHUB_SYNC_DRY_RUN: text })).dry_run, true, text);
  }
  for (const text of ["false", "F", "No", "n", "Off", "0"]) {
    const env = { HORDE_GITHUB_SYNC_DRY_RUN: text };
    const { dry_run } = await referencesOf(env, "model_sync: {references: {dry_run: true}}");
    assert.equal(dry_run, false, text);
  }
});

Deno.test("a wrong value is a complaint that names its variable", async () => {
  const wrong: readonly (readonly [name: string, value: string, complaint: RegExp])[] = [
    ["HORDE_GITHUB_SYNC_DRY_RUN", "maybe", /dry_run: expected boolean/],
    ["HORDE_GITHUB_SYNC_WATCH_INTERVAL_SECONDS", "often", /watch\.interval_sec: expected number/],
    ["HORDE_GITHUB_SYNC_WATCH_INTERVAL_SECONDS", "0", /watch\.interval_sec: must be at least 1/],
    ["HORDE_GITHUB_SYNC_MIN_CHANGES_THRESHOLD", "1.5", /min_changes_threshold: .*int/],
    ["HORDE_GITHUB_SYNC_PRIMARY_API_URL", "models.example.org", /primary_url: must be an http address/],
    ["HORDE_GITHUB_SYNC_PRIMARY_API_URL", "file:///etc/passwd", /primary_url: must be an http address/],
    ["HORDE_GITHUB_SYNC_CATEGORIES_TO_SYNC", "[clip", /categories: expected array/],
    ["HORDE_GITHUB_SYNC_CATEGORIES_TO_SYNC", "[1]", /categories\.0: expected string/],
    ["HORDE_GITHUB_SYNC_PR_REVIEWERS", "@you", /pr\.reviewers\.0: must be the name of a GitHub user/],
    ["HORDE_GITHUB_SYNC_PR_AUTO_ASSIGN_TEAM", "a/b/c", /pr\.team: must be organisation\/team/],
    ["HORDE_MODEL_REFERENCE_TEXT_GITHUB_REPO__NAME", "..", /text_repository\.name: must be the name/],
    ["HORDE_MODEL_REFERENCE_IMAGE_GITHUB_REPO_OWNER", "a/b", /image_repository\.owner: must be the name/],
  ];
  for (const [name, value, complaint] of wrong) {
    const [first = ""] = await complaintsOf({ [name]: value });
    assert.ok(first.startsWith(`${name}: model_sync.references.`), first);
    assert.match(first, complaint);
  }
});

Deno.test("an unknown category is a complaint with the known categories and a suggestion", async () => {
  const [complaint = ""] = await complaintsOf({
    HORDE_GITHUB_SYNC_CATEGORIES_TO_SYNC: "clip,image_generatoin",
  });
  assert.match(complaint, /^HORDE_GITHUB_SYNC_CATEGORIES_TO_SYNC: model_sync\.references\.categories\.1: /);
  for (const category of CATEGORIES) assert.match(complaint, new RegExp(`\\b${category}\\b`));
  assert.match(complaint, /did you mean "image_generation"\?$/);
  const [loud = ""] = await complaintsOf({ HORDE_GITHUB_SYNC_CATEGORIES_TO_SYNC: "CLIP" });
  assert.match(loud, /did you mean "clip"\?$/);
});

Deno.test("a threshold below 1 counts as 1 and is warned about", async () => {
  for (const text of ["0", "-3"]) {
    const { settings, warnings } = await load({ HORDE_GITHUB_SYNC_MIN_CHANGES_THRESHOLD: text });
    assert.equal(settings.references.min_changes_threshold, 1);
    assert.deepEqual(warnings, [
      `HORDE_GITHUB_SYNC_MIN_CHANGES_THRESHOLD is ${text} and counts as 1; to make pull requests whatever the number is, use --force`,
    ]);
  }
});

Deno.test("an unknown variable of the sync is warned about, the token and Kubernetes' variables are not", async () => {
  const { warnings } = await load({
    HORDE_GITHUB_SYNC_DRYRUN: "true",
    HORDE_GITHUB_SYNC_EVERYTHING_ELSE: "1",
    HORDE_GITHUB_SYNC_GITHUB_TOKEN: "ghp_x",
    HORDE_GITHUB_SYNC_SERVICE_HOST: "10.0.0.1",
    HORDE_GITHUB_SYNC_SERVICE_PORT_HTTP: "80",
    HORDE_GITHUB_SYNC_PORT_80_TCP_ADDR: "10.0.0.1",
    HORDE_MODEL_REFERENCE_CACHE_HOME: "/cache",
  });
  assert.deepEqual(warnings, [
    'HORDE_GITHUB_SYNC_DRYRUN is not a variable of the reference sync and is ignored; did you mean "HORDE_GITHUB_SYNC_DRY_RUN"?',
    "HORDE_GITHUB_SYNC_EVERYTHING_ELSE is not a variable of the reference sync and is ignored",
  ]);
});

Deno.test("the order of precedence is flags, MODEL_SYNC_*, HORDE_*, YAML, and each setting has its origin", async () => {
  const yaml =
    "model_sync:\n  references:\n    primary_url: http://yaml\n    dry_run: true\n    temp_dir: yaml\n" +
    "    watch: {interval_sec: 5}\n";
  const { settings, origins } = await load({
    HORDE_GITHUB_SYNC_PRIMARY_API_URL: "http://horde",
    HORDE_GITHUB_SYNC_WATCH_INTERVAL_SECONDS: "6",
    HORDE_GITHUB_SYNC_SYNC_TEMP_DIR: "horde",
    MODEL_SYNC_REFERENCES_PRIMARY_URL: "http://ours",
    MODEL_SYNC_REFERENCES_WATCH_INTERVAL_SEC: "7",
  }, { yaml, flags: [{ path: ["references", "primary_url"], value: "http://flag", flag: "--primary-url" }] });
  const { references } = settings;
  assert.deepEqual(
    [references.primary_url, references.watch.interval_sec, references.temp_dir, references.dry_run],
    ["http://flag", 7, "horde", true],
  );
  assert.deepEqual(origins.get("references.primary_url"), { kind: "flag", name: "--primary-url" });
  assert.deepEqual(origins.get("references.temp_dir"), {
    kind: "environment",
    name: "HORDE_GITHUB_SYNC_SYNC_TEMP_DIR",
  });
});

Deno.test("variables in lower case are read, and upper case wins", async () => {
  const env = fixedEnvironment({
    HORDE_GITHUB_SYNC_SYNC_TEMP_DIR: "big",
    horde_github_sync_sync_temp_dir: "small",
    horde_github_sync_output_dir: "small",
    HORDE_GITHUB_SYNC_TARGET_CLONE_DIR: " ",
  });
  assert.deepEqual(await readHordeEnvironment(env), {
    values: [
      { path: ["references", "temp_dir"], value: "big", name: "HORDE_GITHUB_SYNC_SYNC_TEMP_DIR" },
      { path: ["references", "output_dir"], value: "small", name: "horde_github_sync_output_dir" },
    ],
    warnings: [],
  });
});
