import { parseBoolean } from "./text_values.ts";

/** The removed settings with their defaults, by their dotted paths. Files from `config init --full` contain them. */
const DEFAULTS: ReadonlyMap<string, boolean> = new Map([["huggingface.xet", false]]);

/** Returns whether an earlier version had the setting. */
export function isRemoved(path: readonly string[]): boolean {
  return DEFAULTS.has(path.join("."));
}

/** Returns whether the setting was removed and has its default, so that the program does what the file says. */
export function hasNoEffect(path: readonly string[], value: unknown): boolean {
  const standard = DEFAULTS.get(path.join("."));
  if (standard === undefined) return false;
  return (typeof value === "string" ? parseBoolean(value) : value) === standard;
}
