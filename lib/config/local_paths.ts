import { isGitPath, pathFrom } from "../core/local_path.ts";
import { configKeys, type KeySchema } from "./keys.ts";

/**
 * Returns the values with every path in them made absolute, also in lists and their entries. The schema says which
 * texts are paths: `LocalPath` and `GitAddress`.
 *
 * @param folder in which relative paths start
 */
export function withAbsolutePaths<Value extends SettingValue>(
  values: readonly Value[],
  folder: string,
): Value[] {
  const schemas = new Map(configKeys().map(({ path, schema }) => [path.join("."), schema]));
  return values.map((entry) => ({
    ...entry,
    value: absolute(schemas.get(entry.path.join(".")) ?? {}, entry.value, folder),
  }));
}

/** A setting's value, and the setting's path below `model_sync`. */
interface SettingValue {
  readonly path: readonly string[];
  readonly value: unknown;
}

function absolute(schema: KeySchema, value: unknown, folder: string): unknown {
  const variants = [schema, ...schema.anyOf ?? [], ...schema.oneOf ?? []];
  if (typeof value === "string") {
    return variants.some(({ format }) => isPath(format, value)) ? pathFrom(folder, value) : value;
  }
  if (Array.isArray(value)) {
    const items = variants.find(({ items }) => items !== undefined)?.items;
    return items === undefined ? value : value.map((item) => absolute(items, item, folder));
  }
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value);
  const fitting = variants.find(({ properties }) => properties !== undefined && fits(properties, entries));
  return Object.fromEntries(
    entries.map(([name, child]) => [name, absolute(fitting?.properties?.[name] ?? {}, child, folder)]),
  );
}

function isPath(format: string | undefined, value: string): boolean {
  return format === "path" || (format === "git-address" && isGitPath(value));
}

/** Returns whether an entry is of the kind that the properties describe: its `type` is theirs. */
function fits(
  properties: Readonly<Record<string, KeySchema>>,
  entries: readonly (readonly [string, unknown])[],
): boolean {
  const type = properties["type"]?.const;
  return type === undefined || entries.some(([name, value]) => name === "type" && value === type);
}
