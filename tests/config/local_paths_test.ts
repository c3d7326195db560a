import assert from "node:assert/strict";
import { jsonSchema, type KeySchema } from "../../lib/config/keys.ts";
import { withAbsolutePaths } from "../../lib/config/local_paths.ts";

/** A value of every setting that holds a path, by the place of the path, and the path as an absolute one from /here. */
const PATHS: Readonly<Record<string, readonly [setting: string, value: unknown, expected: unknown]>> = {
  "models_dir": ["models_dir", "models", "/here/models"],
  "state_dir": ["state_dir", "../state", "/state"],
  "repo_dir": ["repo_dir", "./clone", "/here/clone"],
  "repo_url": ["repo_url", "../models.git", "/models.git"],
  "activation.validate.onnx.sanity_vectors": [
    "activation.validate.onnx.sanity_vectors",
    "vectors.json",
    "/here/vectors.json",
  ],
  "activation.reload[signal].pid_file": [
    "activation.reload",
    [{ type: "signal", pid_file: "bot.pid", signal: "SIGHUP" }],
    [{ type: "signal", pid_file: "/here/bot.pid", signal: "SIGHUP" }],
  ],
  "activation.reload[tensorflow-serving].model_base_path": [
    "activation.reload",
    [{ type: "tensorflow-serving", model_base_path: "served/btc", folder: "BTC" }],
    [{ type: "tensorflow-serving", model_base_path: "/here/served/btc", folder: "BTC" }],
  ],
  "activation.canary.metrics[file].path": [
    "activation.canary.metrics",
    [{ type: "file", path: "stats.json", query: "a.b" }, { type: "http", url: "http://h/", path: "a.b" }],
    [{ type: "file", path: "/here/stats.json", query: "a.b" }, {
      type: "http",
      url: "http://h/",
      path: "a.b",
    }],
  ],
  "activation.backup_dir": ["activation.backup_dir", "backup", "/here/backup"],
  "references.output_dir": ["references.output_dir", "preview", "/here/preview"],
  "references.target_dir": ["references.target_dir", "clones", "/here/clones"],
  "references.temp_dir": ["references.temp_dir", "tmp", "/here/tmp"],
  "report.metrics_file": ["report.metrics_file", "out/bot.prom", "/here/out/bot.prom"],
  "signing.private_key": ["signing.private_key", "keys/own.pem", "/here/keys/own.pem"],
  "signing.public_keys[]": ["signing.public_keys", ["a.pem", "/b.pem"], ["/here/a.pem", "/b.pem"]],
  "signing.public_keys[].path": [
    "signing.public_keys",
    [{ path: "c.pem", not_after: "2027-01-31T00:00:00Z" }],
    [{ path: "/here/c.pem", not_after: "2027-01-31T00:00:00Z" }],
  ],
};

/**
 * The ends of names of settings that hold a text, and not a path on this machine: names, addresses, times, patterns,
 * folders in a repository or an archive, places in JSON, and commands, which run in the project.
 */
const NO_PATHS: readonly RegExp[] = [
  /(?:^|\.)(?:\w+_)?(?:env|url|api_key|user|host|node|owner|name|branch|remote|repo_id|revision|time_zone)$/,
  /\.(?:schedule(?:\[\])?|splay|catch_up_within|cron|duration|not_before|not_after)$/,
  /(?:_subdir|\.path_in_repo|\.folder|\.verify_field|\.status_url_template|\.github_proxy_url_base)$/,
  /\.(?:required_files|structure_only|include|exclude|allow|models|labels|reviewers|categories)\[\]$/,
  /\.onnx\.expect\[\]\./,
  /\.headers\.\*$/,
  /(?:^|[._\]])command\[\]$/,
  /\.metrics\[(?:http|command)\]\.path$/,
  /\.(?:query|model|type|repository|workflow|artifact|service_id|environment_id|team|from|to|to\[\])$/,
];

interface TextPlace {
  readonly place: string;
  readonly format: string | undefined;
}

/** Yields the place of every free text in the schema. An entry that its `type` decides on has the type in its place. */
function* texts(schema: Schema, place = ""): Generator<TextPlace> {
  if (schema.type === "string" && schema.enum === undefined && schema.const === undefined) {
    yield { place, format: schema.format };
  }
  for (const variant of [...schema.anyOf ?? [], ...schema.oneOf ?? []]) {
    const type = variant.properties?.["type"]?.const;
    yield* texts(variant, typeof type === "string" ? place.replace(/\[\]$/, `[${type}]`) : place);
  }
  if (schema.items !== undefined) yield* texts(schema.items, `${place}[]`);
  if (typeof schema.additionalProperties === "object") {
    yield* texts(schema.additionalProperties, `${place}.*`);
  }
  for (const [name, child] of Object.entries(schema.properties ?? {})) {
    yield* texts(child, place === "" ? name : `${place}.${name}`);
  }
}

interface Schema extends KeySchema {
  readonly additionalProperties?: boolean | Schema;
  readonly items?: Schema;
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly properties?: Readonly<Record<string, Schema>>;
}

function section(): Schema {
  const { model_sync }: { model_sync?: Schema } = JSON.parse(JSON.stringify(jsonSchema()["properties"]));
  assert.ok(model_sync);
  return model_sync;
}

Deno.test("every setting with a path is marked as one, and every other text is known not to be a path", () => {
  const all = [...texts(section())];
  const paths = all.filter(({ format }) => format === "path" || format === "git-address");
  assert.deepEqual(paths.map(({ place }) => place).sort(), Object.keys(PATHS).sort());
  const unknown = all.filter((text) => !paths.includes(text))
    .filter(({ place }) => !NO_PATHS.some((pattern) => pattern.test(place)));
  assert.deepEqual(unknown, [], "mark a path as LocalPath, or add the name to NO_PATHS");
});

Deno.test("a relative path of each setting starts at the given folder; absolute paths, ~ and addresses stay", () => {
  const relative = Object.values(PATHS).map(([setting, value]) => ({ path: setting.split("."), value }));
  const expected = Object.values(PATHS).map(([setting, , value]) => ({ path: setting.split("."), value }));
  assert.deepEqual(withAbsolutePaths(relative, "/here"), expected);
  assert.deepEqual(withAbsolutePaths(expected, "/else"), expected);
  const unchanged = OTHERS.map(([setting, value]) => ({ path: setting.split("."), value }));
  assert.deepEqual(withAbsolutePaths(unchanged, "/here"), unchanged);
});

const OTHERS: readonly (readonly [setting: string, value: unknown])[] = [
  ...["https://h/a.git", "git@h:a.git", "ssh://h/a", "file:///a", "~/a.git"].map((address) =>
    ["repo_url", address] as const
  ),
  ["models_dir", "~/models"],
  ["models_dir", ""],
  ["activation.validate.onnx.sanity_vectors", 200],
  ["activation.reload", [{ type: "command", command: ["./reload.sh"] }, 7, null]],
  ["publisher.train_command", ["./train.sh", "models"]],
  ["repo_models_subdir", "models"],
  ["no.such.setting", "models"],
];
