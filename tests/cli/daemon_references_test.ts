import assert from "node:assert/strict";
import type { Terminal } from "../../cli/_world.ts";
import * as z from "zod";
import { HurriedClock } from "../helpers/fake_clock.ts";
import { ReferencesWorld } from "../helpers/references_world.ts";
import { runCli } from "../helpers/run_cli.ts";
import { tempDir } from "../helpers/temp_dir.ts";

const HOUR_MS = 3_600_000;

const Runs = z.object({
  runs: z.array(z.object({ command: z.string(), outcome: z.string() })),
  next: z.record(z.string(), z.string().nullable()),
});

Deno.test("a daemon with the role references syncs once and waits for its next time, even if a watch is configured", async () => {
  await using world = new ReferencesWorld({ dir: tempDir() });
  using dir = tempDir();
  world.commit(world.images, { "clip.json": "{}\n" });
  world.commit(world.texts, { "README.md": "none yet" });
  world.primary.records.set("clip", '{"ViT-H-14": {"name": "ViT-H-14"}}');
  const stop = new AbortController();
  let seen = "";
  const stderr: Terminal = {
    writeSync(bytes) {
      seen += new TextDecoder().decode(bytes);
      if (/next references run at/.test(seen)) stop.abort();
      return bytes.length;
    },
    isTerminal: () => false,
  };
  const env = {
    ...world.env,
    MODEL_SYNC_REFERENCES_WATCH_ENABLED: "true",
    MODEL_SYNC_REFERENCES_CATEGORIES: "clip",
  };
  const { code, stdout } = await runCli("daemon", ["--role", "references", "--run-on-start"], {
    cwd: dir.path,
    env,
    stop: stop.signal,
    // It starts at a full hour: the sync must not last until the next one.
    world: { stderr, clock: new HurriedClock(2_000, HOUR_MS - Date.now() % HOUR_MS) },
  });
  assert.equal(code, 0, seen);
  assert.match(stdout, /PRs created: 1/, seen);
  const status = await runCli("status", ["--json"], {
    cwd: dir.path,
    env: { ...env, MODEL_SYNC_REFERENCES_PRIMARY_URL: "http://h" },
  });
  const { runs, next } = Runs.parse(JSON.parse(status.stdout));
  assert.deepEqual(runs.map(({ command, outcome }) => `${command} ${outcome}`), ["references-sync proposed"]);
  assert.match(next["references"] ?? "", /T\d\d:00:00\.000Z$/);
});

Deno.test("a daemon's run that fails before it begins, without a token, is on record", async () => {
  using dir = tempDir();
  const stop = new AbortController();
  let seen = "";
  const stderr: Terminal = {
    writeSync(bytes) {
      seen += new TextDecoder().decode(bytes);
      if (/next references run at/.test(seen)) stop.abort();
      return bytes.length;
    },
    isTerminal: () => false,
  };
  const args = ["--role", "references", "--run-on-start"];
  const { code } = await runCli("daemon", args, {
    cwd: dir.path,
    env: { MODEL_SYNC_REFERENCES_PRIMARY_URL: "http://127.0.0.1:9" },
    stop: stop.signal,
    world: { stderr },
  });
  assert.equal(code, 0, seen);
  const status = await runCli("status", ["--json"], { cwd: dir.path });
  const { runs } = Runs.parse(JSON.parse(status.stdout));
  assert.deepEqual(
    runs.map(({ command, outcome }) => `${command} ${outcome}`),
    ["references-sync failed"],
    seen,
  );
});
