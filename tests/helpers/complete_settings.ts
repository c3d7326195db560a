import { configKeys } from "../../lib/config/keys.ts";
import { loadConfig, type LoadedConfig } from "../../lib/config/load.ts";
import { PROJECT } from "./run_cli.ts";
import { fixedEnvironment } from "./test_context.ts";

/** Loads a configuration from its text. */
export async function loadText(
  text: string,
  env: Readonly<Record<string, string>> = {},
): Promise<LoadedConfig> {
  return await loadConfig({
    file: "bot.yaml",
    isFileRequired: true,
    flags: [],
    env: fixedEnvironment(env),
    readText: () => text,
  });
}

/** Returns the configuration with every example of `configs/bot.yaml`, with defaults. */
export async function completeSettings(): Promise<unknown> {
  const text = Deno.readTextFileSync(`${PROJECT}configs/bot.yaml`);
  const names = configKeys().map(({ path }) => path.at(-1)).join("|");
  const { settings } = await loadText(text.replace(new RegExp(`^(\\s*)# ((?:${names}): )`, "gm"), "$1$2"));
  const { activation, ...others } = settings;
  const { canary, ...ofActivation } = activation;
  const every = {
    ...others,
    activation: { ...ofActivation, reload: HOOKS, canary: { ...canary, metrics: METRICS } },
  };
  await loadText(JSON.stringify({ model_sync: every }));
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
export const MARK = "@value@";

/** Yields the configuration once for each value and each section in it, with a mark in its place. */
export function* withMarks(value: unknown): Generator<unknown> {
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
