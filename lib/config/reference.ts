import { type ConfigKey, configKeys, type KeySchema, sectionTree } from "./keys.ts";

/** The options of commands that stand for a setting, such as `--branch`, by the setting's dotted path. */
export type SettingOptions = ReadonlyMap<string, readonly string[]>;

const TYPE_WORDS: Readonly<Record<string, string>> = {
  array: "list",
  boolean: "true or false",
  integer: "whole number",
  number: "number",
  object: "mapping",
  string: "text",
};

/**
 * Returns the configuration reference in Markdown: a heading and a table for each section of the schema, with every
 * setting's type, default, comment, environment variable and options.
 */
export function renderReference(options: SettingOptions): string {
  const sections = Map.groupBy(configKeys(), ({ path }) => path.slice(0, -1).join("."));
  return Array.from(sections, ([name, keys]) => renderSection(name, keys, options)).join("\n");
}

function renderSection(name: string, keys: readonly ConfigKey[], options: SettingOptions): string {
  const { description } = schemaOf(name);
  const head = name === "" ? "### Top level\n" : `### \`${name}\`\n\n${description ?? ""}\n`;
  const rows = keys.map((key) => renderRow(key, options));
  return `${head}\n| setting | default | meaning |\n|---|---|---|\n${rows.join("\n")}\n`;
}

function schemaOf(name: string): KeySchema {
  let schema = sectionTree();
  for (const part of name === "" ? [] : name.split(".")) schema = schema.properties?.[part] ?? {};
  return schema;
}

function renderRow({ path, schema, envName }: ConfigKey, options: SettingOptions): string {
  const [example] = schema.default === undefined || schema.type === "array" ? schema.examples ?? [] : [];
  const meaning = [
    escape(schema.description ?? ""),
    example === undefined ? "" : `Example: ${code(example)}`,
    [envName, ...options.get(path.join(".")) ?? []].map((name) => `\`${name}\``).join(", "),
  ];
  const cells = [
    `\`${path.at(-1)}\`<br>${typeOf(schema)}`,
    schema.default === undefined ? "" : code(schema.default),
    meaning.filter((part) => part !== "").join("<br>"),
  ];
  return `| ${cells.join(" | ")} |`;
}

/** Returns the type in words: `text or list`, `whole number, 2 to 10000`, the values of a choice. */
function typeOf(schema: KeySchema): string {
  if (schema.enum !== undefined) return schema.enum.map((value) => `\`${value}\``).join(", ");
  if (schema.anyOf !== undefined) return schema.anyOf.map(typeOf).join(" or ");
  return `${TYPE_WORDS[schema.type ?? ""] ?? "any value"}${boundsOf(schema)}`;
}

/** JSON schema bounds every integer by these; they say nothing about the setting. */
const SAFE_INTEGERS: readonly unknown[] = [Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER];

function boundsOf({ minimum, exclusiveMinimum, maximum }: KeySchema): string {
  const most = SAFE_INTEGERS.includes(maximum) ? undefined : maximum;
  const least = SAFE_INTEGERS.includes(minimum) ? undefined : minimum;
  if (exclusiveMinimum !== undefined) {
    return most === undefined
      ? `, above ${exclusiveMinimum}`
      : `, above ${exclusiveMinimum}, at most ${most}`;
  }
  if (least === undefined) return most === undefined ? "" : `, at most ${most}`;
  return most === undefined ? `, at least ${least}` : `, ${least} to ${most}`;
}

function code(value: unknown): string {
  return value === "" ? "empty" : `\`${escape(JSON.stringify(value))}\``;
}

/** A vertical bar would end the cell. `*` and `<` would be Markdown. */
function escape(text: string): string {
  return text.replaceAll("|", "\\|");
}
