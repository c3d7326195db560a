import assert from "node:assert/strict";
import { join } from "node:path";
import { DiskError, InterruptedError, ModelSyncError } from "../../lib/core/errors.ts";
import { shortDigest } from "../../lib/release/manifest.ts";
import { addQuarantine, readQuarantine } from "../../lib/store/quarantine.ts";
import { readHistory } from "../../lib/store/history.ts";
import { readPointer } from "../../lib/store/pointers.ts";
import { listReleases } from "../../lib/store/releases.ts";
import { countingFs } from "../helpers/counting_fs.ts";
import { osError } from "../helpers/fake_fs.ts";
import {
  type Machine,
  publishFiles,
  pulledReleases,
  pullTo,
  rollBack,
  storeOf,
} from "../helpers/machines.ts";
import { activeSequence, settleLeft } from "../helpers/mirrored_bot.ts";
import { checkpoint, memoryDir } from "../helpers/temp_dir.ts";
import { testContext } from "../helpers/test_context.ts";

const SETS = [{ "a.bin": "one" }, { "a.bin": "two" }, { "a.bin": "three" }];

function activeDigest(bot: Machine) {
  return readPointer(storeOf(testContext(), bot), "current");
}

/** Checks that the error and the record name the active release. */
function assertNamed(bot: Machine, failure: unknown, when: string): void {
  const active = activeDigest(bot);
  assert.ok(active !== undefined);
  // The run has not read the store yet, so its error names no release.
  if (failure instanceof DiskError && failure.message.startsWith("Cannot open the store")) return;
  assert.ok(failure instanceof ModelSyncError, `${when}: ${String(failure)}`);
  const told = `${failure.message} ${failure.hint}`;
  assert.doesNotMatch(told, /untouched/, when);
  assert.ok(told.includes(`release ${shortDigest(active)} is active`), `${when}: ${told}`);
  const others = told.matchAll(/release ([0-9a-f]{12}) is active/g);
  for (const [, name] of others) assert.equal(name, shortDigest(active), `${when}: ${told}`);
  const [record] = readHistory(storeOf(testContext(), bot), 1);
  if (record?.error?.code === failure.code) assert.equal(record.release, active, `${when}: the record`);
}

for (const code of ["ENOSPC", "EIO"]) {
  Deno.test(`a pull that fails with ${code} at any step names the active release`, async () => {
    using dir = memoryDir();
    const { trainer, bot } = await pulledReleases(join(dir.path, "world"), SETS.slice(0, 2));
    await publishFiles(trainer, SETS[2] ?? {});
    const restore = checkpoint(join(dir.path, "world/bot"), join(dir.path, "start"));
    const seen = new Set<number | undefined>();
    for (let at = 2;; at += 3) {
      restore();
      let steps = 0;
      const fs = countingFs((step) => {
        if (++steps === at && !step.startsWith("remove")) throw osError(code);
      });
      const failure = await pullTo(testContext({ fs }), bot).then(() => undefined, (error: unknown) => error);
      if (steps < at) break;
      seen.add(activeSequence(bot));
      if (failure !== undefined) assertNamed(bot, failure, `${code} at step ${at}`);
    }
    assert.deepEqual([...seen].sort(), [2, 3]);
  });
}

Deno.test("a pull that is interrupted at any step names the active release", async () => {
  using dir = memoryDir();
  const { trainer, bot } = await pulledReleases(join(dir.path, "world"), SETS.slice(0, 2));
  await publishFiles(trainer, SETS[2] ?? {});
  const restore = checkpoint(join(dir.path, "world/bot"), join(dir.path, "start"));
  let stops = 0;
  for (let at = 2;; at += 6) {
    restore();
    const controller = new AbortController();
    let steps = 0;
    const fs = countingFs(() => {
      if (++steps === at) {
        controller.abort(
          new InterruptedError("stopped", { code: "INTERRUPTED", hint: "nothing half-done is left" }),
        );
      }
    });
    const failure = await pullTo(testContext({ fs, signal: controller.signal }), bot)
      .then(() => undefined, (error: unknown) => error);
    if (steps < at) break;
    if (failure === undefined) continue;
    stops++;
    assertNamed(bot, failure, `stopped at step ${at}`);
    assert.ok(failure instanceof InterruptedError);
    assert.equal(readHistory(storeOf(testContext(), bot), 1)[0]?.outcome, "interrupted");
  }
  assert.ok(stops > 2, `only ${stops} stops`);
});

for (const [how, isKilled] of [["is killed", true], ["meets one error", false]] as const) {
  Deno.test(`a rollback that ${how} at any step never quarantines the release that stays active`, async () => {
    using dir = memoryDir();
    const { bot } = await pulledReleases(join(dir.path, "world"), SETS);
    const store = storeOf(testContext(), bot);
    // The rollback does not lift an operator's own quarantine of the active release.
    const [newest] = listReleases(store);
    assert.ok(newest !== undefined);
    const { digest, sequence } = newest.manifest;
    addQuarantine(store, { digest, sequence, reason: "an operator forbids it", at: "2026-01-01T00:00:00Z" });
    const restore = checkpoint(join(dir.path, "world/bot"), join(dir.path, "start"));
    const ends = new Set<number | undefined>();
    for (let at = 1;; at++) {
      restore();
      let steps = 0;
      const fs = countingFs(() => {
        if (isKilled ? ++steps >= at : ++steps === at) throw osError("EIO");
      });
      const failure = await rollBack(testContext({ fs }), bot).then(
        () => undefined,
        (error: unknown) => error,
      );
      if (steps < at) break;
      if (!isKilled && failure !== undefined) assertNamed(bot, failure, `EIO at step ${at}`);
      await settleLeft(testContext(), bot);
      const active = activeSequence(bot);
      ends.add(active);
      const reasons = readQuarantine(store).map((entry) => [entry.sequence, entry.wasLeft === true]);
      assert.deepEqual(reasons, [[3, active !== 3]], `step ${at}, sequence ${active} is active`);
    }
    assert.deepEqual([...ends].sort(), [2, 3]);
  });
}

Deno.test("an active release that an older version quarantined as rolled back can be pulled again", async () => {
  using dir = memoryDir();
  const { bot } = await pulledReleases(dir.path, SETS);
  const store = storeOf(testContext(), bot);
  const digest = activeDigest(bot);
  assert.ok(digest !== undefined);
  addQuarantine(store, {
    digest,
    sequence: 3,
    reason: "rolled back",
    at: "2026-01-01T00:00:00Z",
    wasLeft: true,
  });
  const context = testContext();
  assert.equal((await pullTo(context, bot, { force: false })).outcome, "unchanged");
  assert.deepEqual(readQuarantine(store), []);
  assert.ok(context.log.lines.some((line) => /no longer quarantined/.test(line)));
});
