import assert from "node:assert/strict";
import { join } from "node:path";
import { readOnlyFs, rootedFs } from "../helpers/fake_fs.ts";
import { runCli } from "../helpers/run_cli.ts";
import { listing, readFiles, tempDir, writeFiles } from "../helpers/temp_dir.ts";
import { bareRepository } from "../helpers/test_git.ts";

/** A bot's folder with two releases. */
async function bot(root: string): Promise<string> {
  const repo_url = bareRepository(join(root, "registry.git"));
  const model_sync = { repo_url, publisher: { train_before_push: false }, state_dir: "state" };
  for (const machine of ["trainer", "bot"]) {
    writeFiles(join(root, machine), { "configs/bot.yaml": JSON.stringify({ model_sync }) });
  }
  for (const content of ["one", "two"]) {
    writeFiles(join(root, "trainer"), { "models/a.bin": content });
    assert.equal((await runCli("publish", [], { cwd: join(root, "trainer") })).code, 0);
    assert.equal((await runCli("pull", [], { cwd: join(root, "bot") })).code, 0);
  }
  return join(root, "bot");
}

for (const code of ["EROFS", "EACCES", "EIO"]) {
  Deno.test(`doctor on a file system where each change fails with ${code} says so, and checks the rest`, async () => {
    using dir = tempDir();
    const cwd = await bot(dir.path);
    const before = listing(cwd);
    const world = { fs: readOnlyFs(rootedFs(cwd), code) };
    const { code: exit, stdout, stderr } = await runCli("doctor", [], { cwd, world });
    assert.equal(exit, 1, stderr);
    assert.equal(stderr, "");
    assert.match(stdout, new RegExp(`fail {2}folder: ${cwd} is not writable: .*${code}`));
    assert.match(stdout, new RegExp(`warn {2}links: symbolic links cannot be tried in .* \\(${code}\\)`));
    assert.match(stdout, new RegExp(`fail {2}registry: Cannot make a temporary folder: .*\\(${code}\\)`));
    assert.match(stdout, /pass {2}models folder: a link to the active release/);
    assert.deepEqual(listing(cwd), before);
  });
}

Deno.test("commands on a read-only file system end with exit 7 in one line, or do what needs no change", async () => {
  using dir = tempDir();
  const cwd = await bot(dir.path);
  const reading = [["status"], ["verify", "--deep"], ["quarantine", "list"], [
    "rollback",
    "--dry-run",
  ]] as const;
  const writing = [
    ["pull"],
    ["publish", "--dry-run"],
    ["pull", "--dry-run"],
    ["rollback"],
    ["prune"],
    ["quarantine", "add", "00"],
    ["config", "init", "--full", "--config", "new/bot.yaml"],
    ["keys", "generate", "--private-key", "new/k", "--public-key", "new/p"],
  ] as const;
  for (const [command, ...args] of [...reading, ...writing]) {
    const world = { fs: readOnlyFs(rootedFs(cwd)) };
    const { code, stderr } = await runCli(command, [...args, "--quiet"], { cwd, world });
    const shown = `${command} ${args.join(" ")}: ${stderr}`;
    assert.equal(code, reading.some(([name, first]) => name === command && first === args[0]) ? 0 : 7, shown);
    assert.ok(stderr.split("\n").filter((line) => line.startsWith("error:")).length <= 1, shown);
    assert.doesNotMatch(stderr, /unexpected|\n {4}at /, shown);
  }
  assert.deepEqual(readFiles(join(cwd, "models")), { "a.bin": "two" });
});
