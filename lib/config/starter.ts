import { type KeySchema, sectionTree } from "./keys.ts";
import { isTree, type SettingTree } from "./lives.ts";

/** The name of the schema beside a configuration file, with which editors check the file. */
export const SCHEMA_FILE = "model-sync.schema.json";

const SCHEMA_LINE = `# yaml-language-server: $schema=./${SCHEMA_FILE}\n`;

const HEAD = `${SCHEMA_LINE}\
# The configuration of model-sync. Sections other than model_sync are ignored: they belong to your bot.
# This file lists every setting with its default. A setting that begins with # has no default and shows an example.
# Precedence: command line > environment (MODEL_SYNC_BRANCH, MODEL_SYNC_CLIENT_SCHEDULE, ...) > this file > default.
`;

/** The width of comments, for a terminal of 100 columns. */
const COMMENT_CHARS_MAX = 96;

/** Returns a commented configuration file with every setting: the output of `config init --full`, and `configs/bot.yaml`. */
export function renderStarter(): string {
  return `${HEAD}model_sync:\n${renderSection(sectionTree(), "  ")}`;
}

/** Returns a configuration file with these settings only: the output of `init`. */
export function renderShort(settings: SettingTree): string {
  return `${SCHEMA_LINE}# Every other setting has its default; model-sync config init --full writes a file with all.\n` +
    `model_sync:\n${renderTree(settings, "  ")}`;
}

function renderTree(tree: SettingTree, indent: string): string {
  return Object.entries(tree).map(([name, value]) =>
    isTree(value)
      ? `${indent}${name}:\n${renderTree(value, `${indent}  `)}`
      : `${indent}${name}: ${renderValue(value)}\n`
  ).join("");
}

function renderSection(section: KeySchema, indent: string): string {
  return Object.entries(section.properties ?? {}).map(([name, schema]) => {
    const comment = wrap(describe(schema), COMMENT_CHARS_MAX - indent.length).map((line) =>
      `${indent}# ${line}\n`
    ).join("");
    if (schema.properties !== undefined) {
      return `${comment}${indent}${name}:\n${renderSection(schema, `${indent}  `)}`;
    }
    const value = schema.default ?? schema.examples?.[0];
    const inactive = schema.default === undefined ? "# " : "";
    return `${comment}${indent}${inactive}${name}: ${renderValue(value)}\n`;
  }).join("");
}

function describe(schema: KeySchema): string {
  return schema.description ?? "";
}

/** Returns a value as YAML: JSON, but words without quotes. */
function renderValue(value: unknown): string {
  return typeof value === "string" && /^[A-Za-z][\w.-]*$/.test(value) &&
      !["true", "false", "yes", "no", "on", "off", "null"].includes(value)
    ? value
    : JSON.stringify(value)?.replaceAll('","', '", "') ?? "null";
}

function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return line === "" ? lines : [...lines, line];
}
