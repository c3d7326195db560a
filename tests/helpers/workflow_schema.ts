import { JSONObjectReader } from "@actions/workflow-parser/templates/json-object-reader";
import { TemplateSchema } from "@actions/workflow-parser/templates/schema/index";
import {
  TemplateContext,
  TemplateValidationErrors,
} from "@actions/workflow-parser/templates/template-context";
import { readTemplate } from "@actions/workflow-parser/templates/template-reader";
import { NoOperationTraceWriter } from "@actions/workflow-parser/templates/trace-writer";
import { YamlObjectReader } from "@actions/workflow-parser/workflows/yaml-object-reader";

/** The two kinds of files that GitHub Actions reads, and the root of GitHub's schema for each. */
const KINDS = {
  workflow: { file: "workflow-v1.0.min.json", root: "workflow-root-strict" },
  action: { file: "action-v1.0.min.json", root: "action-root-strict" },
} as const;

/** The folder of the package. Deno 2.6 does not say where its packages are. */
const MODULE = import.meta.resolve("@actions/workflow-parser/templates/trace-writer");

export const HAS_WORKFLOW_SCHEMA = MODULE.startsWith("file:");

const schemas = new Map<keyof typeof KINDS, TemplateSchema>();

/**
 * Returns what GitHub's parser finds wrong in a file: unknown keys, values of a wrong type, expressions that do not parse
 * or name an unknown context. The package's own entry points import JSON in a way that only bundlers accept.
 */
export function schemaProblems(kind: keyof typeof KINDS, name: string, text: string): string[] {
  const context = new TemplateContext(
    new TemplateValidationErrors(),
    schemaOf(kind),
    new NoOperationTraceWriter(),
  );
  const fileId = context.getFileId(name);
  const reader = new YamlObjectReader(fileId, text);
  if (reader.errors.length > 0) return reader.errors.map(({ message }) => message);
  readTemplate(context, KINDS[kind].root, reader, fileId);
  return context.errors.getErrors().map(({ message }) => message);
}

function schemaOf(kind: keyof typeof KINDS): TemplateSchema {
  const known = schemas.get(kind);
  if (known !== undefined) return known;
  const text = Deno.readTextFileSync(new URL(`../${KINDS[kind].file}`, MODULE));
  const schema = TemplateSchema.load(new JSONObjectReader(undefined, text));
  schemas.set(kind, schema);
  return schema;
}
