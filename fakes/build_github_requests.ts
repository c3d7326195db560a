import { fileURLToPath } from "node:url";
import * as z from "zod";

/**
 * Writes `github_requests.json`: what GitHub's published API description says about requests. The description has 13 MB,
 * and its package 385 MB; answers, texts and examples are left out. After a change at GitHub:
 *
 *     npm pack @octokit/openapi && tar -xzf octokit-openapi-*.tgz
 *     deno run -RW fakes/build_github_requests.ts package
 */

/** The keys of a schema that decide whether a value fits it. */
const SCHEMA_KEYS = [
  "type",
  "enum",
  "oneOf",
  "anyOf",
  "$ref",
  "nullable",
  "properties",
  "required",
  "items",
  "minItems",
];

const Json = z.record(z.string(), z.unknown());

const Description = z.object({
  paths: z.record(z.string(), z.record(z.string(), Json)),
  components: z.object({ parameters: z.record(z.string(), Json), schemas: z.record(z.string(), Json) }),
});

const Package = z.object({ name: z.string(), version: z.string(), license: z.string() });

/** Returns a schema with the keys that decide, and with its nested schemas likewise. */
function trimSchema(schema: unknown): unknown {
  const entries = Object.entries(Json.parse(schema ?? {})).filter(([key]) => SCHEMA_KEYS.includes(key));
  return Object.fromEntries(entries.map(([key, value]) => {
    if (key === "oneOf" || key === "anyOf") return [key, z.array(z.unknown()).parse(value).map(trimSchema)];
    if (key === "items") return [key, trimSchema(value)];
    if (key !== "properties") return [key, value];
    return [key, mapValues(Json.parse(value), trimSchema)];
  }));
}

function trimParameter(parameter: unknown): unknown {
  const { $ref, name, in: where, required, schema } = Json.parse(parameter);
  return $ref === undefined ? { name, in: where, required, schema: trimSchema(schema) } : { $ref };
}

function trimOperation({ parameters, requestBody }: Record<string, unknown>): unknown {
  if (requestBody === undefined) return { parameters: trimParameters(parameters) };
  const { required, content } = Json.parse(requestBody);
  const json = Json.parse(content)["application/json"];
  const schema = json === undefined ? undefined : trimSchema(Json.parse(json)["schema"]);
  return {
    parameters: trimParameters(parameters),
    requestBody: { required, content: schema === undefined ? {} : { "application/json": { schema } } },
  };
}

function trimParameters(parameters: unknown): unknown {
  return parameters === undefined ? undefined : z.array(z.unknown()).parse(parameters).map(trimParameter);
}

function mapValues<Value>(record: Readonly<Record<string, Value>>, map: (value: Value) => unknown) {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, map(value)]));
}

/** Returns the names of the schemas that a value refers to, directly or through others. */
function referredSchemas(value: unknown, schemas: Readonly<Record<string, unknown>>): Set<string> {
  const names = new Set<string>();
  const visit = (value: unknown) => {
    for (const [, name = ""] of JSON.stringify(value).matchAll(/"#\/components\/schemas\/([^"]+)"/g)) {
      if (names.has(name)) continue;
      names.add(name);
      visit(schemas[name]);
    }
  };
  visit(value);
  return names;
}

/** Returns the part of the description that concerns requests. */
function requestsOf(description: z.infer<typeof Description>): object {
  const paths = mapValues(description.paths, (operations) => mapValues(operations, trimOperation));
  const parameters = mapValues(description.components.parameters, trimParameter);
  const all = mapValues(description.components.schemas, trimSchema);
  const used = referredSchemas([paths, parameters], all);
  const schemas = Object.fromEntries(Object.entries(all).filter(([name]) => used.has(name)));
  return { paths, components: { parameters, schemas } };
}

if (import.meta.main) {
  const [folder = "package"] = Deno.args;
  const read = (name: string): unknown => JSON.parse(Deno.readTextFileSync(`${folder}/${name}`));
  const { name, version, license } = Package.parse(read("package.json"));
  const requests = requestsOf(Description.parse(read("generated/api.github.com.json")));
  const content = { source: `npm:${name}@${version}, ${license} licence`, ...requests };
  const target = fileURLToPath(new URL("github_requests.json", import.meta.url));
  Deno.writeTextFileSync(target, `${JSON.stringify(content)}\n`);
}
