import assert from "node:assert/strict";
import { join } from "node:path";
import { RefusedError } from "../../lib/core/errors.ts";
import { HubServer } from "../../fakes/hub_server.ts";
import { publisherOptions, pullTo, REPO, sourceOptions, uploadFrom } from "../helpers/hub_machines.ts";
import { readFiles, tempDir, writeFiles } from "../helpers/temp_dir.ts";
import { testContext } from "../helpers/test_context.ts";

const MODELS = { "model.joblib": "one", "scaler.joblib": "scaler", "features.json": "[]" };
const ACCEPT = { otherWriters: "accept" } as const;

/** A hub with one release that model-sync published and a bot pulled. */
async function newWorld(root: string) {
  Deno.mkdirSync(join(root, "objects"));
  const server = new HubServer(join(root, "objects"));
  const trainer = join(root, "trainer/models");
  const bot = join(root, "bot/models");
  writeFiles(trainer, MODELS);
  const first = await uploadFrom(testContext(), trainer, publisherOptions(server));
  const described = server.head(REPO).id;
  await pullTo(testContext(), bot, sourceOptions(server));
  return {
    server,
    trainer,
    bot,
    first,
    described,
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

Deno.test("a pull from the hub names the refused upload's author, and the commit that the manifest describes", async () => {
  using dir = tempDir();
  await using world = await newWorld(dir.path);
  const { server, bot, described } = world;
  const { id } = server.commit(REPO, { "model.joblib": "by hf upload" });
  server.commit(REPO, { "README.md": "# card" });
  await assert.rejects(pullTo(testContext(), bot, sourceOptions(server)), (error) => {
    assert.ok(error instanceof RefusedError);
    assert.equal(error.code, "DIGEST_MISMATCH");
    assert.match(
      error.message,
      new RegExp(
        `commit ${id.slice(0, 12)} \\(.*, by ada\\) was not published by model-sync: ` +
          `its manifest describes commit ${described.slice(0, 12)}`,
      ),
    );
    assert.match(error.hint ?? "", /--accept-other-writers/);
    return true;
  });
});

Deno.test("a pull that accepts other writers takes their upload, and our next release", async () => {
  using dir = tempDir();
  await using world = await newWorld(dir.path);
  const { server, trainer, bot, first, described } = world;
  const { id } = server.commit(REPO, { "model.joblib": "by hf upload", "new.joblib": "new" });
  const report = await pullTo(testContext(), bot, sourceOptions(server), ACCEPT);
  assert.deepEqual([report.outcome, report.sequence], ["activated", first.sequence]);
  assert.deepEqual([report.otherWriter?.revision, report.otherWriter?.described], [id, described]);
  const files = { ...MODELS, "model.joblib": "by hf upload", "new.joblib": "new" };
  assert.deepEqual(readFiles(bot), Object.fromEntries(Object.entries(files).sort()));
  assert.equal((await pullTo(testContext(), bot, sourceOptions(server), ACCEPT)).outcome, "unchanged");

  writeFiles(trainer, { "model.joblib": "two" });
  const second = await uploadFrom(testContext(), trainer, publisherOptions(server));
  const pulled = await pullTo(testContext(), bot, sourceOptions(server));
  assert.deepEqual([pulled.release, pulled.sequence], [second.release, 2]);
});

Deno.test("a changed manifest on the hub that does not match is refused with any settings", async () => {
  using dir = tempDir();
  await using world = await newWorld(dir.path);
  const { server, bot } = world;
  const manifest = server.files(REPO)["model-sync.json"] ?? "";
  const edited = (sequence: number) => ({
    "model-sync.json": manifest.replace('"sequence": 1', `"sequence": ${sequence}`),
  });
  const isRefused = () =>
    assert.rejects(pullTo(testContext(), bot, sourceOptions(server), ACCEPT), {
      code: "DIGEST_MISMATCH",
      exitCode: 5,
    });
  server.commit(REPO, { ...edited(2), "model.joblib": "with it" });
  await isRefused();
  server.commit(REPO, { "model.joblib": "after it" });
  await isRefused();
  server.commit(REPO, edited(3));
  await isRefused();
});
