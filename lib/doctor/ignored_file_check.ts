import { join } from "node:path";
import { APPSETTINGS_FILE, plainJson, readAppsettings } from "../config/appsettings.ts";
import { CONFIG_BYTES_MAX, type LoadedConfig } from "../config/load.ts";
import { readYamlSection, YamlProblem } from "../config/yaml_section.ts";
import type { Context } from "../core/context.ts";
import { type FileSystem, findEntry, findUtf8, UnusableFileError } from "../core/files.ts";
import { findToken } from "../core/read_secret.ts";
import { type Check, fail, warn } from "./check.ts";

/** A setting of model-sync in the file; `token` is GitHub's. */
interface Setting {
  readonly path: readonly string[] | "token";
  readonly value: unknown;
}

/**
 * Checks whether an `appsettings.json` holds settings that are set nowhere else, and is ignored because the default
 * configuration file exists.
 *
 * @param config the configuration without `--config`
 */
export function checkIgnoredFile(context: Pick<Context, "fs" | "env">, config: LoadedConfig): Check[] {
  if (config.file === undefined || config.file === APPSETTINGS_FILE) return [];
  const ignored = settingsIn(context.fs).filter((setting) => !isGiven(setting, context, config));
  if (ignored.length === 0) return [];
  const names = [...new Set(ignored.map(({ path }) => path === "token" ? "GitHub's token" : path.join(".")))];
  return [
    fail(
      "configuration",
      `${APPSETTINGS_FILE} is not read, because ${config.file} exists; only it holds ${names.join(", ")}`,
      `move that to ${config.file}, remove one of the files, or select one with --config`,
    ),
  ];
}

/** Checks whether the command was started beside another `.env` than that of the project. */
export function checkIgnoredDotenv(fs: FileSystem, { startedIn }: Pick<LoadedConfig, "startedIn">): Check[] {
  if (startedIn === undefined) return [];
  const path = join(startedIn, ".env");
  if (findEntry(fs, path)?.isFile !== true) return [];
  const advice = `if this machine needs its variables, move them to ${join(fs.cwd(), ".env")}`;
  return [warn("environment", `${path} is not read: the project is ${fs.cwd()}`, advice)];
}

function isGiven(
  { path, value }: Setting,
  { env }: Pick<Context, "env">,
  { origins, settings, githubToken }: LoadedConfig,
): boolean {
  if (path === "token") return (githubToken ?? findToken(env, settings.artifacts.token_env)) !== undefined;
  const given = path.reduce<unknown>(
    (parent, name) => typeof parent === "object" && parent !== null ? Reflect.get(parent, name) : undefined,
    settings,
  );
  // The bot's switch has no effect in a file.
  return path.join(".") === "enabled" || origins.has(path.join(".")) ||
    JSON.stringify(given) === JSON.stringify(value);
}

/** Returns the settings of model-sync in the file; none if it cannot be parsed. */
function settingsIn(fs: FileSystem): Setting[] {
  try {
    const text = plainJson(findUtf8(fs, APPSETTINGS_FILE, CONFIG_BYTES_MAX) ?? "");
    return [
      ...readAppsettings(APPSETTINGS_FILE, text),
      ...readYamlSection(APPSETTINGS_FILE, text, "model_sync"),
    ];
  } catch (error) {
    if (error instanceof YamlProblem || error instanceof UnusableFileError) return [];
    throw error;
  }
}
