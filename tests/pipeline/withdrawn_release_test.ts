import assert from "node:assert/strict";
import { join } from "node:path";
import { ModelSync } from "../../lib/config/schema.ts";
import { FailedError, InterruptedError, UnreachableError } from "../../lib/core/errors.ts";
import { NO_SIGNATURES } from "../../lib/pipeline/check_signature.ts";
import { safeguardsOf } from "../../lib/pipeline/safeguards.ts";
import { learnFrom } from "../../lib/pipeline/withdrawn_release.ts";
import { RolledBackError } from "../../lib/pipeline/run_report.ts";
import { formatManifest } from "../../lib/release/format_manifest.ts";
import { Digest, parseManifest } from "../../lib/release/manifest.ts";
import { readPointer } from "../../lib/store/pointers.ts";
import { addQuarantine, liftQuarantine, readQuarantine } from "../../lib/store/quarantine.ts";
import { abortCanary } from "../../lib/canary/settle_canary.ts";
import { canaryPath, openCanary } from "../../lib/canary/find_canary.ts";
import { releaseDir } from "../../lib/store/releases.ts";
import { learnWithdrawals, withdrawalsInForce } from "../../lib/store/withdrawals.ts";
import { guards, heard, METRIC } from "../crash/guards.ts";
import { machine, planPullTo, pullTo, rollBack, storeOf, withdrawFrom } from "../helpers/machines.ts";
import { manifestOf } from "../helpers/manifest_of.ts";
import { countingFs } from "../helpers/counting_fs.ts";
import { osError } from "../helpers/fake_fs.ts";
import { MemorySource, pullFrom } from "../helpers/memory_source.ts";
import { testKey } from "../helpers/signing.ts";
import { writeFiles } from "../helpers/temp_dir.ts";
import { testContext } from "../helpers/test_context.ts";
import { clone, commitAll, git } from "../helpers/test_git.ts";
import {
  forecastOf,
  makeWorld,
  publishVersion,
  pulledBad,
  versionOf,
  withdrawn,
} from "../helpers/withdrawal_world.ts";

Deno.test("no older manifest, and none without the list, takes back a withdrawal", async () => {
  using world = makeWorld();
  const { trainer, bot, bare, root } = world;
  await publishVersion(world, "good");
  await pullTo(testContext(), bot);
  const bad = await publishVersion(world, "bad");
  const hand = clone(bare, join(root, "hand"));
  await withdrawFrom(testContext(), trainer, bad);
  await pullTo(testContext(), bot);

  // The branch is set back to the commit that published the release, and followed.
  git(hand, "push", "--quiet", "--force", "origin", "HEAD:main");
  const following = { resetToRemote: true, allowDowngrade: true };
  // The commit is inspected once. Every pull of it ends in the same way.
  for (const options of [following, following, { ...following, force: true }, following]) {
    await assert.rejects(pullTo(testContext(), bot, options), { code: "WITHDRAWN", exitCode: 5 });
    assert.equal(versionOf(bot), "good");
  }

  // A program that does not know the list publishes the release again, with the next sequence.
  const path = join(hand, "model-sync.json");
  const manifest = await parseManifest(Deno.readTextFileSync(path), "model-sync.json");
  Deno.writeTextFileSync(path, formatManifest({ ...manifest, sequence: 9 }));
  commitAll(hand);
  await assert.rejects(pullTo(testContext(), bot, following), { code: "WITHDRAWN", exitCode: 5 });
  assert.equal(versionOf(bot), "good");

  // The next publish of this publisher carries the list again.
  const next = await publishVersion(world, "next");
  assert.equal((await pullTo(testContext(), bot, following)).release, next);
  const text = git(trainer.registry.repoDir, "show", "HEAD:model-sync.json");
  assert.deepEqual((await parseManifest(text, "model-sync.json")).withdrawals?.map(({ digest }) => digest), [
    bad,
  ]);
});

