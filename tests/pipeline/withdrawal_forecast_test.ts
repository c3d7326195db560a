import assert from "node:assert/strict";
import { NO_SIGNATURES } from "../../lib/pipeline/check_signature.ts";
import { remoteWithdrawals } from "../../lib/pipeline/remote_withdrawals.ts";
import { planPull } from "../../lib/pipeline/plan_pull.ts";
import { Digest } from "../../lib/release/manifest.ts";
import { addQuarantine, EVERY_SEQUENCE } from "../../lib/store/quarantine.ts";
import { learnWithdrawals } from "../../lib/store/withdrawals.ts";
import { machine, planPullTo, pullTo, rollBack, storeOf, withdrawFrom } from "../helpers/machines.ts";
import { MemorySource, pullFrom } from "../helpers/memory_source.ts";
import { writeFiles } from "../helpers/temp_dir.ts";
import { testContext } from "../helpers/test_context.ts";
import {
  digestOf,
  forecastOf,
  makeWorld,
  NO_REMOTE,
  publishVersion,
  pulledBad,
  withdrawn,
} from "../helpers/withdrawal_world.ts";

Deno.test("a dry run shows the rollback from a withdrawn release, also if the newest release is refused here", async () => {
  using world = makeWorld();
  const { trainer, bot } = world;
  const good = await publishVersion(world, "good");
  await pullTo(testContext(), bot);
  const bad = await publishVersion(world, "bad");
  await pullTo(testContext(), bot);
  const newest = await publishVersion(world, "newest");
  const store = storeOf(testContext(), bot);
  addQuarantine(store, {
    digest: Digest.parse(newest),
    sequence: EVERY_SEQUENCE,
    reason: "too slow",
    at: "2026-11-21T00:00:00Z",
  });
  await assert.rejects(planPullTo(testContext(), bot), { code: "QUARANTINED", exitCode: 5 });
  await withdrawFrom(testContext(), trainer, bad);
  const planned = await planPullTo(testContext(), bot);
  assert.deepEqual([planned.outcome, planned.release, planned.rollback?.from], ["rolled-back", good, bad]);
  assert.equal((await withdrawn(pullTo(testContext(), bot))).report.release, good);
});

Deno.test("a dry run of a pull from a withdrawn release names the rollback, and the release that is active in the end", async () => {
  using world = makeWorld();
  const { trainer, bot, root, bare } = world;
  const only = await publishVersion(world, "only");
  await pullTo(testContext(), bot);
  await withdrawFrom(testContext(), trainer, only);
  const fresh = machine(root, "fresh", bare);
  for (const client of [bot, fresh]) {
    await assert.rejects(planPullTo(testContext(), client), { code: "WITHDRAWN", exitCode: 5 });
  }

  const second = await publishVersion(world, "second");
  await withdrawn(pullTo(testContext(), bot));
  const third = await publishVersion(world, "third");
  await pullTo(testContext(), bot);
  await withdrawFrom(testContext(), trainer, third, { reason: "wrong labels" });
  const rollback = { from: third, to: second, reason: "wrong labels" };
  assert.partialDeepStrictEqual(await planPullTo(testContext(), bot), {
    outcome: "rolled-back",
    release: second,
    sequence: 3,
    rollback,
  });
  const next = await publishVersion(world, "next");
  const plan = await planPullTo(testContext(), bot);
  assert.partialDeepStrictEqual(plan, { outcome: "activated", release: next, rollback });
  assert.deepEqual(plan.changes.modified, ["rf.bin"]);

  // The pull rolls back, although it refuses the newest release.
  const digest = Digest.parse(next);
  const at = "2026-11-21T00:00:00Z";
  addQuarantine(storeOf(testContext(), bot), { digest, sequence: EVERY_SEQUENCE, reason: "a test", at });
  assert.partialDeepStrictEqual(await planPullTo(testContext(), bot), {
    outcome: "rolled-back",
    release: second,
  });
});

