import assert from "node:assert/strict";
import { join } from "node:path";
import { readVectors } from "../../lib/validators/onnx/sanity_vectors.ts";
import { damage, DAMAGES, withoutPipes } from "../helpers/damage.ts";
import { rootedFs } from "../helpers/fake_fs.ts";
import { type CliResult, runCli } from "../helpers/run_cli.ts";
import { tempDir, writeFiles } from "../helpers/temp_dir.ts";

/** Kinds that are no text of any file that is asked for. */
const UNUSABLE = Object.keys(DAMAGES);
/** Kinds that stand for a file that is not there. */
const ABSENT = ["a dangling link"];
/** Kinds that no program may open, or read whole. */
const UNREADABLE: Readonly<Record<string, RegExp>> = {
  "a folder": /it is a folder, not a file/,
  "a named pipe": /it is a named pipe, not a file/,
  "a link to itself": /it is a link that leads in a circle/,
  "huge": /700\.0 MiB|\d+ bytes, at most/,
};

async function run(
  cwd: string,
  words: readonly string[],
  env: Record<string, string> = {},
): Promise<CliResult> {
  const [command = "", ...args] = words;
  return await runCli(command, args, {
    cwd,
    env: { ...env },
    world: {
      fs: withoutPipes(rootedFs(cwd)),
      http: () => Promise.resolve(new Response("[]", { status: 404 })),
    },
  });
}

/** A folder with keys, a signed model folder, and a configuration. */
async function signed(root: string, model_sync: unknown = {}): Promise<void> {
  writeFiles(root, { "configs/bot.yaml": JSON.stringify({ model_sync }), "models/a.bin": "x" });
  const keys = await run(root, ["keys", "generate", "--private-key", "key.pem", "--public-key", "pub.pem"]);
  assert.equal(keys.code, 0, keys.stderr);
  const sign = await run(root, [
    "keys",
    "sign",
    "models",
    "--private-key",
    "key.pem",
    "--signature",
    "m.sig",
  ]);
  assert.equal(sign.code, 0, sign.stderr);
}

const SIGN = ["keys", "sign", "models", "--private-key", "key.pem", "--signature"];
const VERIFY = ["keys", "verify", "models", "--public-key", "pub.pem", "--signature", "m.sig"];
const APP = { GITHUB_APP_ID: "1", GITHUB_APP_INSTALLATION_ID: "2", GITHUB_APP_PRIVATE_KEY_PATH: "app.pem" };
const REFERENCES = { references: { primary_url: "http://primary.example/" } };

interface Case {
  readonly file: string;
  readonly words: readonly string[];
  readonly model_sync?: unknown;
  readonly env?: Record<string, string>;
  /** Exit code for a readable file without content: an empty signature is refused. */
  readonly codeOfContent?: number;
  /** Kinds that are valid for this file. */
  readonly usable?: readonly string[];
}

const CASES: readonly Case[] = [
  { file: "m.sig", words: VERIFY, codeOfContent: 5 },
  { file: "pub.pem", words: VERIFY },
  { file: "key.pem", words: [...SIGN, "new.sig"] },
  { file: "app.pem", words: ["references-sync"], model_sync: REFERENCES, env: APP },
  { file: "odd.yaml", words: ["status", "--config", "odd.yaml"], usable: ["emptied"] },
];

for (const { file, words, model_sync, env = {}, codeOfContent = 2, usable = [] } of CASES) {
  Deno.test(`${words.slice(0, 2).join(" ")}: ${file}, if it is another kind of file, is an error of one line, without a wait`, async () => {
    using dir = tempDir();
    await signed(dir.path, model_sync);
    for (const kind of UNUSABLE.filter((kind) => !usable.includes(kind))) {
      damage(join(dir.path, file), kind);
      const { code, stderr } = await run(dir.path, words, env);
      const shown = `${kind}: ${stderr.slice(0, 300)}`;
      const errors = stderr.split("\n").filter((line) => line.startsWith("error: "));
      assert.equal(errors.length, 1, shown);
      assert.doesNotMatch(stderr, /unexpected: |\n {4}at /, shown);
      assert.ok(stderr.includes(file), shown);
      const isContent = UNREADABLE[kind] === undefined && !ABSENT.includes(kind) && !kind.startsWith("a ");
      assert.equal(code, isContent || (kind === "huge" && codeOfContent === 5) ? codeOfContent : 2, shown);
      const reason = UNREADABLE[kind];
      if (reason !== undefined) assert.match(stderr, reason, shown);
    }
  });
}

for (const kind of ["a folder", "a folder with files", "a named pipe"]) {
  Deno.test(`keys sign writes no signature in the place of ${kind}`, async () => {
    using dir = tempDir();
    await signed(dir.path);
    damage(join(dir.path, "new.sig"), kind);
    const { code, stderr } = await run(dir.path, [...SIGN, "new.sig"]);
    assert.equal(code, 2);
    assert.match(
      stderr,
      /^error: Cannot write the signature new\.sig: it is a (?:folder|named pipe), not a file/,
    );
  });
}

Deno.test("a file of sanity vectors that holds none is an error of one line that names it, without a wait", () => {
  using dir = tempDir();
  const path = join(dir.path, "v.json");
  const inputs = [{ name: "x", type: "float32", shape: undefined }];
  for (const kind of UNUSABLE) {
    damage(path, kind);
    if (kind === "JSON of another type" || kind === "deeply nested") {
      // A list, but none of vectors.
      assert.equal(readVectors(withoutPipes(Deno), path, inputs).kind, "misfit", kind);
      continue;
    }
    assert.throws(() => readVectors(withoutPipes(Deno), path, inputs), (error) => {
      assert.ok(
        error instanceof Error && "code" in error && error.code === "SANITY_VECTORS",
        `${kind}: ${error}`,
      );
      assert.ok(error.message.startsWith(`Cannot use the sanity vectors in ${path}: `), error.message);
      return true;
    });
  }
});

Deno.test("train writes its archive even if a pipe or a file is in the place of its scratch file", async () => {
  using dir = tempDir();
  writeFiles(dir.path, { "models/a.bin": "x", "configs/bot.yaml": "model_sync: {}" });
  for (const kind of ["a named pipe", "random bytes", "a dangling link"]) {
    damage(join(dir.path, "models.zip.new"), kind);
    const words = ["train", "--skip-training", "--archive-path", "models.zip"];
    const { code, stderr } = await run(dir.path, words);
    assert.equal(code, 0, `${kind}: ${stderr}`);
    assert.ok(Deno.lstatSync(join(dir.path, "models.zip")).isFile);
  }
});
