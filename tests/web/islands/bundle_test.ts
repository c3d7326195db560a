import assert from "node:assert/strict";
import { dirname, join, relative } from "node:path";
import { PROJECT } from "../../helpers/run_cli.ts";

const BUNDLE = join(PROJECT, "web/static/islands.js");

/** The size limit of the script: a phone on a slow line loads it within a second. */
const COMPRESSED_BYTES_MAX = 40_000;

/** The arguments of `deno task build-web`, without the output file. */
function bundleArguments(): string[] {
  const { tasks }: { tasks: { "build-web": { command: string } } } = JSON.parse(
    Deno.readTextFileSync(join(PROJECT, "deno.json")),
  );
  return tasks["build-web"].command.replace(/^deno | -o \S+/g, "").split(" ");
}

Deno.test("the committed bundle matches its sources (deno task build-web)", () => {
  const { success, stdout, stderr } = new Deno.Command(Deno.execPath(), {
    args: bundleArguments(),
    cwd: PROJECT,
  }).outputSync();
  assert.ok(success, new TextDecoder().decode(stderr));
  assert.equal(new TextDecoder().decode(stdout).trim(), Deno.readTextFileSync(BUNDLE).trim());
});

Deno.test("the page's JavaScript is under 40 kB compressed", async () => {
  const compressed = new Blob([Deno.readFileSync(BUNDLE)]).stream().pipeThrough(
    new CompressionStream("gzip"),
  );
  const { byteLength } = await new Response(compressed).arrayBuffer();
  assert.ok(byteLength < COMPRESSED_BYTES_MAX, `${byteLength} bytes`);
});

Deno.test("browser scripts import nothing of the server except the words of times", () => {
  const seen = new Set<string>();
  const visit = (path: string) => {
    if (seen.has(path)) return;
    seen.add(path);
    const text = Deno.readTextFileSync(join(PROJECT, path));
    assert.doesNotMatch(text, /\bDeno\.|from "node:/, path);
    for (const [, specifier = ""] of text.matchAll(/^import [^;]*?from "([^"]+)";/gms)) {
      assert.ok(specifier.startsWith("."), `${path} imports ${specifier}`);
      visit(relative(PROJECT, join(PROJECT, dirname(path), specifier)));
    }
  };
  visit("web/islands/main.ts");
  assert.deepEqual(Array.from(seen).filter((path) => !path.startsWith("web/islands/")), [
    "web/shared/time_words.ts",
  ]);
});