Deno.test("a dry run of a pull says whether the release of a known revision would be activated, refused or shown again", async () => {
  using world = makeWorld();
  const { bot } = world;
  const first = await publishVersion(world, "first");
  await pullTo(testContext(), bot);
  const second = await publishVersion(world, "second");
  await pullTo(testContext(), bot);
  for (const force of [false, true]) {
    assert.partialDeepStrictEqual(await planPullTo(testContext(), bot, { force }), {
      outcome: "unchanged",
      release: second,
    });
  }
  await rollBack(testContext(), bot);
  await assert.rejects(planPullTo(testContext(), bot), { code: "QUARANTINED", exitCode: 5 });
  const forced = await planPullTo(testContext(), bot, { force: true });
  assert.deepEqual([forced.outcome, forced.release], ["activated", second]);

  // A folder that took the place of the link hides the release from consumers.
  const shown = await pullTo(testContext(), bot, { force: true });
  assert.notEqual(shown.release, first);
  Deno.removeSync(bot.modelsDir);
  writeFiles(bot.modelsDir, { "rf.bin": "by hand" });
  assert.partialDeepStrictEqual(await planPullTo(testContext(), bot), {
    outcome: "activated",
    folder: { becomes: "link", present: "release" },
  });
});

Deno.test("the release that replaces a withdrawn one is the newest of the source, unless a pull refuses that", async () => {
  using world = makeWorld();
  const { bot } = world;
  const held = await publishVersion(world, "held");
  await pullTo(testContext(), bot);
  const bad = Digest.parse(await publishVersion(world, "bad"));
  await pullTo(testContext(), bot);
  const store = storeOf(testContext(), bot);
  const [newest, alsoWithdrawn, quarantined] = ["a", "b", "c"].map((digit) =>
    Digest.parse(`sha256:${digit.repeat(64)}`)
  );
  assert.ok(newest !== undefined && alsoWithdrawn !== undefined && quarantined !== undefined);
  const at = "2026-11-21T00:00:00Z";
  addQuarantine(store, { digest: quarantined, sequence: EVERY_SEQUENCE, reason: "a test", at });
  for (
    const [digest, replacedBy] of [
      [newest, newest],
      [alsoWithdrawn, held],
      [quarantined, held],
      [bad, held],
      [null, held],
    ] as const
  ) {
    const withdrawals = [bad, alsoWithdrawn].map((digest) => ({ digest, state: "withdrawn" as const, at }));
    const forecast = await forecastOf(bot, { digest, withdrawals }, NO_SIGNATURES);
    assert.deepEqual(forecast.activeWithdrawal, { at, replacedBy }, digest ?? "no manifest");
    assert.equal(forecast.withdrawal !== null, digest === bad || digest === alsoWithdrawn);
  }
});

Deno.test("dry runs and forecasts count the withdrawals that the store knows and the source no longer lists", async () => {
  using world = makeWorld();
  const { bot } = world;
  const { store, good, bad, list } = await pulledBad(world);
  learnWithdrawals(store, list);
  const remote = { digest: bad.digest, withdrawals: [] };
  const { at } = list[0];
  assert.deepEqual(await forecastOf(bot, remote, NO_SIGNATURES), {
    withdrawal: { at },
    activeWithdrawal: { at, replacedBy: good.digest },
  });
  const source = await MemorySource.offering({ "rf.bin": "bad" }, 3);
  const plan = async () =>
    await planPull(testContext(), store, source, { allowDowngrade: false, force: false });
  assert.deepEqual(await plan(), {
    outcome: "rolled-back",
    revision: "3",
    release: good.digest,
    sequence: 1,
    changes: { added: [], modified: [], removed: [] },
    rollback: { from: bad.digest, to: good.digest, at },
  });
  await withdrawn(pullFrom(testContext(), store, source));
  await assert.rejects(plan(), { code: "WITHDRAWN", exitCode: 5 });
});

Deno.test("without a store, a forecast names only the withdrawal of the newest release", async () => {
  const digest = digestOf("a");
  const at = "2026-11-21T00:00:00Z";
  const forecast = (newest: Digest | null) =>
    remoteWithdrawals(
      testContext(),
      undefined,
      { ...NO_REMOTE, digest: newest, withdrawals: [{ digest, state: "withdrawn", at }] },
      () => Promise.resolve(NO_SIGNATURES),
    );
  assert.deepEqual(await forecast(digest), { withdrawal: { at }, activeWithdrawal: null });
  for (const other of [digestOf("b"), null]) {
    assert.deepEqual(await forecast(other), { withdrawal: null, activeWithdrawal: null });
  }
});
