import { ConfigError, describeOrigin, type Origin } from "../lib/config/config_error.ts";
import type { LoadedConfig } from "../lib/config/load.ts";
import { type ConfigKey, configKeys, jsonSchema } from "../lib/config/keys.ts";
import { renderStarter } from "../lib/config/starter.ts";
import type { LifeName } from "../lib/config/lives.ts";
import { EXIT, type ExitCode } from "../lib/core/errors.ts";
import { redactArguments } from "../lib/core/redact_arguments.ts";
import { REDACTED } from "../lib/core/secret.ts";
import { INIT_OPTIONS, LIFE_OPERAND, newFile, planLife, writeConfig } from "./_init.ts";
import { type Options, switchOption } from "./_declaration.ts";
import { NO_OPERANDS } from "./_arguments.ts";
import { command, type CommandFlags, main, plainCommand, type Program } from "./_command.ts";
import { narrowToReading, type PlainSession, type Session } from "./_session.ts";
import type { Output } from "./_output.ts";

const OPTIONS = {
  full: switchOption({ group: "Options", brief: "Write every setting with its default and a comment" }),
  ...INIT_OPTIONS,
} satisfies Options;

const PLAIN = { options: {}, operands: NO_OPERANDS };

export const program: Program = {
  name: "config",
  commands: {
    check: plainCommand({
      ...PLAIN,
      summary: "Check the configuration and list every complaint",
      examples: [
        ["Check configs/bot.yaml", "model-sync config check"],
        ["Check another file, for a script", "model-sync config check --config staging.yaml --json"],
      ],
      run: check,
    }),
    print: command({
      ...PLAIN,
      summary: "Show every setting with its origin, without secrets",
      examples: [["Show the settings of this machine", "model-sync config print"]],
      run: print,
    }),
    init: plainCommand({
      summary: "Create a configuration file, as init does without checks",
      options: OPTIONS,
      operands: LIFE_OPERAND,
      examples: [
        ["Create configs/bot.yaml with every setting", "model-sync config init --full"],
        ["Create it for a backend", "model-sync config init huggingface --repo-id you/your-models"],
        ["Replace another file", "model-sync config init --full --config staging.yaml --force"],
      ],
      run: init,
    }),
    schema: plainCommand({
      ...PLAIN,
      summary: "Print the JSON schema of the configuration, for editors",
      examples: [["Write the schema to a file", "model-sync config schema > bot.schema.json"]],
      run: schema,
    }),
  },
};

function print(session: Session): Promise<void> {
  const { output, config } = session;
  narrowToReading(session);
  const rows = settingRows(config);
  const json = Object.fromEntries(rows.map(({ name, value, from }) => [name, { value, from }]));
  output.document(json, () => printLines(output, rows));
  return Promise.resolve();
}

function schema(session: PlainSession): Promise<void> {
  const { output } = session;
  narrowToReading(session);
  output.document(jsonSchema(), () => [JSON.stringify(jsonSchema(), undefined, 2)]);
  return Promise.resolve();
}

async function check(session: PlainSession): Promise<ExitCode | void> {
  const { context, output, load } = session;
  narrowToReading(session);
  const { addressProblems } = await import("../lib/doctor/address_problems.ts");
  const ofEnvironment = addressProblems(context.env);
  try {
    const { file } = await load();
    if (ofEnvironment.length > 0) return complain(output, ofEnvironment);
    const what = file ?? "no file";
    output.result({ ok: true, file: file ?? null, complaints: [] }, () => [
      `${output.paint("green", "✓")} ${what}: ${
        file === undefined ? "every setting has its default" : "no complaints"
      }`,
    ]);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return complain(output, [...error.complaints, ...ofEnvironment]);
  }
}

function complain(output: Output, complaints: readonly string[]): ExitCode {
  output.answer(
    { ok: false, complaints },
    () => complaints.map((complaint) => `${output.paint("red", "✗")} ${complaint}`),
  );
  return EXIT.usage;
}

async function init(
  plain: PlainSession,
  flags: CommandFlags<typeof OPTIONS>,
  operand: LifeName | undefined,
): Promise<void> {
  const { context: { fs }, output } = plain;
  const planned = flags.full === true
    ? { file: await newFile(plain, flags), text: renderStarter() }
    : await planLife(plain, flags, operand);
  const { file, text } = planned;
  if (flags.dryRun === true) return output.answer({ dryRun: true, file, text }, () => [text.trimEnd()]);
  const written = writeConfig(fs, planned, flags.force === true);
  output.result({ file, written }, () => [
    ...written.map((path) => `${output.paint("green", "✓")} wrote ${path}`),
    flags.full === true
      ? "  set repo_url (or repo_dir) in it, then: model-sync doctor"
      : "  next: model-sync doctor",
  ]);
}

interface SettingRow {
  readonly name: string;
  readonly value: unknown;
  readonly from: string;
}

function settingRows(config: LoadedConfig): SettingRow[] {
  return configKeys().map((key) => {
    const name = key.path.join(".");
    const origin = config.origins.get(name) ?? originBelow(config, name);
    return {
      name,
      value: shownValue(key, config),
      from: origin === undefined ? "default" : describeOrigin(origin),
    };
  });
}

/** Returns the origin of a map whose entries were set one by one: that of the first entry. */
function originBelow(config: LoadedConfig, name: string): Origin | undefined {
  for (const [path, origin] of config.origins) if (path.startsWith(`${name}.`)) return origin;
  return undefined;
}

/** Settings whose value is always a secret. */
const SECRET_SETTING = /(?:^|_)(?:api_key|token|secret|password)$/;

/** Settings whose maps have no keys of the user's own: the windows of a schedule. */
const PLAIN_SETTING = /^deny$/;

/** Returns the value of a setting without possible secrets. */
function shownValue(key: ConfigKey, config: LoadedConfig): unknown {
  let value: unknown = config.settings;
  for (const name of key.path) value = new Map(Object.entries(value ?? {})).get(name);
  if (value !== undefined && SECRET_SETTING.test(key.path.at(-1) ?? "")) return REDACTED;
  if (PLAIN_SETTING.test(key.path.at(-1) ?? "")) return value;
  return withoutSecrets(value) ?? null;
}

/** Hides every entry of a map: the user chooses the names in headers and payloads. */
function withoutSecrets(value: unknown): unknown {
  if (typeof value === "string") return redactArguments([value])[0];
  if (Array.isArray(value)) {
    return value.every((item) => typeof item === "string")
      ? redactArguments(value)
      : value.map((item) => withoutSecrets(item));
  }
  if (typeof value === "object" && value !== null) {
    return Object.fromEntries(Object.keys(value).map((name) => [name, REDACTED]));
  }
  return value;
}

function printLines(output: Output, rows: readonly SettingRow[]): string[] {
  const nameWidth = Math.max(...rows.map((row) => row.name.length));
  const texts = rows.map((row) => row.value === null ? "(not set)" : JSON.stringify(row.value));
  const valueWidth = Math.min(40, Math.max(...texts.map((text) => text.length)));
  return rows.map((row, index) =>
    `${row.name.padEnd(nameWidth)}  ${(texts[index] ?? "").padEnd(valueWidth)}  ${
      output.paint("dim", row.from)
    }`
  );
}

if (import.meta.main) await main(program);
