import type { Environment } from "../core/context.ts";
import { parseJson } from "../core/json.ts";
import { splitTimes } from "../schedule/calendar.ts";
import { parseBoolean } from "./text_values.ts";
import { ENV_PREFIX } from "./env_prefix.ts";
import { GENERAL } from "./general.ts";
import type { ConfigKey } from "./keys.ts";
import { SECTION_DEFAULTS } from "./section_defaults.ts";

/** A setting from an environment variable. */
export interface EnvironmentValue {
  readonly path: readonly string[];
  readonly value: unknown;
  readonly name: string;
}

/**
 * Returns the settings of `MODEL_SYNC_*` variables. Lists are JSON or separated by commas. Schedules are separated by
 * semicolons, because cron expressions contain commas; times of day by either. Unknown variables are ignored:
 * Kubernetes sets some for a service called model-sync.
 */
export async function readEnvironment(env: Environment): Promise<EnvironmentValue[]> {
  const values: EnvironmentValue[] = [];
  // Most environments have none of these variables, and building and walking the schema costs 17 ms.
  if (!Object.keys(env.toObject()).some(mayBeSetting)) return values;
  const { configKeys } = await import("./keys.ts");
  for (const key of configKeys()) {
    const text = env.get(key.envName);
    if (text !== undefined && text !== "") {
      values.push({ path: key.path, value: parseValue(key, text), name: key.envName });
    }
  }
  return values;
}

/** The beginnings of the names of all variables that set something. */
const BEGINNINGS = [GENERAL, SECTION_DEFAULTS].flatMap((keys) =>
  Object.keys(keys).map((key) => ENV_PREFIX + key.toUpperCase())
);

/** Returns whether a variable has the name of a setting, or of one in a section. That of a launcher has not. */
function mayBeSetting(name: string): boolean {
  return name.startsWith(ENV_PREFIX) && BEGINNINGS.some((one) => name === one || name.startsWith(`${one}_`));
}

/** Returns a value of the setting's type, or the unchanged text, which the schema then refuses. */
function parseValue({ schema }: ConfigKey, text: string): unknown {
  const types = [schema, ...schema.anyOf ?? []].map(({ type }) => type);
  if (types.includes("array") && types.includes("string")) return parseTimes(text);
  // A setting of several types is a number if the text is a number.
  if (types.length > 1 && /^-?\d+(\.\d+)?$/.test(text)) {
    return types.includes("number") || types.includes("integer") ? Number(text) : text;
  }
  switch (schema.type) {
    case "boolean":
      return parseBoolean(text) ?? text;
    case "number":
    case "integer":
      return Number.isFinite(Number(text)) ? Number(text) : text;
    case "array":
      return parseJson(text) ?? text.split(",").map((part) => part.trim()).filter((part) => part !== "");
    case "object":
      return parseJson(text) ?? text;
    default:
      return text;
  }
}

/** Parses a schedule: the only settings that are a text or a list of texts. */
function parseTimes(text: string): unknown {
  const json = parseJson(text);
  if (Array.isArray(json)) return json;
  const times = splitTimes(text);
  return times.length === 1 ? text : times;
}
