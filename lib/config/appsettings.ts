import type { Environment } from "../core/context.ts";
import { type Place, readYamlSection } from "./yaml_section.ts";

/** The configuration file of a .NET bot, in its working directory. */
export const APPSETTINGS_FILE = "appsettings.json";

/** A setting from a .NET bot's configuration, or GitHub's token, for which there is no setting. */
export interface AppSetting {
  /** Below `model_sync`; `token` for GitHub's token. */
  readonly path: readonly string[] | "token";
  readonly value: unknown;
  readonly from: ({ readonly kind: "file" } & Place) | {
    readonly kind: "environment";
    readonly name: string;
  };
}

interface Meaning {
  readonly path: AppSetting["path"];
  /** `text` stays a text; `other` is parsed as a boolean or number. */
  readonly type: "text" | "other";
}

/** The settings of the bot's keys. The bot's other keys in `CloudSync` and `GitHub` are ignored. */
const MEANINGS: ReadonlyMap<string, Meaning> = new Map<string, Meaning>([
  ["cloudsync:enabled", { path: ["enabled"], type: "other" }],
  ["cloudsync:intervalminutes", { path: ["artifacts", "interval_minutes"], type: "other" }],
  ["github:owner", { path: ["artifacts", "owner"], type: "text" }],
  ["github:repository", { path: ["artifacts", "repository"], type: "text" }],
  ["github:token", { path: "token", type: "text" }],
]);

/** Returns whether a configuration file is JSON and not YAML. */
export function isAppsettings(file: string): boolean {
  return file.toLowerCase().endsWith(".json");
}

/**
 * Reads the `CloudSync` and `GitHub` sections of an `appsettings.json` by the rules of .NET: names in any case, comments
 * and trailing commas allowed, numbers also as texts.
 *
 * @param text the output of {@link plainJson}
 * @throws {YamlProblem} when the text is not JSON
 */
export function readAppsettings(file: string, text: string): AppSetting[] {
  const sections = new Set(
    Array.from(text.matchAll(/"(cloudsync|github)"\s*:\s*\{/gi), ([, name = ""]) => name),
  );
  return [...sections].flatMap((section) =>
    readYamlSection(file, text, section).flatMap(({ path, value, place }) =>
      settingOf([section, ...path].join(":"), value, { kind: "file", ...place })
    )
  );
}

/** Reads the same settings from environment variables in the spelling of .NET: `GitHub__Owner` or `GitHub:Owner`. */
export function readAppsettingsEnvironment(env: Environment): AppSetting[] {
  return Object.entries(env.toObject()).flatMap(([name, value]) =>
    settingOf(name.replaceAll("__", ":"), value, { kind: "environment", name })
  );
}

function settingOf(key: string, value: unknown, from: AppSetting["from"]): AppSetting[] {
  const meaning = MEANINGS.get(key.toLowerCase());
  if (meaning === undefined || value === "") return [];
  return [{ path: meaning.path, value: meaning.type === "text" ? value : parseText(value), from }];
}

/** Returns a boolean or number, or the unchanged value, which the schema then refuses. */
function parseText(value: unknown): unknown {
  if (typeof value !== "string") return value;
  if (/^\s*(true|false)\s*$/i.test(value)) return value.trim().toLowerCase() === "true";
  return Number.isFinite(Number(value)) ? Number(value) : value;
}

/** A string, a comment of either kind, a comma before a closing bracket, or a tab. */
const JSON_EXTRAS =
  /"(?:[^"\\\n]|\\.)*"|\/\/[^\n]*|\/\*[^]*?\*\/|,(?=\s*(?:(?:\/\/[^\n]*|\/\*[^]*?\*\/)\s*)*[}\]])|\t/g;

/**
 * Returns the JSON without .NET's extras: byte order mark, comments, trailing commas. Blanks replace them, so that
 * line and column of everything else stay the same.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { plainJson } from "./appsettings.ts";
 * assert.deepEqual(JSON.parse(plainJson('{"a": "//", /* b *\/ "c": [1,],} // d')), { a: "//", c: [1] });
 * ```
 */
export function plainJson(text: string): string {
  return text.replace(/^\ufeff/, "").replace(
    JSON_EXTRAS,
    (part) => part.startsWith('"') ? part : part.replace(/[^\n]/g, " "),
  );
}
