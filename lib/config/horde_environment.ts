import type { Environment } from "../core/context.ts";
import { parseJson } from "../core/json.ts";
import type { EnvironmentValue } from "./environment.ts";

/** The prefix of the original reference sync's variables. */
const SYNC_PREFIX = "HORDE_GITHUB_SYNC_";

/** The setting of a variable, and its type. */
interface Meaning {
  /** Below `model_sync.references`. */
  readonly path: readonly string[];
  readonly type: "text" | "number" | "boolean" | "list";
}

/** The original's variables without their prefix, from `horde_model_reference/sync/config.py`. */
const SYNC_MEANINGS: readonly (readonly [name: string, Meaning])[] = [
  ["PRIMARY_API_URL", { path: ["primary_url"], type: "text" }],
  ["PRIMARY_API_TIMEOUT", { path: ["primary_timeout_sec"], type: "number" }],
  ["CATEGORIES_TO_SYNC", { path: ["categories"], type: "list" }],
  ["PR_REVIEWERS", { path: ["pr", "reviewers"], type: "list" }],
  ["PR_LABELS", { path: ["pr", "labels"], type: "list" }],
  ["PR_AUTO_ASSIGN_TEAM", { path: ["pr", "team"], type: "text" }],
  ["MIN_CHANGES_THRESHOLD", { path: ["min_changes_threshold"], type: "number" }],
  ["SYNC_TEMP_DIR", { path: ["temp_dir"], type: "text" }],
  ["TARGET_CLONE_DIR", { path: ["target_dir"], type: "text" }],
  ["DRY_RUN", { path: ["dry_run"], type: "boolean" }],
  ["NO_PR", { path: ["no_pr"], type: "boolean" }],
  ["OUTPUT_DIR", { path: ["output_dir"], type: "text" }],
  ["VERBOSE_LOGGING", { path: ["verbose"], type: "boolean" }],
  ["WATCH_MODE", { path: ["watch", "enabled"], type: "boolean" }],
  ["WATCH_INTERVAL_SECONDS", { path: ["watch", "interval_sec"], type: "number" }],
  ["WATCH_INITIAL_DELAY_SECONDS", { path: ["watch", "initial_delay_sec"], type: "number" }],
  ["WATCH_ENABLE_STARTUP_SYNC", { path: ["watch", "startup_sync"], type: "boolean" }],
];

/** The variables of the synced repositories: one underscore in the original's first version, two in later ones. */
const REPOSITORY_MEANINGS = ["IMAGE", "TEXT"].flatMap((kind) =>
  ["_", "__"].flatMap((delimiter) =>
    ["OWNER", "NAME", "BRANCH"].map((key): readonly [string, Meaning] => [
      `HORDE_MODEL_REFERENCE_${kind}_GITHUB_REPO${delimiter}${key}`,
      { path: [`${kind.toLowerCase()}_repository`, key.toLowerCase()], type: "text" },
    ])
  )
);

/** All variables by their full names. Where two set the same setting, the later one in this list counts. */
const MEANINGS: ReadonlyMap<string, Meaning> = new Map([
  ...SYNC_MEANINGS.map(([name, meaning]) => [SYNC_PREFIX + name, meaning] as const),
  ...REPOSITORY_MEANINGS,
  ["GITHUB_PROXY_URL_BASE", { path: ["github_proxy_url_base"], type: "text" }],
]);

/** The token has no setting: `lib/github` reads it. */
const TOKEN_NAME = `${SYNC_PREFIX}GITHUB_TOKEN`;

/** The settings that the variables of the original reference sync give. */
export interface HordeEnvironment {
  readonly values: readonly EnvironmentValue[];
  /** Sentences about unknown and adjusted variables. */
  readonly warnings: readonly string[];
}

/**
 * Reads the variables of the original reference sync by its rules: names in any case, booleans as pydantic parses them.
 * Lists are JSON or, as its documentation says, separated by commas. An empty variable counts as not set.
 */
export async function readHordeEnvironment(env: Environment): Promise<HordeEnvironment> {
  const variables = foldNames(env);
  const values: EnvironmentValue[] = [];
  const warnings: string[] = [];
  for (const [known, { path, type }] of MEANINGS) {
    const { name, text } = variables.get(known) ?? { name: known, text: "" };
    if (text === "") continue;
    let value = parseValue(type, text);
    if (path[0] === "min_changes_threshold" && typeof value === "number" && value < 1) {
      warnings.push(
        `${name} is ${value} and counts as 1; to make pull requests whatever the number is, use --force`,
      );
      value = 1;
    }
    values.push({ path: ["references", ...path], value, name });
  }
  return { values, warnings: [...warnings, ...await unknownNames(variables)] };
}

/** A variable of the environment. */
interface Variable {
  readonly name: string;
  /** Trimmed. */
  readonly text: string;
}

/** Returns the variables by their names in capitals. A name that is in capitals wins over other spellings. */
function foldNames(env: Environment): Map<string, Variable> {
  const variables = new Map<string, Variable>();
  for (const [name, value] of Object.entries(env.toObject())) {
    const folded = name.toUpperCase();
    if (folded === name || !variables.has(folded)) variables.set(folded, { name, text: value.trim() });
  }
  return variables;
}

/** Returns a value of the type, or the unchanged text, which the schema then refuses. */
function parseValue(type: Meaning["type"], text: string): unknown {
  switch (type) {
    case "boolean":
      return parseBoolean(text);
    case "number":
      return /^[+-]?\d+(\.\d+)?$/.test(text) ? Number(text) : text;
    case "list":
      return parseList(text);
    case "text":
      return text;
  }
}

/** Parses the texts that pydantic accepts as booleans, in any case. */
function parseBoolean(text: string): unknown {
  if (/^(true|t|yes|y|on|1)$/i.test(text)) return true;
  return /^(false|f|no|n|off|0)$/i.test(text) ? false : text;
}

function parseList(text: string): unknown {
  const items = text.startsWith("[") ? parseJson(text) : text.split(",");
  if (!Array.isArray(items)) return text;
  return items.map((item: unknown) => typeof item === "string" ? item.trim() : item).filter((item) =>
    item !== ""
  );
}

/** Kubernetes sets variables of this form for a service called horde-github-sync. */
const SERVICE_VARIABLE = /^(?:PORT|SERVICE_(?:HOST|PORT))(?:_|$)/;

async function unknownNames(variables: ReadonlyMap<string, Variable>): Promise<string[]> {
  const unknown = [...variables].filter(([folded]) =>
    folded.startsWith(SYNC_PREFIX) && folded !== TOKEN_NAME && !MEANINGS.has(folded) &&
    !SERVICE_VARIABLE.test(folded.slice(SYNC_PREFIX.length))
  );
  if (unknown.length === 0) return [];
  // Loaded here because loading it costs every start some milliseconds.
  const { suggestion } = await import("./complaints.ts");
  const known = SYNC_MEANINGS.map(([name]) => SYNC_PREFIX + name);
  return unknown.map(([folded, { name }]) =>
    `${name} is not a variable of the reference sync and is ignored${suggestion(folded, known)}`
  );
}
