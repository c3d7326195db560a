import * as z from "zod";
import { ENV_PREFIX } from "./env_prefix.ts";
import { ModelSync } from "./schema.ts";

/** The JSON schema of one key, or of a section with its keys. */
export interface KeySchema {
  readonly type?: string | undefined;
  readonly description?: string | undefined;
  /** `path` and `git-address` are ours: they mark paths on this machine. */
  readonly format?: string | undefined;
  readonly const?: unknown;
  readonly default?: unknown;
  readonly enum?: readonly unknown[] | undefined;
  readonly examples?: readonly unknown[] | undefined;
  readonly minimum?: number | undefined;
  readonly exclusiveMinimum?: number | undefined;
  readonly maximum?: number | undefined;
  /** Of a setting with several types. */
  readonly anyOf?: readonly KeySchema[] | undefined;
  /** Of an entry that `type` decides on. */
  readonly oneOf?: readonly KeySchema[] | undefined;
  /** Of a list. */
  readonly items?: KeySchema | undefined;
  readonly properties?: Readonly<Record<string, KeySchema>> | undefined;
}

/** One setting of the configuration. */
export interface ConfigKey {
  /** Below `model_sync`: `["publisher", "schedule"]`. */
  readonly path: readonly string[];
  readonly schema: KeySchema;
  /** The variable that sets it: `MODEL_SYNC_PUBLISHER_SCHEDULE`. */
  readonly envName: string;
}

const KeySchema: z.ZodType<KeySchema> = z.lazy(() =>
  z.object({
    type: z.string().optional(),
    description: z.string().optional(),
    format: z.string().optional(),
    const: z.unknown().optional(),
    default: z.unknown().optional(),
    enum: z.array(z.unknown()).optional(),
    examples: z.array(z.unknown()).optional(),
    minimum: z.number().optional(),
    exclusiveMinimum: z.number().optional(),
    maximum: z.number().optional(),
    anyOf: z.array(KeySchema).optional(),
    oneOf: z.array(KeySchema).optional(),
    items: KeySchema.optional(),
    properties: z.record(z.string(), KeySchema).optional(),
  })
);

/** Returns the JSON schema of a configuration file. Sections other than `model_sync` belong to the bot. */
export function jsonSchema(): Record<string, unknown> {
  // References inside the section start at the root of the whole schema.
  const { $defs, ...section } = sectionSchema();
  return {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    title: "model-sync configuration",
    description: "The model_sync section of a bot's configuration file. Other sections are ignored.",
    type: "object",
    properties: { model_sync: section },
    $defs,
  };
}

/** Returns every setting in the order of the schema. */
export function configKeys(): ConfigKey[] {
  return [...leaves(KeySchema.parse(sectionSchema()), [])];
}

/** Returns the schema of the section `model_sync` as a tree. */
export function sectionTree(): KeySchema {
  return KeySchema.parse(sectionSchema());
}

function sectionSchema(): Record<string, unknown> {
  const { $schema: _draft, ...schema } = z.toJSONSchema(ModelSync, { io: "input", unrepresentable: "any" });
  return schema;
}

function* leaves(schema: KeySchema, path: readonly string[]): Generator<ConfigKey> {
  if (schema.properties === undefined) {
    yield { path, schema, envName: envNameOf(path) };
    return;
  }
  for (const [name, child] of Object.entries(schema.properties)) yield* leaves(child, [...path, name]);
}

function envNameOf(path: readonly string[]): string {
  return ENV_PREFIX + path.join("_").toUpperCase();
}
