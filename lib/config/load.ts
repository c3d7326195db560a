import type { Environment } from "../core/context.ts";
import { UsageError } from "../core/errors.ts";
import { readEnvironment } from "./environment.ts";
import { ModelSync } from "./schema.ts";
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
  readonly flags: readonly FlagValue[];
  readonly env: Environment;
  /** A file's text; `undefined` when there is no such file. */
  readonly readText: (path: string) => string | undefined;
}

export interface LoadedConfig {
  readonly settings: ModelSync;
  /** The file that was read; `undefined` when there is none. */
  readonly file: string | undefined;
  /** Where each setting that is not a default came from, by its dotted path. */
  readonly origins: ReadonlyMap<string, Origin>;
}

/** A configuration that cannot be used. */
export class ConfigError extends UsageError {
  /** Each begins with its place. */
  readonly complaints: readonly string[];

  constructor(complaints: readonly string[], hint: string) {
    const [first = "it is invalid"] = complaints;
    const more = complaints.length > 1 ? ` (and ${complaints.length - 1} more)` : "";
    super(`Cannot use the configuration: ${first}${more}`, { code: "CONFIG_INVALID", hint });
    this.complaints = complaints;
  }
}

/** A bot's configuration is some hundred lines; more than this is not one. */
const CONFIG_CHARS_MAX = 1024 * 1024;

const HINT = "model-sync config check lists every complaint; model-sync config init writes a commented file";

/**
 * Reads the configuration: flags over environment over file over defaults.
 *
 * @throws {ConfigError} naming file, line and column, variable or flag of each complaint
 */
export async function loadConfig(input: ConfigInput): Promise<LoadedConfig> {
  const layers = new Layers();
  const text = input.readText(input.file);
  if (text === undefined && input.isFileRequired) {
    throw new ConfigError(
      [`${input.file} does not exist`],
      "check --config, or write one: model-sync config init",
    );
  }
  if (text !== undefined) addFile(layers, input.file, text);
  for (const { path, value, name } of readEnvironment(input.env)) {
    layers.set(path, value, { kind: "environment", name });
  }
  for (const { path, value, flag } of input.flags) layers.set(path, value, { kind: "flag", name: flag });

  const result = ModelSync.safeParse(layers.raw, { reportInput: true });
  if (!result.success) {
    const { describeIssue } = await import("./complaints.ts");
    const complaints = result.error.issues.flatMap((issue) => describeIssue(issue, layers.origins));
    throw new ConfigError(complaints.sort(new Intl.Collator("en", { numeric: true }).compare), HINT);
  }
  return {
    settings: result.data,
    file: text === undefined ? undefined : input.file,
    origins: layers.origins,
  };
}

/** `configs/bot.yaml:12:3`, `--branch`, `MODEL_SYNC_BRANCH`. */
export function describeOrigin(origin: Origin): string {
  return origin.kind === "file" ? `${origin.file}:${origin.line}:${origin.column}` : origin.name;
}

/** The values of all layers, each over those below it, and where each came from. */
class Layers {
  readonly raw: Record<string, unknown> = {};
  readonly origins = new Map<string, Origin>();

  set(path: readonly string[], value: unknown, origin: Origin): void {
    let target = this.raw;
    for (const name of path.slice(0, -1)) target = childOf(target, name);
    const last = path.at(-1);
    if (last === undefined) return;
    target[last] = value;
    this.origins.set(path.join("."), origin);
  }
}

function childOf(parent: Record<string, unknown>, name: string): Record<string, unknown> {
  const child = parent[name];
  if (isRecord(child)) return child;
  const created: Record<string, unknown> = {};
  parent[name] = created;
  return created;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function addFile(layers: Layers, file: string, text: string): void {
  if (text.length > CONFIG_CHARS_MAX) {
    throw new ConfigError(
      [`${file} has ${text.length} characters, at most ${CONFIG_CHARS_MAX} are read`],
      HINT,
    );
  }
  try {
    for (const { path, value, place } of readYamlSection(file, text, "model_sync")) {
      layers.set(path, value, { kind: "file", ...place });
    }
  } catch (error) {
    if (!(error instanceof YamlProblem)) throw error;
    throw new ConfigError(
      [`${describeOrigin({ kind: "file", ...error.place })}: ${error.message}`],
      "mend the YAML",
    );
  }
}