Deno.test("a client without another release keeps the withdrawn one and fails, and a client without a release gets none", async () => {
  using world = makeWorld();
  const { trainer, bot, root, bare } = world;
  const bad = await publishVersion(world, "bad");
  await pullTo(testContext(), bot);
  const context = testContext();
  await withdrawFrom(context, trainer, "active");
  assert.match(context.log.lines.join("\n"), /warn .*has no earlier release/);
  const fresh = machine(root, "fresh", bare);
  for (const attempt of [1, 2]) {
    const [ofBot, ofFresh] = [testContext(), testContext()];
    await assert.rejects(pullTo(ofBot, bot), {
      code: "WITHDRAWN",
      exitCode: 5,
      message: /stays active/,
    });
    assert.equal(versionOf(bot), "bad");
    await assert.rejects(pullTo(ofFresh, fresh), {
      code: "WITHDRAWN",
      exitCode: 5,
      message: /^Cannot activate release [0-9a-f]{12}: its publisher withdrew it at \S+Z$/,
    });
    // A refused revision is inspected once, not at every pull.
    for (const { log } of [ofBot, ofFresh]) {
      assert.equal(log.lines.some((line) => line.includes("inspecting revision")), attempt === 1);
    }
  }
  assert.equal(readPointer(storeOf(testContext(), fresh), "current"), undefined);
  assert.deepEqual(readPointer(storeOf(testContext(), bot), "current"), bad);
  const fixed = await publishVersion(world, "fixed");
  const replaced = await withdrawn(pullTo(testContext(), bot));
  assert.equal(replaced.report.release, fixed);
  assert.match(
    replaced.hint ?? "",
    /^to activate [0-9a-f]{12} anyway: model-sync rollback --to [0-9a-f]{12} --force/,
  );
  assert.equal((await pullTo(testContext(), fresh)).release, fixed);
  await assert.rejects(rollBack(testContext(), bot), { code: "NOTHING_TO_ROLL_BACK_TO" });
});

Deno.test("a client that kept a withdrawn release for want of another one keeps it without an error once the withdrawal ends", async () => {
  using world = makeWorld();
  const { trainer, bot } = world;
  const only = await publishVersion(world, "only");
  await pullTo(testContext(), bot);
  await withdrawFrom(testContext(), trainer, only);
  await assert.rejects(pullTo(testContext(), bot), { code: "WITHDRAWN" });
  await withdrawFrom(testContext(), trainer, only, { undo: true });
  const { outcome, release } = await pullTo(testContext(), bot);
  assert.deepEqual([outcome, release], ["unchanged", only]);
});

Deno.test("a pull rolls back from a withdrawn release to an older one if the release before it is damaged in the store", async () => {
  using world = makeWorld();
  const { trainer, bot } = world;
  const oldest = await publishVersion(world, "oldest");
  await pullTo(testContext(), bot);
  const damaged = await publishVersion(world, "damaged");
  await pullTo(testContext(), bot);
  await publishVersion(world, "bad");
  await pullTo(testContext(), bot);
  await withdrawFrom(testContext(), trainer, "active");
  await publishVersion(world, "fixed");
  const store = storeOf(testContext(), bot);
  const path = join(releaseDir(store, Digest.parse(damaged)), "rf.bin");
  Deno.chmodSync(path, 0o644);
  Deno.writeTextFileSync(path, "other bytes");
  // Without room for the new release, only the store can replace the withdrawn one.
  const context = testContext({ freeBytes: () => Promise.resolve(1) });
  assert.equal((await withdrawn(pullTo(context, bot))).report.release, oldest);
  assert.equal(versionOf(bot), "oldest");
  assert.match(context.log.lines.join("\n"), new RegExp(`warn .*${damaged.slice(7, 19)}.*rf\\.bin`));
});

Deno.test("the end of a withdrawal lifts the quarantine of its rollback, not that of an operator", async () => {
  using world = makeWorld();
  const context = testContext();
  const store = storeOf(context, world.bot);
  const [byRollback, byOperator] = ["a", "b"].map((digit) => Digest.parse(`sha256:${digit.repeat(64)}`));
  assert.ok(byRollback !== undefined && byOperator !== undefined);
  const entry = { sequence: 7, reason: "a test", at: "2026-11-21T00:00:00Z" };
  addQuarantine(store, { ...entry, digest: byRollback, isWithdrawn: true });
  addQuarantine(store, { ...entry, digest: byOperator });
  const origin = { carrier: "git", host: "trainer" } as const;
  const manifest = await parseManifest(await manifestOf({ "rf.bin": "one" }, origin), "a test");
  for (
    const [state, at, says, quarantined] of [
      ["withdrawn", "2026-11-21T00:00:00Z", "was withdrawn at", [byRollback, byOperator]],
      ["reinstated", "2026-11-22T00:00:00Z", "is no longer withdrawn, since", [byOperator]],
    ] as const
  ) {
    const withdrawals = [byRollback, byOperator].map((digest) => ({ digest, state, at }));
    context.log.lines.length = 0;
    learnFrom(context, store, { ...manifest, withdrawals });
    assert.deepEqual(
      context.log.lines,
      ["a", "b"].map((digit) => `info release ${digit.repeat(12)} ${says} ${at}`),
    );
    assert.deepEqual(readQuarantine(store).map(({ digest }) => digest), quarantined);
  }
});

