import { cleanLine } from "../core/clean_text.ts";
import type { Environment } from "../core/context.ts";
import { UsageError } from "../core/errors.ts";
import { expandSetting, homeProblem } from "./expand_home.ts";
import { valueProblem } from "./value_problem.ts";
import type { Place } from "./yaml_section.ts";

/** Where a setting comes from. A setting without an origin has its default. */
export type Origin =
  | ({ readonly kind: "file" } & Place)
  | { readonly kind: "environment"; readonly name: string }
  | { readonly kind: "flag"; readonly name: string };

/** Returns the origin as a complaint shows it: `configs/bot.yaml:12:3`, `--branch` or `MODEL_SYNC_BRANCH`. */
export function describeOrigin(origin: Origin): string {
  return origin.kind === "file" ? `${origin.file}:${origin.line}:${origin.column}` : origin.name;
}

/** A configuration that cannot be used. */
export class ConfigError extends UsageError {
  /** Each begins with its place. */
  readonly complaints: readonly string[];

  constructor(complaints: readonly string[], hint: string = CHECK_HINT) {
    const [first = "it is invalid"] = complaints;
    const more = complaints.length > 1 ? ` (and ${complaints.length - 1} more)` : "";
    super(`Cannot use the configuration: ${first}${more}`, { code: "CONFIG_INVALID", hint });
    this.complaints = complaints.map((complaint) => cleanLine(complaint));
  }
}

const CHECK_HINT =
  "run model-sync config check to list every complaint; model-sync config init writes a commented file";

/** The raw values of the configuration and the origin of each. Later layers overwrite earlier ones. */
export class Layers {
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
      const name = ["model_sync", ...path, ...problem.path].join(".");
      throw new ConfigError([`${describeOrigin(origin)}: ${name} ${problem.reason}`]);
    }
    let target = this.raw;
    for (const name of path.slice(0, -1)) target = childOf(target, name);
    const last = path.at(-1);
    if (last === undefined) return;
    target[last] = expandSetting(path, value, this.#env);
    this.origins.set(path.join("."), origin);
  }

  /** Returns the origin of a setting, or of the list that contains it. */
  originOf(path: readonly string[]): Origin | undefined {
    for (let length = path.length; length > 0; length--) {
      const origin = this.origins.get(path.slice(0, length).join("."));
      if (origin !== undefined) return origin;
    }
    return undefined;
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
