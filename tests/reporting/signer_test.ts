import assert from "node:assert/strict";
import { join } from "node:path";
import { recordEvents } from "../../lib/reporting/make_events.ts";
import { ReportEvent } from "../../lib/wire/schema.ts";
import { readHistory, type RunRecord } from "../../lib/store/history.ts";
import { machine, publishFrom, pullTo, storeOf } from "../helpers/machines.ts";
import { fixedKey } from "../helpers/signing.ts";
import { memoryDir, writeFiles } from "../helpers/temp_dir.ts";
import { testContext } from "../helpers/test_context.ts";
import { bareRepository } from "../helpers/test_git.ts";

const KEY = fixedKey();

/** Returns the signer in the events of a node's newest run, by type. */
function reportedSigners(record: RunRecord | undefined): Record<string, string | undefined> {
  assert.ok(record !== undefined);
  const facts = { name: "node", host: "host", modelsDir: "/srv/models" };
  const events = recordEvents(facts, record, undefined).map((event) => ReportEvent.parse(event));
  return Object.fromEntries(
    events.map((
      { type, data },
    ) => [type.split(".").at(-2) ?? "", "signer" in data ? data.signer : undefined]),
  );
}

Deno.test("publisher and consumer report the key that signed a release, from their histories", async () => {
  using dir = memoryDir();
  const registry = bareRepository(join(dir.path, "registry.git"));
  const [trainer, bot] = [machine(dir.path, "trainer", registry), machine(dir.path, "bot", registry)];
  const context = testContext();
  const newest = (of: typeof bot) => readHistory(storeOf(context, of), 1)[0];
  const { hint } = KEY.trusted;

  writeFiles(trainer.modelsDir, { "BTC/rf.onnx": "one" });
  await publishFrom(context, trainer, { seal: KEY.seal() });
  assert.deepEqual(reportedSigners(newest(trainer)), { published: hint, finished: hint });
  await pullTo(context, bot, { signatures: KEY.optional });
  assert.deepEqual(reportedSigners(newest(bot)), { finished: hint });

  writeFiles(trainer.modelsDir, { "BTC/rf.onnx": "two" });
  await publishFrom(context, trainer);
  assert.deepEqual(reportedSigners(newest(trainer)), { published: undefined, finished: undefined });
  await pullTo(context, bot, { signatures: KEY.optional });
  assert.deepEqual(reportedSigners(newest(bot)), { finished: undefined });
});

Deno.test("a consumer that trusts no keys reports no signer: it did not check the signature", async () => {
  using dir = memoryDir();
  const registry = bareRepository(join(dir.path, "registry.git"));
  const [trainer, bot] = [machine(dir.path, "trainer", registry), machine(dir.path, "bot", registry)];
  const context = testContext();
  writeFiles(trainer.modelsDir, { "BTC/rf.onnx": "one" });
  await publishFrom(context, trainer, { seal: KEY.seal() });
  assert.equal((await pullTo(context, bot)).signer, undefined);
});

Deno.test("an odd signer in a history is cut to the bounds of a report", () => {
  const record = (signer: string): RunRecord => ({
    runId: "run-1",
    command: "publish",
    outcome: "published",
    startedAt: "2026-11-29T00:00:00Z",
    durationMs: 1,
    host: "host",
    release: `sha256:${"a".repeat(64)}`,
    sequence: 1,
    signer,
  });
  for (const signer of ["", "k".repeat(5_000)]) {
    const { published = "", finished } = reportedSigners(record(signer));
    assert.equal(published, finished);
    assert.ok(published.length > 0 && published.length <= 255);
  }
});
