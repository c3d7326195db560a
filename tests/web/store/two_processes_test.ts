import assert from "node:assert/strict";
import { join } from "node:path";
import { keys } from "../../../web/store/keys.ts";
import { readRuns } from "../../../web/store/read_runs.ts";
import { NodeRow, ReleaseRow } from "../../../web/store/rows.ts";
import { digestOfRelease } from "../../helpers/web_events.ts";
import { PROJECT } from "../../helpers/run_cli.ts";
import { tempDir } from "../../helpers/temp_dir.ts";

/** Together, both processes fill the strip. */
const RUNS_EACH = 15;

Deno.test("two processes that take in runs of one node at the same time lose none", async () => {
  using folder = tempDir();
  const path = join(folder.path, "kv");
  using kv = await Deno.openKv(path);
  const children = [0, 1].map((first) =>
    new Deno.Command(Deno.execPath(), {
      args: [
        ...["run", "-A", "--no-check", "--unstable-kv", join(PROJECT, "tests/web/store/ingest_process.ts")],
        ...[path, `${first}`, `${RUNS_EACH}`],
      ],
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
    }).spawn()
  );
  const outputs = children.map(({ stdout }) => stdout.getReader());
  await Promise.all(outputs.map((output) => output.read()));
  await Promise.all(children.map(({ stdin }) => stdin.close()));
  const codes = await Promise.all(children.map(async ({ status }) => (await status).code));
  await Promise.all(outputs.map((output) => output.cancel()));
  assert.deepEqual(codes, [0, 0]);
  const row = NodeRow.parse((await kv.get(keys.node("bot-1"))).value);
  const starts = row.strip.map(({ startedAt }) => startedAt);
  assert.equal(new Set(starts).size, 2 * RUNS_EACH);
  assert.deepEqual(starts, starts.toSorted());
  assert.equal((await readRuns(kv, "bot-1", { limit: 200 })).rows.length, 2 * RUNS_EACH);
  const release = ReleaseRow.parse((await kv.get(keys.release(digestOfRelease(2)))).value);
  assert.equal(release.firstAt, starts[0]);
});
