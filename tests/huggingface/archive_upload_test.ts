import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { join } from "node:path";
import { uploadArchiveToHub } from "../../lib/huggingface/archive_upload.ts";
import { hubOf, REPO } from "../helpers/hub_machines.ts";
import { HubWorld } from "../helpers/hub_world.ts";
import { writeFiles } from "../helpers/temp_dir.ts";
import { HubBench } from "./hub_bench.ts";

/** Does one job like a worker, without RunPod. */
async function work(world: HubWorld, input: Record<string, unknown>): Promise<Record<string, unknown>> {
  const job = JSON.stringify({ input });
  const { code, stdout, stderr } = await world.run(
    "trainer",
    "train",
    "--serve-runpod",
    "--skip-training",
    "--test-input",
    job,
    "--json",
  );
  assert.equal(code, 0, stdout + stderr);
  return JSON.parse(stdout).output;
}

Deno.test("a worker uploads its archive to the repository of its configuration, at an address that stays", async () => {
  await using world = new HubWorld();
  const first = await work(world, {});
  const url = String(first["models_archive_url"]);
  assert.match(
    url,
    new RegExp(`^${world.server.endpoint}/${REPO}/resolve/[0-9a-f]{40}/archives/models_latest\\.zip$`),
  );
  const archive = Deno.readFileSync(join(world.path, "trainer/artifacts/exports/models_latest.zip"));
  assert.ok(Buffer.from(archive).equals(new Uint8Array(await (await fetch(url)).arrayBuffer())));

  Deno.writeTextFileSync(join(world.path, "trainer/models/model.joblib"), "trained again");
  const second = await work(world, {});
  assert.notEqual(second["models_archive_url"], url);
  assert.ok(Buffer.from(archive).equals(new Uint8Array(await (await fetch(url)).arrayBuffer())));
});

Deno.test("a worker uploads its archive to the repository that the job names", async () => {
  await using world = new HubWorld();
  const output = await work(world, { hf_repo_id: "you/archives" });
  assert.match(String(output["models_archive_url"]), /\/you\/archives\/resolve\//);
  assert.equal(world.server.repos.has(REPO), false);
});

Deno.test("an archive's upload starts over when another writer moves the branch, and gives up after five times", async () => {
  await using bench = new HubBench();
  writeFiles(bench.path, { "models.zip": "archive" });
  const upload = () => uploadArchiveToHub(bench.context, hubOf(bench.server), join(bench.path, "models.zip"));
  bench.server.commit(REPO, { "README.md": "# card" });
  let moves = 0;
  const move = {
    kind: "first",
    act: () => void bench.server.commit(REPO, { "README.md": `${++moves}` }),
  } as const;
  bench.server.fail(/^POST .*\/commit\//, move);
  assert.match(await upload(), /\/archives\/models_latest\.zip$/);
  bench.server.fail(/^POST .*\/commit\//, ...Array(9).fill(move));
  await assert.rejects(upload(), { code: "UPLOAD_LOST", exitCode: 1, hint: /^start the job again/ });
  assert.equal(moves, 6);
});
