import type { Environment } from "../core/context.ts";
import { Secret } from "../core/secret.ts";
import { isAppsettings, plainJson, readAppsettings, readAppsettingsEnvironment } from "./appsettings.ts";
import { type EnvironmentValue, readEnvironment } from "./environment.ts";
import { readHordeEnvironment } from "./horde_environment.ts";
import { expandSetting, homeProblem } from "./expand_home.ts";
import { ConfigError, describeOrigin, OptionError, type Origin, originAbove } from "./config_error.ts";
import { rememberEnvironment, rememberSettings } from "./remember_secrets.ts";
import { hasNoEffect } from "./removed_settings.ts";
import { type ParsedSettings, parseSettings } from "./parse_settings.ts";
import type { ModelSync } from "./schema.ts";
import { fitText } from "./text_values.ts";
import { valueProblem } from "./value_problem.ts";
import { readYamlSection, YamlProblem } from "./yaml_section.ts";

/** A value from the command line. */
export interface FlagValue {
  /** The setting, below `model_sync`. */
  readonly path: readonly string[];
  readonly value: unknown;
  /** As typed: `--branch`. */
  readonly flag: string;
}

export interface ConfigInput {
  readonly file: string;
  /** Whether the user named the file. The default file may be missing. */
  readonly isFileRequired: boolean;
  /** A bot's `appsettings.json`, which is read when the default file is missing. */
  readonly fallbackFile?: string;
  readonly flags: readonly FlagValue[];
  readonly env: Environment;
  /** Where paths of variables start, if that is not the project. */
  readonly started?: Started | undefined;
  /** Returns a file's text of at most {@link CONFIG_BYTES_MAX} bytes; `undefined` when the file is missing. */
  readonly readText: (path: string) => string | undefined;
}

/** The start of a command in another folder than its project. */
export interface Started {
  readonly folder: string;
  /** The variables of the process. Those of the project's `.env` belong to the project. */
  readonly variables: Readonly<Record<string, string>>;
}

export interface LoadedConfig {
  readonly settings: ModelSync;
  /** The file that was read; `undefined` without a file. */
  readonly file: string | undefined;
  /** The origin of each setting that does not have its default, by its dotted path. */
  readonly origins: ReadonlyMap<string, Origin>;
  /** The folder in which the command was started, if that is not the project. */
  readonly startedIn: string | undefined;
  /** GitHub's token from the configuration of a .NET bot, with its origin. */
  readonly githubToken: { readonly token: Secret; readonly origin: Origin } | undefined;
  /** Sentences about unknown or adjusted variables of the reference sync. Only `references-sync` shows them. */
  readonly warnings: readonly string[];
  /** A sentence about each removed setting that the file contains and that was ignored. */
  readonly removed: readonly string[];
}

/** The largest configuration file. A bot's configuration has a few hundred lines. */
export const CONFIG_BYTES_MAX = 1024 * 1024;

/**
 * Returns the configuration. The order of precedence is: flags, `MODEL_SYNC_*` variables, variables of the original
 * reference sync, the file, the variables and sections of a .NET bot, defaults.
 *
 * @throws {ConfigError} with file, line and column, variable or flag of each complaint
 */
export async function loadConfig(input: ConfigInput): Promise<LoadedConfig> {
  rememberEnvironment(input.env);
  const layers = new Layers(input.env);
  const read = findFile(input);
  const githubToken = addAppsettings(layers, read, input.env);
  const removed = read === undefined ? [] : addFile(layers, read);
  const horde = await readHordeEnvironment(input.env);
  // MODEL_SYNC_* comes second and wins: those variables were written for this program.
  const ofVariables = [...horde.values, ...await readEnvironment(input.env)];
  for (const { path, value, name } of await withPlaces(ofVariables, input.started)) {
    layers.set(path, value, { kind: "environment", name });
  }
  for (const { path, value, flag } of input.flags) layers.set(path, value, { kind: "flag", name: flag });

  rememberSettings(layers.raw, input.env);
  const result = await parse(layers);
  if (!result.success) {
    const { COMPLAINTS_MAX, describeIssue } = await import("./complaints.ts");
    const issues = result.issues.slice(0, COMPLAINTS_MAX);
    const complaints = issues.flatMap((issue) => describeIssue(issue, layers.origins));
    complaints.sort(new Intl.Collator("en", { numeric: true }).compare);
    const areOptions = issues.every(({ path }) =>
      originAbove(path.map(String), layers.origins)?.kind === "flag"
    );
    throw areOptions ? new OptionError(complaints) : new ConfigError(complaints);
  }
  return {
    settings: result.data,
    file: read?.file,
    origins: layers.origins,
    startedIn: input.started?.folder,
    githubToken,
    warnings: horde.warnings,
    removed,
  };
}

/** Returns the values with the paths of the process's variables made absolute, if they do not start at the project. */
async function withPlaces(
  values: readonly EnvironmentValue[],
  started: Started | undefined,
): Promise<readonly EnvironmentValue[]> {
  if (started === undefined) return values;
  // Loaded only here: most commands start in their project.
  const { withAbsolutePaths } = await import("./local_paths.ts");
  const placed = withAbsolutePaths(values, started.folder);
  return values.map((value, index) =>
    started.variables[value.name] === undefined ? value : placed[index] ?? value
  );
}

