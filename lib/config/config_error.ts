import { cleanLine } from "../core/clean_text.ts";
import { UsageError } from "../core/errors.ts";
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

/** Returns the origin of a setting, or of the list or table that contains it. */
export function originAbove(
  path: readonly string[],
  origins: ReadonlyMap<string, Origin>,
): Origin | undefined {
  for (let length = path.length; length > 0; length--) {
    const origin = origins.get(path.slice(0, length).join("."));
    if (origin !== undefined) return origin;
  }
  return undefined;
}

/** A configuration that cannot be used. */
export class ConfigError extends UsageError {
  /** Each begins with its place. */
  readonly complaints: readonly string[];

  constructor(complaints: readonly string[], hint = CHECK_HINT, lead = "the configuration: ") {
    const [first = "it is invalid"] = complaints;
    const more = complaints.length > 1 ? ` (and ${complaints.length - 1} more)` : "";
    super(`Cannot use ${lead}${first}${more}`, { code: "CONFIG_INVALID", hint });
    this.complaints = complaints.map((complaint) => cleanLine(complaint));
  }
}

/** Options of the command line that cannot be used. The command replaces the hint by one with its name. */
export class OptionError extends ConfigError {
  constructor(complaints: readonly string[]) {
    super(complaints, "the command's --help lists the options", "");
  }
}

const CHECK_HINT =
  "run model-sync config check to list every complaint; model-sync config init --full writes a commented file";