Deno.test("a pull rolls back before it downloads the fixed release: a failed download does not keep the withdrawn one active", async () => {
  using world = makeWorld();
  const { trainer, bot } = world;
  const good = await publishVersion(world, "good");
  await pullTo(testContext(), bot);
  await publishVersion(world, "bad");
  await pullTo(testContext(), bot);
  await withdrawFrom(testContext(), trainer, "active");
  const fixed = await publishVersion(world, "fixed");
  const store = storeOf(testContext(), bot);
  // Without room for the new release, nothing can be staged.
  const context = testContext({ freeBytes: () => Promise.resolve(1) });
  assert.equal((await withdrawn(pullTo(context, bot))).report.release, good);
  assert.equal(versionOf(bot), "good");
  const pulled = await pullTo(testContext(), bot);
  assert.deepEqual([pulled.outcome, pulled.release, readPointer(store, "previous")], [
    "activated",
    fixed,
    good,
  ]);
});

Deno.test("consumers are notified of the rollback, it ends the canary, and a canary never rolls back to a withdrawn release", async () => {
  using world = makeWorld();
  const { trainer, bot, root } = world;
  const safeguards = guards(root);
  writeFiles(root, { [METRIC]: "0.6" });
  const good = await publishVersion(world, "good");
  await pullTo(testContext(), bot, { safeguards });
  // The second release has no verdict when the third one arrives, so neither is a release to roll back to.
  const unproven = await publishVersion(world, "unproven");
  await pullTo(testContext(), bot, { safeguards });
  const bad = await publishVersion(world, "bad");
  await pullTo(testContext(), bot, { safeguards });
  await withdrawFrom(testContext(), trainer, bad);
  await withdrawn(pullTo(testContext(), bot, { safeguards }));
  const store = storeOf(testContext(), bot);
  // Then the registry's newest release gets a canary of its own.
  assert.deepEqual(heard(root).slice(-2), [`rolled-back ${good}`, `activated ${unproven}`]);
  assert.deepEqual([openCanary(store)?.digest, openCanary(store)?.previous], [unproven, good]);

  // Its baseline is withdrawn during the canary of the next release.
  const next = await publishVersion(world, "next");
  await pullTo(testContext(), bot, { safeguards });
  assert.deepEqual([openCanary(store)?.digest, openCanary(store)?.previous], [next, good]);
  await withdrawFrom(testContext(), trainer, good);
  await pullTo(testContext(), bot, { safeguards });
  abortCanary(testContext(), canaryPath(store));
  const error = await pullTo(testContext(), bot, { safeguards }).then(
    () => undefined,
    (error: unknown) => error,
  );
  assert.ok(error instanceof RolledBackError && error.code === "CANARY_ABORTED", String(error));
  assert.equal(readPointer(store, "current"), unproven);
});

Deno.test("an operator activates a withdrawn release only by force, and it stays active until its publisher changes the withdrawal", async () => {
  using world = makeWorld();
  const { trainer, bot } = world;
  const good = Digest.parse(await publishVersion(world, "good"));
  await pullTo(testContext(), bot);
  const bad = await publishVersion(world, "bad");
  await pullTo(testContext(), bot);
  await withdrawFrom(testContext(), trainer, bad);
  await withdrawn(pullTo(testContext(), bot));
  await assert.rejects(rollBack(testContext(), bot, "2"), {
    code: "WITHDRAWN",
    exitCode: 5,
    hint: /--force/,
  });
  await rollBack(testContext(), bot, "2", undefined, true);
  assert.deepEqual(withdrawalsInForce(storeOf(testContext(), bot)), []);
  assert.equal(
    (await pullTo(testContext(), bot, { allowDowngrade: true }).catch((error) => error)).code,
    "QUARANTINED",
  );
  liftQuarantine(storeOf(testContext(), bot), good);
  const plan = await planPullTo(testContext(), bot, { allowDowngrade: true, force: true });
  assert.deepEqual([plan.outcome, plan.rollback], ["activated", undefined]);
  assert.equal(versionOf(bot), "bad");
  await withdrawFrom(testContext(), trainer, bad, { reason: "it loses money" });
  await withdrawn(pullTo(testContext(), bot));
});