/** Validates the layers. Texts of the file are converted where validation fails; flags and variables already are. */
async function parse(layers: Layers): Promise<ParsedSettings> {
  const result = await parseSettings(layers.raw);
  if (result.success) return result;
  let isChanged = false;
  for (const issue of result.issues) {
    const path = issue.path.map(String);
    if (originAbove(path, layers.origins)?.kind !== "file") continue;
    const fitted = fitText(layers.raw, issue);
    if (fitted !== undefined) isChanged = true;
    if (fitted === "removed") layers.origins.delete(path.join("."));
  }
  return isChanged ? await parseSettings(layers.raw) : result;
}

/** Returns whether nothing is configured: no file, no variable and no option sets anything. */
export function isUnconfigured({ file, origins }: Pick<LoadedConfig, "file" | "origins">): boolean {
  return file === undefined && origins.size === 0;
}

/** Returns whether the file, a variable or a flag sets a key of the section. */
export function givesSection({ origins }: Pick<LoadedConfig, "origins">, section: string): boolean {
  return origins.keys().some((name) => name.startsWith(`${section}.`));
}

/** A configuration file with its text. */
interface ConfigFile {
  readonly file: string;
  readonly text: string;
}

function findFile({ file, isFileRequired, fallbackFile, readText }: ConfigInput): ConfigFile | undefined {
  const candidates = isFileRequired || fallbackFile === undefined ? [file] : [file, fallbackFile];
  for (const candidate of candidates) {
    const text = readText(candidate);
    if (text === undefined) continue;
    return { file: candidate, text: isAppsettings(candidate) ? plainJson(text) : text };
  }
  if (!isFileRequired) return undefined;
  throw new ConfigError(
    [`${file} does not exist`],
    "check the path given with --config, or create a file with model-sync init",
  );
}

/** @returns a sentence about each removed setting that is ignored */
function addFile(layers: Layers, { file, text }: ConfigFile): string[] {
  const removed: string[] = [];
  for (const { path, value, place } of readingYaml(() => readYamlSection(file, text, "model_sync"))) {
    const origin: Origin = { kind: "file", ...place };
    if (hasNoEffect(path, value)) {
      const name = ["model_sync", ...path].join(".");
      removed.push(`${describeOrigin(origin)}: ${name} was removed and has no effect: delete this line`);
    } else layers.set(path, value, origin);
  }
  return removed;
}

/**
 * Adds the settings of a .NET bot as the lowest layer, its variables over its file.
 *
 * @returns GitHub's token, for which there is no setting
 */
function addAppsettings(
  layers: Layers,
  read: ConfigFile | undefined,
  env: Environment,
): LoadedConfig["githubToken"] {
  const isRead = read !== undefined && isAppsettings(read.file);
  const ofFile = isRead ? readingYaml(() => readAppsettings(read.file, read.text)) : [];
  let githubToken: LoadedConfig["githubToken"];
  for (const { path, value, from } of [...ofFile, ...readAppsettingsEnvironment(env)]) {
    if (path !== "token") layers.set(path, value, from);
    else if (typeof value === "string" && value.trim() !== "") {
      githubToken = { token: new Secret(value.trim()), origin: from };
    }
  }
  return githubToken;
}

function readingYaml<Result>(read: () => Result): Result {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof YamlProblem)) throw error;
    throw new ConfigError(
      [`${describeOrigin({ kind: "file", ...error.place })}: ${error.message}`],
      "correct the file at this place",
    );
  }
}

/** The raw values of the configuration and the origin of each. Later layers overwrite earlier ones. */
class Layers {
  readonly raw: Record<string, unknown> = Object.create(null);
  /** By the setting's dotted path. */
  readonly origins = new Map<string, Origin>();
  readonly #env: Environment;

  constructor(env: Environment) {
    this.#env = env;
  }

  /**
   * @param path below `model_sync`
   * @throws {ConfigError} where no setting may have this value
   */
  set(path: readonly string[], value: unknown, origin: Origin): void {
    const problem = valueProblem(value) ?? homeProblem(path, value, this.#env);
    if (problem !== undefined) {
      const place = describeOrigin(origin);
      if (origin.kind === "flag") throw new OptionError([`${place}: its value ${problem.reason}`]);
      const name = ["model_sync", ...path, ...problem.path].join(".");
      throw new ConfigError([`${place}: ${name} ${problem.reason}`]);
    }
    let target = this.raw;
    for (const name of path.slice(0, -1)) target = childOf(target, name);
    const last = path.at(-1);
    if (last === undefined) return;
    target[last] = expandSetting(path, value, this.#env);
    this.origins.set(path.join("."), origin);
  }
}

function childOf(parent: Record<string, unknown>, name: string): Record<string, unknown> {
  const child = parent[name];
  if (isRecord(child)) return child;
  const created: Record<string, unknown> = Object.create(null);
  parent[name] = created;
  return created;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
