import type { Environment } from "../core/context.ts";
import { type Place, readYamlSection } from "./yaml_section.ts";

/** The configuration file of a .NET bot, in its working directory. */
export const APPSETTINGS_FILE = "appsettings.json";

/** A setting of ours that a .NET bot's configuration gives, or a token, which is no setting. */
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
  /** Text stays as it is; of other settings the text is read as what it says. */
  readonly type: "text" | "other";
}

/** What the bot's keys mean here. Everything else in its `CloudSync` and `GitHub` sections is its own. */
const MEANINGS: ReadonlyMap<string, Meaning> = new Map<string, Meaning>([
  ["cloudsync:enabled", { path: ["enabled"], type: "other" }],
  ["cloudsync:intervalminutes", { path: ["artifacts", "interval_minutes"], type: "other" }],
  ["github:owner", { path: ["artifacts", "owner"], type: "text" }],
  ["github:repository", { path: ["artifacts", "repository"], type: "text" }],
  ["github:token", { path: "token", type: "text" }],
]);

/** Whether a configuration file is of this kind, and not YAML. */
export function isAppsettings(file: string): boolean {
  return file.toLowerCase().endsWith(".json");
}

/**
 * Reads the `CloudSync` and `GitHub` sections of an `appsettings.json`, as .NET does: capitals do not matter, comments
 * and commas at the end are allowed, a number may be written as text.
 *
 * @param text as {@link plainJson} makes it
 * @throws {YamlProblem} when it is not JSON
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

/** The same from environment variables, as .NET spells them: `GitHub__Owner`, or `GitHub:Owner` where that is possible. */
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

/** What does not fit stays as it is: the schema then complains about it as about any other value. */
function parseText(value: unknown): unknown {
  if (typeof value !== "string") return value;
  if (/^\s*(true|false)\s*$/i.test(value)) return value.trim().toLowerCase() === "true";
  return Number.isFinite(Number(value)) ? Number(value) : value;
}

/** A string, a comment of either kind, a comma before a closing bracket, or a tab. */
const JSON_EXTRAS =
  /"(?:[^"\\\n]|\\.)*"|\/\/[^\n]*|\/\*[^]*?\*\/|,(?=\s*(?:(?:\/\/[^\n]*|\/\*[^]*?\*\/)\s*)*[}\]])|\t/g;

/**
 * JSON without what .NET allows beside it: a byte order mark, comments, commas at the end. Blanks stand in their
 * places, so that everything else keeps its own.
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
