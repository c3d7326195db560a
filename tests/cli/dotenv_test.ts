import assert from "node:assert/strict";
import { join } from "node:path";
import { damage, withoutPipes } from "../helpers/damage.ts";
import { rootedFs } from "../helpers/fake_fs.ts";
import { type CliResult, runCli } from "../helpers/run_cli.ts";
import { tempDir, writeFiles } from "../helpers/temp_dir.ts";

/** What a command does in a folder with this `.env`; it fails when a named pipe is opened. */
async function statusIn(cwd: string, ...args: string[]): Promise<CliResult> {
  return await runCli("status", args, { cwd, world: { fs: withoutPipes(rootedFs(cwd)) } });
}

for (const kind of ["a folder", "a folder with files"]) {
  Deno.test(`a .env that is ${kind} is a virtual environment, and is ignored without a message`, async () => {
    using dir = tempDir();
    damage(join(dir.path, ".env"), kind);
    const { code, stderr } = await statusIn(dir.path);
    assert.equal(code, 0, stderr);
    assert.equal(stderr, "");
  });
}

Deno.test("a .env that is a link to a folder is ignored without a message", async () => {
  using dir = tempDir();
  writeFiles(dir.path, { "venv/bin/python": "" });
  Deno.symlinkSync("venv", join(dir.path, ".env"));
  assert.deepEqual((await statusIn(dir.path)).stderr, "");
});

const REFUSED = {
  "a named pipe": "a named pipe, not a file",
  "huge": "it has 700\\.0 MiB",
  "a link to itself": "a link that leads in a circle",
};

for (const [kind, reason] of Object.entries(REFUSED)) {
  Deno.test(`a .env that is ${kind} is refused in one line, without a wait`, async () => {
    using dir = tempDir();
    damage(join(dir.path, ".env"), kind);
    const { code, stderr } = await statusIn(dir.path);
    assert.equal(code, 2);
    assert.match(
      stderr,
      new RegExp(`^error: Cannot read \\.env: [^\\n]*${reason}[^\\n]*\\nnext: {2}[^\\n]+\\n$`),
    );
  });
}

for (const kind of ["emptied", "random bytes", "zeros", "deeply nested", "a dangling link"]) {
  Deno.test(`a .env that is ${kind} holds no variable`, async () => {
    using dir = tempDir();
    damage(join(dir.path, ".env"), kind);
    const { code, stderr } = await statusIn(dir.path);
    assert.equal(code, 0, stderr);
  });
}

for (const line of ["A=x%x", "%A=x", "A%=x", "A=%#", "A=x%#%x", 'A="x"%x', "A%", "export%"]) {
  Deno.test(`a .env whose line is "${line}" with 900,000 blanks at each % is read at once`, async () => {
    using dir = tempDir();
    writeFiles(dir.path, {
      ".env": line.replaceAll("%", " ".repeat(900_000 / (line.split("%").length - 1))),
    });
    assert.equal((await statusIn(dir.path)).code, 0);
  });
}
