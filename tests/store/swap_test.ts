import assert from "node:assert/strict";
import { activate } from "../../lib/pipeline/activate.ts";
import { ValidRelease, VerifiedRelease } from "../../lib/pipeline/checked_release.ts";
import { chooseMode } from "../../lib/store/model_folder.ts";
import { listReleases } from "../../lib/store/releases.ts";
import { machine, publishFrom, pullTo, storeOf } from "../helpers/machines.ts";
import { PROJECT } from "../helpers/run_cli.ts";
import { memoryDir, writeFiles } from "../helpers/temp_dir.ts";
import { testContext } from "../helpers/test_context.ts";
import { bareRepository } from "../helpers/test_git.ts";

const SWAPS = 10_000;

Deno.test("a reader that loads the model folder through 10,000 swaps sees no failed and no mixed read", async () => {
  // Each swap is synced: on a disk, ten thousand need most of a minute.
  using dir = memoryDir();
  const registry = bareRepository(`${dir.path}/registry.git`);
  const trainer = machine(dir.path, "trainer", registry);
  const bot = machine(dir.path, "bot", registry);
  const context = testContext();
  for (const version of ["one", "two"]) {
    writeFiles(trainer.modelsDir, { "a.onnx": version, "b.onnx": version, "c/d.onnx": version });
    await publishFrom(context, trainer);
    await pullTo(context, bot);
  }
  const store = storeOf(context, bot);
  const releases = await Promise.all(
    listReleases(store).map((stored) => VerifiedRelease.ofStored(context, store, stored)),
  );
  const choice = chooseMode(store, "auto");

  const reader = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "-q",
      "-A",
      `${PROJECT}tests/store/reader.ts`,
      bot.modelsDir,
    ],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  for (let swap = 0; swap < SWAPS; swap++) {
    const release = releases[swap % releases.length];
    assert.ok(release);
    await activate(context, store, ValidRelease.ofStored(release), {
      runId: "swap",
      command: "swap",
      startedAt: "2026-11-21T00:00:00Z",
    }, choice);
  }
  await reader.stdin.close();
  const { stdout } = await reader.output();
  const seen: unknown = JSON.parse(new TextDecoder().decode(stdout));
  assert.ok(
    typeof seen === "object" && seen !== null && "loads" in seen && Number(seen.loads) > 1000,
    JSON.stringify(seen),
  );
  assert.deepEqual({ ...seen, loads: 0 }, { loads: 0, failed: 0, mixed: 0 });
});
