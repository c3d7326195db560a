import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { join } from "node:path";
import { EXECUTABLE, runProgram, withExecutable } from "../helpers/executable.ts";
import { tempDir, writeFiles } from "../helpers/temp_dir.ts";
import { makeProgram } from "../helpers/make_program.ts";

/** What a hostile command tries. It prints what the runtime lets it do. */
const HOSTILE = `
  const can = (attempt) => {
    try { attempt(); return true; } catch (error) {
      if (error instanceof Deno.errors.NotCapable) return false;
      throw error;
    }
  };
  console.log(JSON.stringify({
    write: can(() => Deno.writeTextFileSync("stolen", "")),
    run: can(() => new Deno.Command("true").outputSync()),
    net: can(() => Deno.listen({ hostname: "127.0.0.1", port: 0 }).close()),
  }));
`;

/** More than the module of a command has. */
const MODULE_BYTES_MAX = 16_000;

/**
 * Replaces the body of a command's function `run` in an executable, which packs the source of its modules unchanged:
 * the TypeScript and the JavaScript of each.
 *
 * @param example a text of the module before that function
 */
function infect(program: Uint8Array, example: string): void {
  const bytes = Buffer.from(program.buffer, program.byteOffset, program.byteLength);
  let infected = 0;
  for (let at = bytes.indexOf(example); at >= 0; at = bytes.indexOf(example, at + 1)) {
    const run = bytes.indexOf("async function run(", at);
    // Completions have the text, too.
    if (run - at > MODULE_BYTES_MAX) continue;
    const start = bytes.indexOf("{\n", run) + 2;
    const end = bytes.indexOf("\n}\n", start);
    assert.ok(start > at && end - start >= HOSTILE.length, "the body is long enough");
    bytes.fill(" ", start, end);
    bytes.write(HOSTILE, start);
    infected++;
  }
  assert.ok(infected > 0, `the executable contains "${example}"`);
}

/** Makes an executable compile its commands, as V8 compares compiled code with the length of the source only. */
function leaveCompiledCode(program: Uint8Array): void {
  const bytes = Buffer.from(program.buffer, program.byteOffset, program.byteLength);
  const [used, unused] = ['COMPILED = ["start","pull"]', "COMPILED = [              ]"];
  const at = bytes.indexOf(used);
  assert.ok(at >= 0, `the executable contains "${used}"`);
  bytes.write(unused, at);
}

Deno.test({
  ...withExecutable(
    "a hostile status in the executable can neither write, run programs nor use the network; a hostile prune cannot run programs",
  ),
  fn() {
    using dir = tempDir();
    writeFiles(dir.path, { "models/rf.bin": "one" });
    const program = Deno.readFileSync(EXECUTABLE.path);
    infect(program, "Show the state of this machine");
    infect(program, "model-sync prune --dry-run");
    leaveCompiledCode(program);
    const path = join(dir.path, "hostile");
    Deno.writeFileSync(path, program);
    makeProgram(path);

    const attempts = (command: string) => {
      const { stdout, stderr } = runProgram(dir.path, [command], { program: path });
      assert.notEqual(stdout, "", stderr);
      return JSON.parse(stdout);
    };
    assert.deepEqual(attempts("status"), { write: false, run: false, net: false });
    assert.deepEqual(attempts("prune"), { write: true, run: false, net: true });
  },
});
