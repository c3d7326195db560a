import { dirname } from "node:path";
import { ConfigError, describeOrigin, type LoadedConfig } from "../lib/config/load.ts";
import { type ConfigKey, configKeys, jsonSchema } from "../lib/config/keys.ts";
import { renderStarter } from "../lib/config/starter.ts";
import { EXIT, type ExitCode, UsageError } from "../lib/core/errors.ts";
import { findEntry, replaceFile } from "../lib/core/files.ts";
import { redactUrls } from "../lib/core/secret.ts";
import {
  type CommonOptions,
  DEFAULT_CONFIG_FILE,
  main,
  newGroup,
  newSubcommand,
  withPlainSession,
  withSession,
} from "./_command.ts";
import type { Output } from "./_output.ts";

interface InitOptions extends CommonOptions {
  readonly force?: boolean | undefined;
}

export function command() {
  const config = newGroup("config");
  config.addCommand(
    newSubcommand("check", "Check the configuration and list every complaint")
      .action((options: CommonOptions) =>
        withPlainSession(options, (plain) => check(plain.output, plain.load))
      ),
  );
  config.addCommand(
    newSubcommand("print", "Show every setting with where it comes from; secrets stay out")
      .action((options: CommonOptions) =>
        withSession(options, ({ output, config }) => {
          const rows = settingRows(config);
          output.result(
            Object.fromEntries(rows.map(({ name, value, from }) => [name, { value, from }])),
            () => printLines(output, rows),
          );
          return Promise.resolve();
        })
      ),
  );
  config.addCommand(
    newSubcommand("init", "Write a commented configuration file with every setting")
      .option("--force", "replace a file that exists")
      .action((options: InitOptions) => withPlainSession(options, ({ output }) => init(output, options))),
  );
  config.addCommand(
    newSubcommand("schema", "Print the JSON schema of the configuration, for editors")
      .action((options: CommonOptions) =>
        withPlainSession(options, ({ output }) => {
          output.result(jsonSchema(), () => [JSON.stringify(jsonSchema(), undefined, 2)]);
          return Promise.resolve();
        })
      ),
  );
  return config;
}

async function check(output: Output, load: () => Promise<LoadedConfig>): Promise<ExitCode | void> {
  try {
    const { file } = await load();
    const what = file ?? "no file";
    output.result({ ok: true, file: file ?? null, complaints: [] }, () => [
      `${output.paint("green", "✓")} ${what}: ${
        file === undefined ? "every setting has its default" : "no complaints"
      }`,
    ]);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    output.result(
      { ok: false, complaints: error.complaints },
      () => error.complaints.map((complaint) => `${output.paint("red", "✗")} ${complaint}`),
    );
    return EXIT.usage;
  }
}

function init(output: Output, options: InitOptions): Promise<void> {
  const file = options.config ?? DEFAULT_CONFIG_FILE;
  if (findEntry(Deno, file) !== undefined && !options.force) {
    throw new UsageError(`Cannot write ${file}: it exists`, {
      code: "FILE_EXISTS",
      hint: "name another file with --config, or replace it with --force",
    });
  }
  Deno.mkdirSync(dirname(file), { recursive: true });
  replaceFile(Deno, file, renderStarter());
  output.result({ file }, () => [
    `${output.paint("green", "✓")} wrote ${file}`,
    "  set repo_url (or repo_dir) in it, then: model-sync doctor",
  ]);
  return Promise.resolve();
}

interface SettingRow {
  readonly name: string;
  readonly value: unknown;
  readonly from: string;
}

function settingRows(config: LoadedConfig): SettingRow[] {
  return configKeys().map((key) => {
    const name = key.path.join(".");
    const origin = config.origins.get(name);
    return {
      name,
      value: shownValue(key, config),
      from: origin === undefined ? "default" : describeOrigin(origin),
    };
  });
}

/** A value without the credentials that a URL may carry. */
function shownValue(key: ConfigKey, config: LoadedConfig): unknown {
  let value: unknown = config.settings;
  for (const name of key.path) value = new Map(Object.entries(value ?? {})).get(name);
  return typeof value === "string" ? redactUrls(value) : value ?? null;
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

if (import.meta.main) await main(command());
