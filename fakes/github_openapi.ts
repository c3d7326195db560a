import * as z from "zod";

/** The used parts of GitHub's published API description. */
const Schema = z.object({
  type: z.string().optional(),
  enum: z.array(z.unknown()).optional(),
  /** Nested schemas are parsed when they are used. */
  oneOf: z.array(z.unknown()).optional(),
  anyOf: z.array(z.unknown()).optional(),
  $ref: z.string().optional(),
  nullable: z.boolean().optional(),
  properties: z.record(z.string(), z.unknown()).optional(),
  required: z.array(z.string()).optional(),
  items: z.unknown().optional(),
  minItems: z.number().optional(),
});
type Schema = z.infer<typeof Schema>;

const Parameter = z.object({
  name: z.string(),
  in: z.string(),
  required: z.boolean().optional(),
  schema: Schema,
});
type Parameter = z.infer<typeof Parameter>;

const Reference = z.object({ $ref: z.string() });

const Operation = z.object({
  parameters: z.array(z.union([Reference, Parameter])).default([]),
  requestBody: z.object({
    required: z.boolean().optional(),
    content: z.record(z.string(), z.object({ schema: z.unknown() })),
  }).optional(),
});
type Operation = z.infer<typeof Operation>;

const Description = z.object({
  paths: z.record(z.string(), z.record(z.string(), z.unknown())),
  components: z.object({
    parameters: z.record(z.string(), Parameter),
    schemas: z.record(z.string(), z.unknown()),
  }),
});

/** A path of the description, with its pattern. */
interface Template {
  readonly path: string;
  readonly pattern: RegExp;
  /** The names of its placeholders, in order. */
  readonly places: readonly string[];
  readonly operations: Readonly<Record<string, unknown>>;
}

/** All that the description says about requests: `build_github_requests.ts` makes it. */
const DESCRIPTION = Description.parse(
  JSON.parse(Deno.readTextFileSync(new URL("github_requests.json", import.meta.url))),
);

/** The most literal first: in `/actions/runs/latest`, "latest" is not a run. */
const TEMPLATES: readonly Template[] = Object.entries(DESCRIPTION.paths).map(([path, operations]) => ({
  path,
  operations,
  places: Array.from(path.matchAll(/\{([^}]+)\}/g), ([, name = ""]) => name),
  pattern: new RegExp(
    `^${path.split(/\{[^}]+\}/).map((part) => part.replace(/[.*+?^$()|[\]\\]/g, "\\$&")).join("([^/]+)")}$`,
  ),
})).sort((a, b) => a.places.length - b.places.length || b.path.length - a.path.length);

/** A received request. */
export interface ReceivedRequest {
  readonly method: string;
  /** The address below the root of the API. */
  readonly url: URL;
  /** Empty if there is no body. */
  readonly body: string;
}

/**
 * Returns the problems of a request according to GitHub's API description: no such path or method, or a parameter or
 * body field that is unknown, missing, or of the wrong type.
 */
export function githubRequestProblems({ method, url, body }: ReceivedRequest): string[] {
  const name = `${method} ${url.pathname}`;
  const found = TEMPLATES.map((template) => ({ template, match: template.pattern.exec(url.pathname) }))
    .find(({ template, match }) => match !== null && method.toLowerCase() in template.operations);
  if (found === undefined) return [`${name}: GitHub's API has no such operation`];
  const operation = Operation.parse(found.template.operations[method.toLowerCase()]);
  const parameters = operation.parameters.map(resolveParameter);
  const values = found.template.places.map((place, index) =>
    [place, decodeURIComponent(found.match?.[index + 1] ?? "")] as const
  );
  return [
    ...values.flatMap(([place, value]) => valueProblem(parameters, "path", place, value)),
    ...[...url.searchParams].flatMap(([key, value]) => valueProblem(parameters, "query", key, value)),
    ...parameters.filter(({ in: where, name: key, required }) =>
      where === "query" && required && !url.searchParams.has(key)
    ).map(({ name: key }) => `the parameter ${key} is missing`),
    ...bodyProblems(operation, body),
  ].map((problem) => `${name}: ${problem}`);
}

