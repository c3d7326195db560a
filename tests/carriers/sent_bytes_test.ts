import assert from "node:assert/strict";
import { join } from "node:path";
import { HubServer } from "../../fakes/hub_server.ts";
import { publisherOptions, uploadFrom } from "../helpers/hub_machines.ts";
import { MODELS, newTrainer, publishFrom } from "../helpers/machines.ts";
import { memoryDir, tempDir, writeFiles } from "../helpers/temp_dir.ts";
import { testContext } from "../helpers/test_context.ts";

const SIZE = Object.values(MODELS).join("").length;

Deno.test("a publish to git records the bytes of the files that it sent, and none where nothing changed", async () => {
  using dir = memoryDir();
  const trainer = newTrainer(dir.path);
  const publish = async () => (await publishFrom(testContext(), trainer)).writtenBytes;
  assert.equal(await publish(), SIZE);
  assert.equal(await publish(), 0);
  writeFiles(trainer.modelsDir, { "ETH/rf.joblib": "longer", "new/x.json": "[]" });
  assert.equal(await publish(), 8);
  Deno.removeSync(join(trainer.modelsDir, "new"), { recursive: true });
  assert.equal(await publish(), 0);
});

Deno.test("an upload to Hugging Face records the bytes of the files that it sent, and none where nothing changed", async () => {
  using dir = tempDir();
  Deno.mkdirSync(join(dir.path, "objects"));
  await using server = new HubServer(join(dir.path, "objects"));
  const models = join(dir.path, "models");
  writeFiles(models, MODELS);
  const upload = async () => (await uploadFrom(testContext(), models, publisherOptions(server))).writtenBytes;
  assert.equal(await upload(), SIZE);
  assert.equal(await upload(), 0);
  writeFiles(models, { "ETH/rf.joblib": "longer", "new/x.json": "[]" });
  assert.equal(await upload(), 8);
});
