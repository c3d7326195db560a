import { cleanLine } from "../core/clean_text.ts";
import type { Environment } from "../core/context.ts";
import { UsageError } from "../core/errors.ts";
import { Secret } from "../core/secret.ts";
import { isAppsettings, plainJson, readAppsettings, readAppsettingsEnvironment } from "./appsettings.ts";
import { readEnvironment } from "./environment.ts";
import { fitText } from "./fit_text.ts";
import { expandSetting, homeProblem } from "./home_settings.ts";
import { readHordeEnvironment } from "./horde_environment.ts";
import { rememberEnvironment, rememberSettings } from "./remember_secrets.ts";
import { ModelSync } from "./schema.ts";
import { valueProblem } from "./value_problem.ts";
import { type Place, readYamlSection, YamlProblem } from "./yaml_section.ts";

/** Where a setting came from; settings that came from nowhere are defaults. */
export type Origin =
  | ({ readonly kind: "file" } & Place)
  | { readonly kind: "environment"; readonly name: string }
  | { readonly kind: "flag"; readonly name: string };

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
  /** Whether the user named the file. The default one may be missing. */
  readonly isFileRequired: boolean;
  /** Read where the default file is missing: a bot's `appsettings.json`. */
  readonly fallbackFile?: string;
  readonly flags: readonly FlagValue[];
  readonly env: Environment;
  /** A file's text, of at most {@link CONFIG_BYTES_MAX}; `undefined` when there is no such file. */
  readonly readText: (path: string) => string | undefined;
}

export interface LoadedConfig {
  readonly settings: ModelSync;
  /** The file that was read; `undefined` when there is none. */
  readonly file: string | undefined;
  /** Where each setting that is not a default came from, by its dotted path. */
  readonly origins: ReadonlyMap<string, Origin>;
  /** A token for GitHub that the configuration of a .NET bot holds, and where. */
  readonly githubToken: { readonly token: Secret; readonly origin: Origin } | undefined;
  /** Sentences about variables of the reference sync that may not mean what was meant; for the command that uses them. */
  readonly warnings: readonly string[];
}

/** A configuration that cannot be used. */
export class ConfigError extends UsageError {
  /** Each begins with its place. */
  readonly complaints: readonly string[];

  constructor(complaints: readonly string[], hint: string) {
    const [first = "it is invalid"] = complaints;
    const more = complaints.length > 1 ? ` (and ${complaints.length - 1} more)` : "";
    super(`Cannot use the configuration: ${first}${more}`, { code: "CONFIG_INVALID", hint });
    this.complaints = complaints.map((complaint) => cleanLine(complaint));
  }
}

/** A bot's configuration is some hundred lines; more than this is not one. */
export const CONFIG_BYTES_MAX = 1024 * 1024;

const HINT = "model-sync config check lists every complaint; model-sync config init writes a commented file";

/**
 * Reads the configuration: flags over our variables over those of the original reference sync over file over the
 * settings of a .NET bot over defaults.
 *
 * @throws {ConfigError} naming file, line and column, variable or flag of each complaint
 */
export async function loadConfig(input: ConfigInput): Promise<LoadedConfig> {
  rememberEnvironment(input.env);
  const layers = new Layers(input.env);
  const read = findFile(input);
  const githubToken = addAppsettings(layers, read, input.env);
  if (read !== undefined) addFile(layers, read);
  const horde = await readHordeEnvironment(input.env);
  // Where a setting is given twice, MODEL_SYNC_* wins: whoever uses that name has turned to this program.
  for (const { path, value, name } of [...horde.values, ...readEnvironment(input.env)]) {
    layers.set(path, value, { kind: "environment", name });
  }
  for (const { path, value, flag } of input.flags) layers.set(path, value, { kind: "flag", name: flag });

  rememberSettings(layers.raw, input.env);
  const result = parse(layers);
  if (!result.success) {
    const { COMPLAINTS_MAX, describeIssue } = await import("./complaints.ts");
    const issues = result.error.issues.slice(0, COMPLAINTS_MAX);
    const complaints = issues.flatMap((issue) => describeIssue(issue, layers.origins));
    throw new ConfigError(complaints.sort(new Intl.Collator("en", { numeric: true }).compare), HINT);
  }
  return {
    settings: result.data,
    file: read?.file,
    origins: layers.origins,
    githubToken,
    warnings: horde.warnings,
  };
}

/** Converts texts of the file that fail as they stand; options and variables have their own readers. */
function parse({ raw, origins }: Layers): ReturnType<typeof ModelSync.safeParse> {
  const result = ModelSync.safeParse(raw, { reportInput: true });
  if (result.success) return result;
  let isChanged = false;
  for (const issue of result.error.issues) {
    const path = issue.path.map(String);
    if (originOf(path, origins)?.kind !== "file") continue;
    const fitted = fitText(raw, issue);
    if (fitted !== undefined) isChanged = true;
    if (fitted === "removed") origins.delete(path.join("."));
  }
  return isChanged ? ModelSync.safeParse(raw, { reportInput: true }) : result;
}

/** Where a setting, or the list that it stands in, came from. */
function originOf(path: readonly string[], origins: ReadonlyMap<string, Origin>): Origin | undefined {
  for (let length = path.length; length > 0; length--) {
    const origin = origins.get(path.slice(0, length).join("."));
    if (origin !== undefined) return origin;
  }
  return undefined;
}

/** Whether a file, a variable or an option gives a setting of a section. */
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
  throw new ConfigError([`${file} does not exist`], "check --config, or write one: model-sync config init");
}

/** `configs/bot.yaml:12:3`, `--branch`, `MODEL_SYNC_BRANCH`. */
export function describeOrigin(origin: Origin): string {
  return origin.kind === "file" ? `${origin.file}:${origin.line}:${origin.column}` : origin.name;
}

/** The values of all layers, each over those below it, and where each came from. */
class Layers {
  readonly raw: Record<string, unknown> = Object.create(null);
  readonly origins = new Map<string, Origin>();
  readonly #env: Environment;

  constructor(env: Environment) {
    this.#env = env;
  }

  /** @throws {ConfigError} where the value is unusable whatever the setting is */
  set(path: readonly string[], value: unknown, origin: Origin): void {
    const problem = valueProblem(value) ?? homeProblem(path, value, this.#env);
    if (problem !== undefined) {
      const name = ["model_sync", ...path, ...problem.path].join(".");
      throw new ConfigError([`${describeOrigin(origin)}: ${name} ${problem.reason}`], HINT);
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

function addFile(layers: Layers, { file, text }: ConfigFile): void {
  for (const { path, value, place } of readingYaml(() => readYamlSection(file, text, "model_sync"))) {
    layers.set(path, value, { kind: "file", ...place });
  }
}

/** Adds what a .NET bot has set, variables over its file, below everything else. @returns its token, which is no setting */
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
      "mend the file",
    );
  }
}
