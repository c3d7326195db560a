import assert from "node:assert/strict";
import { configKeys } from "../../lib/config/keys.ts";
import { ConfigError, loadConfig, type LoadedConfig } from "../../lib/config/load.ts";
import { PROJECT } from "../helpers/run_cli.ts";
import { fixedEnvironment } from "../helpers/test_context.ts";

async function load(text: string, env: Readonly<Record<string, string>> = {}): Promise<LoadedConfig> {
  return await loadConfig({
    file: "bot.yaml",
    isFileRequired: true,
    flags: [],
    env: fixedEnvironment(env),
    readText: () => text,
  });
}

/** The configuration with every example of `configs/bot.yaml`, as it is after defaults. */
async function completeSettings(): Promise<unknown> {
  const text = Deno.readTextFileSync(`${PROJECT}configs/bot.yaml`);
  const names = configKeys().map(({ path }) => path.at(-1)).join("|");
  const { settings } = await load(text.replace(new RegExp(`^(\\s*)# ((?:${names}): )`, "gm"), "$1$2"));
  const { activation, ...others } = settings;
  const { canary, ...ofActivation } = activation;
  const every = {
    ...others,
    activation: { ...ofActivation, reload: HOOKS, canary: { ...canary, metrics: METRICS } },
  };
  await load(JSON.stringify({ model_sync: every }));
  return JSON.parse(JSON.stringify(every));
}

/** One of each type: the examples have one. */
const HOOKS = [
  {
    type: "http",
    url: "http://h/",
    headers: { "x-a": "b" },
    secret_env: "S",
    timeout_seconds: 1,
    retries: 1,
  },
  { type: "command", command: ["true", "x"] },
  { type: "signal", pid_file: "bot.pid", signal: "SIGHUP" },
  { type: "triton", url: "http://h/", models: ["m"] },
  { type: "tensorflow-serving", model_base_path: "/m", folder: "a", url: "http://h/", model: "m", keep: 2 },
];
const METRICS = [
  { name: "a", type: "http", url: "http://h/", path: "a.b", direction: "higher", catastrophic: 1 },
  { name: "b", type: "prometheus", url: "http://h/", query: "up", direction: "lower" },
  { name: "c", type: "command", command: ["true"], direction: "higher" },
  { name: "d", type: "file", path: "f", direction: "higher" },
];

/** Stands for the value that is replaced. */
const MARK = "@value@";

/** The configuration as text, once for each value in it and each section, with a mark in that place. */
function* withMarks(value: unknown): Generator<unknown> {
  yield MARK;
  if (typeof value !== "object" || value === null) return;
  for (const [key, child] of Object.entries(value)) {
    for (const marked of withMarks(child)) {
      yield Array.isArray(value)
        ? value.map((item, index) => String(index) === key ? marked : item)
        : { ...value, [key]: marked };
    }
  }
}

const LONG = "x".repeat(100_000);
const VALUES = [
  "null",
  "[]",
  "{}",
  '""',
  "-1",
  "1e309",
  ".nan",
  '"\\0"',
  '"\\ud800"',
  `"${LONG}"`,
  '[[""]]',
  "{__proto__: {a: 1}}",
  "{toString: {a: 1}, constructor: {prototype: 1}}",
  "!!binary AAAA",
];

/** What no setting may hold, whatever its type. */
function refuseUnfit(value: unknown, path: string): void {
  if (typeof value === "number") assert.ok(Number.isFinite(value), path);
  if (typeof value === "string") assert.ok(!value.includes("\0") && value.isWellFormed(), path);
  if (typeof value !== "object" || value === null) return;
  for (const [key, child] of Object.entries(value)) refuseUnfit(child, `${path}.${key}`);
}

async function loadsOrComplains(shown: string, loading: () => Promise<LoadedConfig>): Promise<void> {
  try {
    refuseUnfit((await loading()).settings, shown);
  } catch (error) {
    assert.ok(error instanceof ConfigError, `${shown}: ${error}`);
    assert.equal(error.exitCode, 2);
    assert.ok(error.message.length < 5_000 && !/[\n\0]/.test(error.message), shown);
    assert.match(error.complaints[0] ?? "", /model_sync|bot\.yaml:1:/, shown);
  }
}

const complete = await completeSettings();

for (const value of VALUES) {
  Deno.test(`every setting that is replaced by ${value.slice(0, 50)} is taken, or is a complaint`, async () => {
    let count = 0;
    for (const settings of withMarks(complete)) {
      const text = JSON.stringify({ model_sync: settings });
      await loadsOrComplains(text, () => load(text.replace(JSON.stringify(MARK), value)));
      count++;
    }
    assert.ok(count > 200, String(count));
  });
}

Deno.test("variables that hold odd texts are taken, or are complaints", async () => {
  const texts = [
    "null",
    "[]",
    "{}",
    "-1",
    "1e309",
    "NaN",
    "[1",
    "{",
    "\u0001",
    LONG,
    '["\\u0000"]',
    "__proto__",
  ];
  const names = configKeys().map(({ envName }) => envName);
  for (const text of [...texts, '{"__proto__": {"a": 1}}', `${"[".repeat(500)}${"]".repeat(500)}`]) {
    const variables = Object.fromEntries(names.map((name) => [name, text]));
    await loadsOrComplains(text.slice(0, 50), () => load("", variables));
  }
  assert.equal(Reflect.get({}, "a"), undefined);
});
