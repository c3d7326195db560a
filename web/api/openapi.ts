import * as z from "zod";
import { VERSION } from "../../lib/core/version.ts";
import * as answers from "./answers.ts";
import { type Answer, API_OPERATIONS, type Media, type Operation } from "./operations.ts";
import { PAGE_OPERATIONS } from "./page_operations.ts";

/** All operations of the dashboard. */
export const OPERATIONS: readonly Operation[] = [...API_OPERATIONS, ...PAGE_OPERATIONS];

/** The place of schemas in the description. */
const SCHEMAS = "#/components/schemas/";

/** Returns the dashboard's OpenAPI 3.1 description, generated from the schemas of its answers. */
export function openApiDescription(): Record<string, unknown> {
  return {
    openapi: "3.1.1",
    info: {
      title: "model-sync dashboard",
      version: VERSION,
      description:
        "Later versions may add fields, outcomes and roles: ignore those that you do not know. Names are " +
        "untrusted text. On a public dashboard, readers who are not signed in get node states and release " +
        "names; fields with hosts, paths, errors and reasons are `null` or empty.",
      license: { name: "MIT", identifier: "MIT" },
    },
    servers: [{ url: "/" }],
    tags: [
      { name: "reports", description: "Sent by nodes" },
      { name: "fleet", description: "For programs" },
      { name: "monitoring", description: "For monitoring" },
      { name: "pages", description: "For people" },
    ],
    paths: pathsOf(OPERATIONS),
    components: {
      schemas: componentSchemas(),
      securitySchemes: {
        nodeToken: { type: "http", scheme: "bearer", description: "The token of a node" },
        readToken: { type: "http", scheme: "bearer", description: "A read token, from the settings page" },
        session: {
          type: "apiKey",
          in: "cookie",
          name: "model_sync_session",
          description: "The cookie of a sign-in; over HTTPS its name begins with `__Host-`",
        },
      },
    },
  };
}

function pathsOf(operations: readonly Operation[]): Record<string, unknown> {
  const byPath = Map.groupBy(operations, ({ path }) => path);
  return Object.fromEntries(
    Array.from(byPath, ([path, methods]) => [
      path,
      Object.fromEntries(methods.map((operation) => [operation.method, operationObject(operation)])),
    ]),
  );
}

function operationObject(operation: Operation): Record<string, unknown> {
  const { method, path, summary, tag, security, isPublic = false, body } = operation;
  const parameters = parametersOf(operation);
  const schemes = security.map((name) => ({ [name]: [] }));
  return {
    operationId: `${method}${
      path.replaceAll(/[^A-Za-z0-9]+(\w?)/g, (_, letter: string) => letter.toUpperCase())
    }`,
    summary,
    tags: [tag],
    security: isPublic ? [...schemes, {}] : schemes,
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(body === undefined ? {} : { requestBody: { required: true, content: contentOf(body) } }),
    responses: Object.fromEntries(
      Object.entries(operation.answers).map(([status, answer]) => [status, responseObject(answer)]),
    ),
  };
}

function parametersOf({ pathParameters = {}, query }: Operation): Record<string, unknown>[] {
  const places = Object.entries(pathParameters).map(([name, description]) => ({
    name,
    in: "path",
    required: true,
    description,
    schema: { type: "string" },
  }));
  const shape: Readonly<Record<string, z.ZodType>> = query?.shape ?? {};
  const questions = Object.entries(shape).map(([name, schema]) => {
    const { $schema: _dialect, description, ...rest } = z.toJSONSchema(schema);
    return {
      name,
      in: "query",
      required: false,
      ...(description === undefined ? {} : { description }),
      schema: rest,
    };
  });
  return [...places, ...questions];
}

function responseObject({ description, content, headers = {} }: Answer): Record<string, unknown> {
  const described = Object.entries(headers).map(([name, text]) => [
    name,
    { description: text, schema: { type: "string" } },
  ]);
  return {
    description,
    ...(described.length === 0 ? {} : { headers: Object.fromEntries(described) }),
    ...(content === undefined ? {} : { content: contentOf(content) }),
  };
}

function contentOf(media: Media): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(media).map(([type, { schema }]) => [
      type,
      schema === undefined ? {} : { schema: { $ref: SCHEMAS + nameOf(schema) } },
    ]),
  );
}

/** Returns the id of a schema. Every schema of an answer has one. */
function nameOf(schema: z.ZodType): string {
  const { id } = z.globalRegistry.get(schema) ?? {};
  if (id === undefined) throw new TypeError("a schema of the API has no id");
  return id;
}

/** Returns the schemas by id as JSON Schema 2020-12, which OpenAPI 3.1 uses. */
function componentSchemas(): Record<string, unknown> {
  const whole = z.toJSONSchema(z.object(answers.SCHEMAS), {
    unrepresentable: "any",
    override: ({ zodSchema, jsonSchema }) => {
      // The wire's digest is the only custom schema.
      if (zodSchema._zod.def.type === "custom") {
        Object.assign(jsonSchema, { type: "string", pattern: "^sha256:[0-9a-f]{64}$" });
      }
      // Later versions may add fields.
      if (jsonSchema.additionalProperties === false) delete jsonSchema.additionalProperties;
      delete jsonSchema.id;
    },
  });
  const schemas: Record<string, unknown> = JSON.parse(
    JSON.stringify(whole.$defs ?? {}).replaceAll('"#/$defs/', `"${SCHEMAS}`),
  );
  return schemas;
}