function resolveParameter(parameter: Operation["parameters"][number]): Parameter {
  if (!("$ref" in parameter)) return parameter;
  const name = parameter.$ref.split("/").at(-1) ?? "";
  const resolved = DESCRIPTION.components.parameters[name];
  if (resolved === undefined) {
    throw new Error(`the description refers to ${parameter.$ref}, which it does not have`);
  }
  return resolved;
}

function valueProblem(
  parameters: readonly Parameter[],
  where: string,
  name: string,
  value: string,
): string[] {
  const parameter = parameters.find((known) => known.in === where && known.name === name);
  if (parameter === undefined) return [`there is no parameter ${name} in the ${where}`];
  return fits(resolveSchema(parameter.schema), value) ? [] : [`${name} cannot be "${value}"`];
}

function resolveSchema(schema: Schema): Schema {
  const name = schema.$ref?.split("/").at(-1);
  return name === undefined ? schema : Schema.parse(DESCRIPTION.components.schemas[name]);
}

function fits(schema: Schema, value: string): boolean {
  if (schema.enum !== undefined && !schema.enum.map(String).includes(value)) return false;
  if (schema.oneOf !== undefined) return schema.oneOf.some((one) => fits(Schema.parse(one), value));
  switch (schema.type) {
    case "integer":
      return /^-?\d+$/.test(value);
    case "number":
      return value !== "" && Number.isFinite(Number(value));
    case "boolean":
      return value === "true" || value === "false";
    default:
      return true;
  }
}

function bodyProblems({ requestBody }: Operation, body: string): string[] {
  if (requestBody === undefined) return body === "" ? [] : ["it takes no body"];
  if (body === "") return requestBody.required === true ? ["its body is missing"] : [];
  return jsonProblems(requestBody.content["application/json"]?.schema, parseJson(body), "the body");
}

/** Stricter than GitHub: unknown fields are an error, which GitHub would ignore. */
function jsonProblems(described: unknown, value: unknown, where: string): string[] {
  const schema = resolveSchema(Schema.parse(described));
  const choices = (schema.oneOf ?? schema.anyOf)?.map((choice) => jsonProblems(choice, value, where));
  if (choices !== undefined) return choices.some(({ length }) => length === 0) ? [] : choices[0] ?? [];
  if (value === null && schema.nullable === true) return [];
  if (schema.enum !== undefined && !schema.enum.includes(value)) {
    return [`${where} cannot be ${JSON.stringify(value)}`];
  }
  if (schema.type !== undefined && !isOfType(schema.type, value)) return [`${where} is no ${schema.type}`];
  if (Array.isArray(value)) {
    const tooFew = value.length < (schema.minItems ?? 0) ? [`${where} has too few items`] : [];
    return [
      ...tooFew,
      ...value.flatMap((item, at) => jsonProblems(schema.items ?? {}, item, `${where}[${at}]`)),
    ];
  }
  if (typeof value !== "object" || value === null) return [];
  const { properties = {}, required = [] } = schema;
  return [
    ...required.filter((name) => !(name in value)).map((name) => `${where} has no ${name}`),
    ...Object.entries(value).flatMap(([name, inner]) =>
      name in properties
        ? jsonProblems(properties[name], inner, `${name} of ${where}`)
        : [`there is no ${name} in ${where}`]
    ),
  ];
}

function isOfType(type: string, value: unknown): boolean {
  switch (type) {
    case "object":
      return typeof value === "object" && value !== null && !Array.isArray(value);
    case "array":
      return Array.isArray(value);
    case "integer":
      return Number.isInteger(value);
    default: {
      const actual: string = typeof value;
      return actual === type;
    }
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