Deno.test("where signatures are required, a pull rolls back from a withdrawn release to a signed one, and warns if it has only unsigned ones", async () => {
  for (const isOneSigned of [true, false]) {
    using world = makeWorld();
    const { trainer, bot } = world;
    const key = testKey();
    const seal = key.seal();
    const signed = await publishVersion(world, "first", isOneSigned ? { seal } : {});
    await pullTo(testContext(), bot);
    const unsigned = await publishVersion(world, "second");
    await pullTo(testContext(), bot);
    const bad = await publishVersion(world, "bad", { seal });
    await pullTo(testContext(), bot, { signatures: key.required });
    await withdrawFrom(testContext(), trainer, bad, { seal });
    const context = testContext();
    const digest = Digest.parse(bad);
    const withdrawals = [{ digest, state: "withdrawn", at: "2026-11-21T00:00:00Z" }] as const;
    const forecast = await forecastOf(bot, { digest, withdrawals }, key.required);
    assert.equal(forecast.activeWithdrawal?.replacedBy, isOneSigned ? signed : unsigned, "releases --remote");
    const pulling = pullTo(context, bot, { signatures: key.required });
    const { report } = await withdrawn(pulling);
    const warned = /warn release [0-9a-f]{12} has no signature of a trusted key, although signing\.required/;
    assert.equal(report.release, isOneSigned ? signed : unsigned);
    assert.equal(warned.test(context.log.lines.join("\n")), !isOneSigned);
  }
});

Deno.test("where signatures are required, a canary rolls back to a signed release first if the one before it was withdrawn", async () => {
  for (const isOneSigned of [true, false]) {
    using world = makeWorld();
    const { trainer, bot, root } = world;
    const key = testKey();
    const seal = key.seal();
    const options = { safeguards: guards(root), signatures: key.required };
    writeFiles(root, { [METRIC]: "0.6" });
    const signed = await publishVersion(world, "first", isOneSigned ? { seal } : {});
    await pullTo(testContext(), bot);
    const unsigned = await publishVersion(world, "second");
    await pullTo(testContext(), bot);
    const before = await publishVersion(world, "before", { seal });
    await pullTo(testContext(), bot, { signatures: key.required });
    await publishVersion(world, "in canary", { seal });
    await pullTo(testContext(), bot, options);
    await withdrawFrom(testContext(), trainer, before, { seal });
    await pullTo(testContext(), bot, options);
    const store = storeOf(testContext(), bot);
    abortCanary(testContext(), canaryPath(store));
    const context = testContext();
    await assert.rejects(pullTo(context, bot, options), { code: "CANARY_ABORTED" });
    assert.equal(readPointer(store, "current"), isOneSigned ? signed : unsigned);
    assert.equal(/warn .*has no signature of a trusted key/.test(context.log.lines.join("\n")), !isOneSigned);
  }
});

Deno.test("after the rollback from a withdrawn release, a pull logs why it got no newer one, unless that is the withdrawal; an interruption or another rollback is its result", async () => {
  for (const end of ["withdrawn", "refused", "interrupted", "rolled back"] as const) {
    using world = makeWorld();
    const { store, good, list } = await pulledBad(world);
    const [content, sequence] = end === "withdrawn" ? ["bad", 2] as const : ["fixed", 3] as const;
    const newest = await MemorySource.offering({ "rf.bin": content }, sequence, list);
    if (end === "withdrawn") learnWithdrawals(store, list);
    const at = "2026-11-21T00:00:00Z";
    if (end === "refused") addQuarantine(store, { digest: newest.digest, sequence, reason: "a test", at });
    const controller = new AbortController();
    if (end === "interrupted") {
      newest.beforeStage = () => {
        controller.abort(new InterruptedError("Cannot complete pull: SIGTERM", { code: "INTERRUPTED" }));
        controller.signal.throwIfAborted();
      };
    }
    const command = ["sh", "-c", `! grep -q fixed "$MODEL_SYNC_RELEASE_DIR/rf.bin"`];
    const reload = end === "rolled back" ? [{ type: "command", command, retries: 0 }] : [];
    const safeguards = safeguardsOf(ModelSync.parse({ activation: { reload } }));
    const context = testContext({ signal: controller.signal });
    await assert.rejects(
      pullFrom(context, store, newest, { safeguards }),
      {
        withdrawn: { code: "WITHDRAWN", exitCode: 8 },
        refused: { code: "WITHDRAWN", exitCode: 8 },
        interrupted: { code: "INTERRUPTED", exitCode: 130 },
        "rolled back": { code: "RELOAD_FAILED", exitCode: 8 },
      }[end],
    );
    assert.equal(readPointer(store, "current"), good.digest);
    const [rollingBack, ...others] = context.log.lines.filter((line) => line.startsWith("warn "));
    assert.match(rollingBack ?? "", /was withdrawn at .*; rolling back to/);
    const refusal = /^warn Cannot activate release [0-9a-f]{12}: it was quarantined/;
    if (end === "refused") assert.match(others.shift() ?? "", refusal);
    if (end !== "rolled back") assert.deepEqual(others, []);
  }
});

