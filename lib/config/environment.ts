import type { Environment } from "../core/context.ts";
import { parseJson } from "../core/parse_json.ts";
import { splitTimes } from "../schedule/split_times.ts";
import { parseBoolean } from "./text_values.ts";
import { type ConfigKey, configKeys, ENV_PREFIX } from "./keys.ts";

/** A setting that an environment variable gives. */
export interface EnvironmentValue {
  readonly path: readonly string[];
  readonly value: unknown;
  readonly name: string;
}

/**
 * The settings that `MODEL_SYNC_*` variables give. Lists may be JSON or separated by commas; schedules, which use commas
 * themselves, by semicolons, and times of day by either. A variable that names no
 * setting is left alone: Kubernetes makes such variables for a service called model-sync.
 */
export function readEnvironment(env: Environment): EnvironmentValue[] {
  const values: EnvironmentValue[] = [];
  // The usual case, and the schema is walked only for the other one.
  if (!Object.keys(env.toObject()).some((name) => name.startsWith(ENV_PREFIX))) return values;
  for (const key of configKeys()) {
    const text = env.get(key.envName);
    if (text !== undefined && text !== "") {
      values.push({ path: key.path, value: parseValue(key, text), name: key.envName });
    }
  }
  return values;
}

/** Text that does not fit the type stays text: the schema then complains about it as about any other value. */
function parseValue({ schema }: ConfigKey, text: string): unknown {
  const types = [schema, ...schema.anyOf ?? []].map(({ type }) => type);
  if (types.includes("array") && types.includes("string")) return parseTimes(text);
  // A setting of several kinds is a number where the text is one.
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

/** The settings that are one text or a list of them are schedules. */
function parseTimes(text: string): unknown {
  const json = parseJson(text);
  if (Array.isArray(json)) return json;
  const times = splitTimes(text);
  return times.length === 1 ? text : times;
}
