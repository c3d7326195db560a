import assert from "node:assert/strict";
import { loadedBy, moduleGraph } from "../../configs/install/module_graph.ts";
import { SOURCE_ROOT } from "../../lib/core/source_root.ts";
import { spawnInOurGroup } from "../../lib/core/subprocess.ts";
import { configuredPair } from "../helpers/machines.ts";
import { PROJECT, runCli } from "../helpers/run_cli.ts";
import { GIT_ENV } from "../helpers/test_git.ts";
import { tempDir, writeFiles } from "../helpers/temp_dir.ts";

/** The addresses of the modules that a command loads before it runs. */
function loadedFirst(command: string): string[] {
  const { success, stdout } = new Deno.Command(Deno.execPath(), {
    args: ["info", "-q", "--json", `${PROJECT}cli/${command}.ts`],
    env: { NO_COLOR: "1" },
  }).outputSync();
  assert.ok(success);
  const graph = moduleGraph(new TextDecoder().decode(stdout));
  return loadedBy(graph, `${SOURCE_ROOT}cli/${command}.ts`, { later: false });
}

/** Sections of the configuration that every command parses, and what they are made of. */
const SECTIONS = ["kinds.ts", "schedule.ts"];

for (const [command, filesMax] of [["status", 125], ["pull", 240]] as const) {
  Deno.test(`${command} loads few modules at its start: of Node none but node:path, which a bundle replaces`, () => {
    const loaded = loadedFirst(command);
    const own = loaded.filter((address) => address.startsWith(SOURCE_ROOT));
    assert.ok(
      own.length > 50 && own.length <= filesMax,
      `${own.length} files; load the new ones where they are used`,
    );
    const others = loaded.filter((address) => !address.startsWith("file:"));
    assert.deepEqual(others.map((name) => name.replace(/(?<=.)@[\d.]+$/, "").replace(":/", ":")), [
      "node:path",
      "npm:croner",
      "npm:js-yaml",
      "npm:zod",
    ]);
    const sections = own.flatMap((address) => /config\/sections\/(.*)$/.exec(address)?.[1] ?? []);
    assert.deepEqual(sections, SECTIONS);
    for (const address of own) {
      const text = Deno.readTextFileSync(new URL(address));
      assert.ok(!/^import .*\{ z\b.*"zod"/m.test(text), `${address} imports zod as a whole: import * as z`);
    }
  });
}

Deno.test("an unchanged pull starts three programs, and status none", async () => {
  using dir = tempDir();
  const { trainer, bot } = configuredPair(dir.path);
  writeFiles(trainer, { "models/a.json": "{}" });
  assert.equal((await runCli("publish", [], { cwd: trainer })).code, 0);
  assert.equal((await runCli("pull", [], { cwd: bot })).code, 0);
  const started: string[] = [];
  const world = {
    spawn: (request: Parameters<typeof spawnInOurGroup>[0]) => {
      const words = request.args.filter((word) => /^[a-z]+(?:-[a-z]+)*$/.test(word));
      started.push(`${request.command} ${words[0]}`);
      return spawnInOurGroup({ ...request, cwd: request.cwd ?? bot, env: { ...GIT_ENV, ...request.env } });
    },
  };
  const { code, stdout } = await runCli("pull", [], { cwd: bot, world });
  assert.deepEqual([code, /unchanged/.test(stdout)], [0, true]);
  assert.deepEqual(started.splice(0), ["git rev-parse", "git config", "git ls-remote"]);
  assert.equal((await runCli("status", [], { cwd: bot, world })).code, 0);
  assert.deepEqual(started, []);
});