Deno.test("the rollback from a withdrawn release is logged once and ends its canary", async () => {
  using world = makeWorld();
  writeFiles(world.root, { [METRIC]: "0.6" });
  const safeguards = guards(world.root);
  const store = storeOf(testContext(), world.bot);
  await pullFrom(testContext(), store, await MemorySource.offering({ "rf.bin": "good" }, 1));
  const bad = await MemorySource.offering({ "rf.bin": "bad" }, 2);
  await pullFrom(testContext(), store, bad, { safeguards });
  assert.equal(openCanary(store)?.digest, bad.digest);
  const list = [{ digest: bad.digest, state: "withdrawn", at: "2026-11-21T00:00:00Z" }] as const;
  const context = testContext();
  await withdrawn(pullFrom(context, store, await MemorySource.offering({ "rf.bin": "good" }, 3, list)));
  assert.deepEqual(context.log.lines.filter((line) => line.includes("withdrawn")).length, 1);
  assert.throws(() => Deno.statSync(canaryPath(store)), Deno.errors.NotFound);
});

Deno.test("a rollback from a withdrawn release that the disk refuses ends as a failure of the disk, and tries no older release", async () => {
  using world = makeWorld();
  const { store, bad, list } = await pulledBad(world);
  const better = await MemorySource.offering({ "rf.bin": "better" }, 3);
  await pullFrom(testContext(), store, better);
  await rollBack(testContext(), world.bot, bad.digest);
  learnWithdrawals(store, list);
  let failures = 0;
  const fs = countingFs((step) => {
    if (step === `rename ${join(store.root, "current.new")} ${join(store.root, "current")}`) {
      if (failures++ === 0) throw osError("EIO");
    }
  });
  const pulling = pullFrom(testContext({ fs }), { ...store, fs }, better);
  await assert.rejects(pulling, { code: "DISK", exitCode: 7 });
  assert.deepEqual([readPointer(store, "current"), failures], [bad.digest, 1]);
});

Deno.test("a pull that the disk stops before it knows the withdrawals believes only a dry run's trusted manifest, and no other failure starts one", async () => {
  for (
    const { failure = osError("ENOSPC"), signatures = NO_SIGNATURES, opened, shows, code, exitCode } of [
      { shows: "the list", opened: 1, code: "WITHDRAWN", exitCode: 8 },
      { shows: "no list", opened: 1, code: "DISK", exitCode: 7 },
      { shows: "a failure", opened: 1, code: "DISK", exitCode: 7 },
      { shows: "the list", opened: 1, code: "DISK", exitCode: 7, signatures: testKey().required },
      {
        shows: "the list",
        opened: 0,
        code: "OFFLINE",
        exitCode: 4,
        failure: new UnreachableError("Cannot reach the registry", { code: "OFFLINE" }),
      },
    ]
  ) {
    using world = makeWorld();
    const { store, good, bad, list } = await pulledBad(world);
    const newest = await MemorySource.offering({ "rf.bin": "fixed" }, 3);
    newest.inspect = () => Promise.reject(failure);
    const preview = await MemorySource.offering({ "rf.bin": "fixed" }, 3, shows === "the list" ? list : []);
    if (shows === "a failure") {
      preview.inspect = () => Promise.reject(new FailedError("no answer", { code: "GIT_FAILED" }));
    }
    const folders: string[] = [];
    const openPreview = (scratch: string) => {
      assert.ok(Deno.statSync(scratch).isDirectory);
      folders.push(scratch);
      return preview;
    };
    const context = testContext();
    await assert.rejects(pullFrom(context, store, newest, { signatures, openPreview }), { code, exitCode });
    assert.equal(readPointer(store, "current"), exitCode === 8 ? good.digest : bad.digest);
    assert.equal(folders.length, opened);
    for (const folder of folders) assert.throws(() => Deno.statSync(folder), Deno.errors.NotFound);
    const isUnread = context.log.lines.some((line) => line.startsWith("warn cannot check whether"));
    assert.equal(isUnread, shows === "a failure" || signatures.isRequired);
  }
});
