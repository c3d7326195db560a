import { Ajv2020 } from "ajv/dist/2020.js";
import * as z from "zod";

const Schemas = z.record(z.string(), z.unknown());
const Media = z.record(z.string(), z.object({ schema: z.object({ $ref: z.string() }).optional() }));
const Operation = z.object({
  parameters: z.array(z.object({ name: z.string(), in: z.string(), schema: z.unknown() })).default([]),
  requestBody: z.object({ content: Media }).optional(),
  responses: z.record(z.string(), z.object({ content: Media.optional() })),
});
const Description = z.object({
  openapi: z.string(),
  paths: z.record(z.string(), z.record(z.string(), Operation)),
  components: z.object({ schemas: Schemas }),
});

/** Checks answers against the API's own description, by an independent validator. */
export class DescribedAnswers {
  readonly #description: z.infer<typeof Description>;
  readonly #ajv: Ajv2020;
  /** The statuses seen so far, by operation: `get /api/v1/fleet`. */
  readonly seen = new Map<string, Set<number>>();

  /** @param json the answer of `/api/v1/openapi.json` */
  constructor(json: unknown) {
    this.#description = Description.parse(json);
    this.#ajv = new Ajv2020({ strict: true, allErrors: true, validateFormats: false, allowUnionTypes: true });
    this.#ajv.addVocabulary(["components"]);
    // Stricter than the description, which allows further fields: each field of an answer has to be described.
    this.#ajv.addSchema({ $id: "description", components: closed(this.#description.components) });
  }

  /** The names of all operations: `get /api/v1/nodes/{node}`. */
  get operations(): string[] {
    return Object.entries(this.#description.paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method} ${path}`)
    );
  }

  /** Returns the differences between an answer and the description. */
  async problems(request: Request, response: Response): Promise<string[]> {
    const body = await response.text();
    const method = request.method.toLowerCase();
    const { pathname } = new URL(request.url);
    const path = this.#pathOf(pathname, method);
    const name = `${method} ${path ?? pathname}`;
    const described = path === undefined ? undefined : this.#description.paths[path]?.[method];
    if (described === undefined) return [`${name} is not described`];
    this.seen.set(name, (this.seen.get(name) ?? new Set()).add(response.status));
    const answer = described.responses[response.status];
    if (answer === undefined) return [`${name} answered ${response.status}, which is not described: ${body}`];
    const [type = ""] = (response.headers.get("content-type") ?? "").split(";");
    if (answer.content === undefined) {
      return body === "" ? [] : [`${name} ${response.status} has a body, which is not described`];
    }
    const media = answer.content[type];
    if (media === undefined) return [`${name} ${response.status} is ${type}, which is not described`];
    if (media.schema === undefined) return [];
    return this.#schemaProblems(media.schema.$ref, JSON.parse(body)).map((problem) =>
      `${name} ${response.status}: ${problem}`
    );
  }

  /** Returns the differences between a value and the schema of a request's body. */
  bodyProblems(path: string, value: unknown): string[] {
    const content = this.#description.paths[path]?.["post"]?.requestBody?.content ?? {};
    const [ref] = Object.values(content).flatMap(({ schema }) => schema === undefined ? [] : [schema.$ref]);
    return ref === undefined ? ["it takes no body"] : this.#schemaProblems(ref, value);
  }

  #schemaProblems(ref: string, value: unknown): string[] {
    const validate = this.#ajv.getSchema(`description${ref}`);
    if (validate === undefined) return [`${ref} is not described`];
    if (validate(value) === true) return [];
    return (validate.errors ?? []).map(({ instancePath, message, params }) =>
      `${instancePath} ${message} ${JSON.stringify(params)}`
    );
  }

  /** Literal paths come before those with parameters, like in the router. */
  #pathOf(pathname: string, method: string): string | undefined {
    return Object.keys(this.#description.paths)
      .filter((path) => method in (this.#description.paths[path] ?? {}))
      .sort((a, b) => a.split("{").length - b.split("{").length || b.length - a.length)
      .find((path) => patternOf(path).test(pathname));
  }
}

function patternOf(path: string): RegExp {
  const literals = path.split(/\{\w+\}/).map((part) => part.replaceAll(/[.*+?^$()|[\]\\]/g, "\\$&"));
  return new RegExp(`^${literals.join("[^]+")}$`);
}

/** Returns the schemas without additional properties. */
function closed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(closed);
  if (typeof value !== "object" || value === null) return value;
  const inner = Object.fromEntries(Object.entries(value).map(([key, part]) => [key, closed(part)]));
  const isOpen = inner["type"] === "object" && "properties" in inner && !("additionalProperties" in inner);
  return isOpen ? { ...inner, additionalProperties: false } : inner;
}
