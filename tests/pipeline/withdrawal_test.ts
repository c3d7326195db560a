import assert from "node:assert/strict";
import { join } from "node:path";
import { GitSource } from "../../lib/carriers/git_source.ts";
import { GitWithdrawal } from "../../lib/carriers/git_withdrawal.ts";
import type { WithdrawalTarget } from "../../lib/carriers/withdrawal_target.ts";
import { ModelSync } from "../../lib/config/schema.ts";
import { FailedError, InterruptedError, UnreachableError } from "../../lib/core/errors.ts";
import { NO_SIGNATURES, type SignaturePolicy } from "../../lib/pipeline/check_signature.ts";
import type { RemoteRelease } from "../../lib/pipeline/read_remote.ts";
import { remoteWithdrawals } from "../../lib/pipeline/remote_withdrawals.ts";
import { type PlanOptions, planPull, type PullPlan } from "../../lib/pipeline/plan_pull.ts";
import { safeguardsOf } from "../../lib/pipeline/safeguards.ts";
import { planWithdrawal, withdraw } from "../../lib/pipeline/withdraw.ts";
import { learnFrom } from "../../lib/pipeline/withdrawn_release.ts";
import { RolledBackError } from "../../lib/pipeline/run_report.ts";
import { Digest, formatManifest, parseManifest } from "../../lib/release/manifest.ts";
import { appendHistory } from "../../lib/store/history.ts";
import { readPointer } from "../../lib/store/pointers.ts";
import { addQuarantine, EVERY_SEQUENCE, liftQuarantine, readQuarantine } from "../../lib/store/quarantine.ts";
import { abortCanary } from "../../lib/canary/settle_canary.ts";
import { canaryPath, openCanary } from "../../lib/canary/find_canary.ts";
import { releaseDir } from "../../lib/store/releases.ts";
import { findStore, placeOf } from "../../lib/store/store.ts";
import {
  findWithdrawal,
  learnWithdrawals,
  readWithdrawals,
  withdrawalsInForce,
} from "../../lib/store/withdrawals.ts";
import { guards, heard, METRIC } from "../crash/guards.ts";
import {
  losingRaces,
  type Machine,
  machine,
  planFrom,
  planPullTo,
  publishFrom,
  type PublishSettings,
  pullTo,
  rollBack,
  storeOf,
  withdrawFrom,
  type WithdrawSettings,
} from "../helpers/machines.ts";
import { manifestOf } from "../helpers/manifest_of.ts";
import { countingFs } from "../helpers/counting_fs.ts";
import { osError } from "../helpers/fake_fs.ts";
import { MemorySource, pullFrom } from "../helpers/memory_source.ts";
import { testKey } from "../helpers/signing.ts";
import { memoryDir, readFiles, writeFiles } from "../helpers/temp_dir.ts";
import { isolatedSpawn, testContext } from "../helpers/test_context.ts";
import { bareRepository, clone, commitAll, git, testWithLfs } from "../helpers/test_git.ts";

/** A registry, its trainer and a bot. */
interface World extends Disposable {
  readonly root: string;
  readonly bare: string;
  readonly trainer: Machine;
  readonly bot: Machine;
}

function makeWorld(): World {
  const dir = memoryDir();
  const bare = bareRepository(join(dir.path, "registry.git"));
  return {
    root: dir.path,
    bare,
    trainer: machine(dir.path, "trainer", bare),
    bot: machine(dir.path, "bot", bare),
    [Symbol.dispose]: () => dir[Symbol.dispose](),
  };
}

/** Publishes a release with one changed file, and one that no release changes. */
async function publishVersion(
  { trainer }: Pick<World, "trainer">,
  version: string,
  settings: PublishSettings = {},
): Promise<string> {
  writeFiles(trainer.modelsDir, { "rf.bin": version, "same.bin": "same" });
  return (await publishFrom(testContext(), trainer, settings)).release;
}

async function withdrawn(work: Promise<unknown>): Promise<RolledBackError> {
  const error = await work.then(() => undefined, (error: unknown) => error);
  assert.ok(error instanceof RolledBackError, String(error));
  assert.deepEqual([error.code, error.exitCode], ["WITHDRAWN", 8]);
  return error;
}

function versionOf({ modelsDir }: Machine): string | undefined {
  return readFiles(modelsDir)["rf.bin"];
}

Deno.test("withdrawing the newest release makes the one before it the newest again; undoing that lets the release be published and pulled again", async () => {
  using world = makeWorld();
  const { trainer, bot, root, bare } = world;
  const good = await publishVersion(world, "good");
  await pullTo(testContext(), bot);
  const bad = await publishVersion(world, "bad");
  await pullTo(testContext(), bot);

  const report = await withdrawFrom(testContext(), trainer, "2", { reason: "wrong\u001b[31m labels\n" });
  assert.deepEqual([report.outcome, report.release, report.previous, report.sequence], [
    "withdrawn",
    good,
    bad,
    3,
  ]);
  assert.equal(report.withdrawal.reason, "wrong labels");
  const again = await withdrawFrom(testContext(), trainer, bad.slice(0, 16));
  assert.deepEqual([again.outcome, again.registries[0]?.outcome], ["unchanged", "unchanged"]);
  assert.equal(git(trainer.registry.repoDir, "status", "--porcelain"), "");

  const fresh = machine(root, "fresh", bare);
  assert.equal((await pullTo(testContext(), fresh)).release, good);
  const context = testContext();
  const error = await withdrawn(pullTo(context, bot));
  assert.deepEqual(context.log.lines.filter((line) => line.includes("was withdrawn")).length, 1);
  assert.match(
    error.hint ?? "",
    /^to activate [0-9a-f]{12} anyway: model-sync rollback --to [0-9a-f]{12} --force$/,
  );
  assert.match(error.message, /was withdrawn at .* \(wrong labels\); release [0-9a-f]{12} is active again/);
  assert.deepEqual([versionOf(bot), error.report.release], ["good", good]);
  assert.partialDeepStrictEqual(error.report.withdrawal, { digest: bad, reason: "wrong labels" });
  assert.equal((await pullTo(testContext(), bot)).outcome, "unchanged");

  // The training folder still holds the withdrawn models, and a nightly publish must not bring them back.
  await assert.rejects(publishFrom(testContext(), trainer), { code: "WITHDRAWN", exitCode: 5 });

  await withdrawFrom(testContext(), trainer, bad, { undo: true });
  const newcomer = testContext();
  await pullTo(newcomer, machine(root, "newcomer", bare));
  assert.doesNotMatch(newcomer.log.lines.join("\n"), /no longer withdrawn/);
  const store = storeOf(testContext(), bot);
  assert.equal((await pullTo(testContext(), bot)).outcome, "unchanged");
  assert.deepEqual([
    readQuarantine(store),
    findWithdrawal(store, readPointer(store, "current") ?? bad as never),
  ], [
    [],
    undefined,
  ]);
  assert.equal((await publishFrom(testContext(), trainer)).sequence, 5);
  assert.equal((await pullTo(testContext(), bot)).release, bad);
});

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
  const plan = await planTo(world, bot, { allowDowngrade: true, force: true });
  assert.deepEqual([plan.outcome, plan.rollback], ["activated", undefined]);
  assert.equal(versionOf(bot), "bad");
  await withdrawFrom(testContext(), trainer, bad, { reason: "it loses money" });
  await withdrawn(pullTo(testContext(), bot));
});

/** Returns what `pull --dry-run` says. */
async function planTo(world: World, bot: Machine, options: Partial<PlanOptions> = {}): Promise<PullPlan> {
  const context = testContext();
  const store = findStore(context.fs, bot, context.log);
  const scratch = join(world.root, "scratch");
  Deno.mkdirSync(scratch, { recursive: true });
  await using source = new GitSource(context, {
    registry: bot.registry,
    subdir: "models",
    allowDirtyWorktree: false,
    allowDowngrade: false,
    resetToRemote: false,
    owner: "unlocked",
    scratch,
  }, store);
  const target = { place: store ?? placeOf(context.fs, bot), activation: "auto" } as const;
  return await planPull(context, store, source, { allowDowngrade: false, force: false, target, ...options });
}

Deno.test("a dry run of a pull from a withdrawn release names the rollback, and the release that is active in the end", async () => {
  using world = makeWorld();
  const { trainer, bot, root, bare } = world;
  const only = await publishVersion(world, "only");
  await pullTo(testContext(), bot);
  await withdrawFrom(testContext(), trainer, only);
  const fresh = machine(root, "fresh", bare);
  for (const client of [bot, fresh]) {
    await assert.rejects(planTo(world, client), { code: "WITHDRAWN", exitCode: 5 });
  }

  const second = await publishVersion(world, "second");
  await withdrawn(pullTo(testContext(), bot));
  const third = await publishVersion(world, "third");
  await pullTo(testContext(), bot);
  await withdrawFrom(testContext(), trainer, third, { reason: "wrong labels" });
  const rollback = { from: third, to: second, reason: "wrong labels" };
  assert.partialDeepStrictEqual(await planTo(world, bot), {
    outcome: "rolled-back",
    release: second,
    sequence: 3,
    rollback,
  });
  const next = await publishVersion(world, "next");
  const plan = await planTo(world, bot);
  assert.partialDeepStrictEqual(plan, { outcome: "activated", release: next, rollback });
  assert.deepEqual(plan.changes.modified, ["rf.bin"]);

  // The pull rolls back, although it refuses the newest release.
  const digest = Digest.parse(next);
  const at = "2026-11-21T00:00:00Z";
  addQuarantine(storeOf(testContext(), bot), { digest, sequence: EVERY_SEQUENCE, reason: "a test", at });
  assert.partialDeepStrictEqual(await planTo(world, bot), { outcome: "rolled-back", release: second });
});

Deno.test("a dry run of a pull says whether the release of a known revision would be activated, refused or shown again", async () => {
  using world = makeWorld();
  const { bot } = world;
  const first = await publishVersion(world, "first");
  await pullTo(testContext(), bot);
  const second = await publishVersion(world, "second");
  await pullTo(testContext(), bot);
  for (const force of [false, true]) {
    assert.partialDeepStrictEqual(await planTo(world, bot, { force }), {
      outcome: "unchanged",
      release: second,
    });
  }
  await rollBack(testContext(), bot);
  await assert.rejects(planTo(world, bot), { code: "QUARANTINED", exitCode: 5 });
  const forced = await planTo(world, bot, { force: true });
  assert.deepEqual([forced.outcome, forced.release], ["activated", second]);

  // A folder that took the place of the link hides the release from consumers.
  const shown = await pullTo(testContext(), bot, { force: true });
  assert.notEqual(shown.release, first);
  Deno.removeSync(bot.modelsDir);
  writeFiles(bot.modelsDir, { "rf.bin": "by hand" });
  assert.partialDeepStrictEqual(await planTo(world, bot), {
    outcome: "activated",
    folder: { becomes: "link", present: "release" },
  });
});

/** A source about which nothing is known. */
const NO_REMOTE: RemoteRelease = {
  carrier: "git",
  revision: "",
  digest: null,
  sequence: null,
  createdAt: null,
  files: null,
  signer: null,
  withdrawals: [],
};

/** Returns what `releases --remote` says. */
async function forecastOf(
  bot: Machine,
  newest: Pick<RemoteRelease, "digest" | "withdrawals">,
  policy: SignaturePolicy,
) {
  const context = testContext();
  const remote = { ...NO_REMOTE, ...newest };
  return await remoteWithdrawals(context, storeOf(context, bot), remote, () => Promise.resolve(policy));
}

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

Deno.test("a withdrawal whose push lost a race is published on top of the other commit, also from a clone without the history", async () => {
  using world = makeWorld();
  const { bot, root, bare } = world;
  const good = await publishVersion(world, "good");
  await publishVersion(world, "bad");
  const other = machine(root, "other", bare);
  const hand = clone(bare, join(root, "hand"));
  const report = await withdrawFrom(testContext(), other, "2", {
    beforePublish: () => {
      writeFiles(hand, { "README.md": "by hand" });
      commitAll(hand);
      return Promise.resolve();
    },
  });
  assert.deepEqual([report.release, report.sequence], [good, 3]);
  assert.equal((await pullTo(testContext(), bot)).release, good);
  git(hand, "pull", "--quiet", "origin", "main");
  assert.deepEqual(readFiles(join(hand, "models")), { "rf.bin": "good", "same.bin": "same" });
  assert.equal(Deno.readTextFileSync(join(hand, "README.md")), "by hand");
});

Deno.test("a publisher with a key signs neither a list nor a release that another program wrote", async () => {
  using world = makeWorld();
  const { trainer, root, bare } = world;
  const seal = testKey().seal();
  const publishSigned = async (version: string) => {
    writeFiles(trainer.modelsDir, { "rf.bin": version, "same.bin": "same" });
    return (await publishFrom(testContext(), trainer, { seal })).release;
  };
  const good = await publishSigned("good");
  const newest = await publishSigned("newest");
  const hand = clone(bare, join(root, "hand"));
  const path = join(hand, "model-sync.json");
  const manifest = await parseManifest(Deno.readTextFileSync(path), "model-sync.json");
  const forged = [{ digest: good as typeof manifest.digest, state: "withdrawn", at: "2026-11-21T00:00:00Z" }];
  Deno.writeTextFileSync(path, formatManifest({ ...manifest, sequence: 8, withdrawals: forged }));
  commitAll(hand);

  // The forged list does not keep the release from taking the place of the withdrawn one.
  const report = await withdrawFrom(testContext(), trainer, newest, { seal });
  assert.deepEqual([report.release, report.sequence], [good, 9]);
  git(hand, "pull", "--quiet", "origin", "main");
  const after = await parseManifest(Deno.readTextFileSync(path), "model-sync.json");
  assert.deepEqual(after.withdrawals?.map(({ digest }) => digest), [newest]);
  await assert.rejects(withdrawFrom(testContext(), trainer, good), {
    code: "SIGNATURE_MISSING",
    exitCode: 5,
  });
});

/** Returns the changed files of a clone as git reports them to an operator who has installed git-lfs. */
function statusOf({ registry: { repoDir } }: Machine): string {
  const installed = ["filter.lfs.process=git-lfs filter-process", "filter.lfs.required=true"];
  return git(repoDir, ...installed.flatMap((setting) => ["-c", setting]), "status", "--porcelain");
}

for (const [before, after] of [["always", "always"], ["always", "never"], ["never", "always"]] as const) {
  testWithLfs(
    `a withdrawal from a new clone restores a release with lfs: ${before} after one with lfs: ${after}; clients and the next publish work on`,
    async () => {
      using world = makeWorld();
      const { trainer, bot, root, bare } = world;
      const good = await publishVersion(world, "good", { lfs: before });
      await pullTo(testContext(), bot);
      await publishVersion(world, "bad", { lfs: after });
      await pullTo(testContext(), bot);
      // Neither its files in Git LFS nor its history are in the new clone.
      const other = machine(root, "other", bare);
      assert.equal((await withdrawFrom(testContext(), other, "active")).release, good);
      const isPointer = (path: string) =>
        git(bare, "show", `main:models/${path}`).startsWith("version https://git-lfs");
      assert.deepEqual([isPointer("rf.bin"), isPointer("same.bin")], [
        before === "always",
        before === "always",
      ]);
      assert.equal(statusOf(other), "");
      await withdrawn(pullTo(testContext(), bot));
      assert.equal(versionOf(bot), "good");
      const fresh = machine(root, "fresh", bare);
      await pullTo(testContext(), fresh);
      assert.deepEqual(readFiles(fresh.modelsDir), { "rf.bin": "good", "same.bin": "same" });

      // The publisher whose clone still holds the withdrawn release publishes on top of the restored one.
      const next = await publishVersion(world, "next", { lfs: after });
      assert.deepEqual([isPointer("rf.bin"), isPointer("same.bin")], [
        after === "always",
        after === "always",
      ]);
      assert.equal(statusOf(trainer), "");
      for (const client of [bot, fresh]) {
        assert.equal((await pullTo(testContext(), client)).release, next);
        assert.deepEqual(readFiles(client.modelsDir), { "rf.bin": "next", "same.bin": "same" });
      }
    },
  );
}

Deno.test("a withdrawal that was killed before its push is pushed unchanged by the next one", async () => {
  using world = makeWorld();
  const { trainer, bare } = world;
  const good = await publishVersion(world, "good");
  const bad = await publishVersion(world, "bad");
  const killed = testContext({
    spawn: (request) =>
      isolatedSpawn(
        request.args.includes("push") ? { ...request, args: ["no-such-git-command"] } : request,
      ),
  });
  await assert.rejects(withdrawFrom(killed, trainer, "active"), { code: "GIT_FAILED" });
  const unpushed = git(trainer.registry.repoDir, "rev-parse", "HEAD");
  assert.notEqual(git(bare, "rev-parse", "main"), unpushed);
  const { release } = await withdrawFrom(testContext(), trainer, bad);
  assert.equal(release, good);
  assert.equal(git(bare, "rev-parse", "main"), unpushed);
});

testWithLfs(
  "a withdrawal that was killed before its push, from a new clone without the files in Git LFS, is published by the next withdraw or publish",
  async () => {
    for (const next of ["withdraw", "publish"] as const) {
      using world = makeWorld();
      const { bot, root, bare } = world;
      const good = await publishVersion(world, "good", { lfs: "always" });
      const bad = await publishVersion(world, "bad", { lfs: "always" });
      const other = machine(root, "other", bare);
      const killed = testContext({
        spawn: (request) =>
          isolatedSpawn(
            request.args.includes("push") ? { ...request, args: ["no-such-git-command"] } : request,
          ),
      });
      await assert.rejects(withdrawFrom(killed, other, "active"), { code: "GIT_FAILED" });
      assert.equal(git(bare, "rev-parse", "main"), git(other.registry.repoDir, "rev-parse", "HEAD~1"));
      writeFiles(other.modelsDir, { "rf.bin": "next", "same.bin": "same" });
      const context = testContext();
      const published = next === "withdraw"
        ? await withdrawFrom(context, other, bad)
        : await publishFrom(context, other, { lfs: "always" });
      // The reason, and not that another publisher or the remote is to blame.
      const [warning = ""] = context.log.lines.filter((line) => line.startsWith("warn "));
      assert.match(warning, /the clone does not have the content of \S+ in an unpushed commit/);
      assert.equal((await pullTo(testContext(), bot)).release, published.release);
      assert.equal(published.release === good, next === "withdraw");
      const [known] = readWithdrawals(storeOf(testContext(), bot));
      assert.deepEqual([known?.digest, known?.state], [bad, "withdrawn"]);
    }
  },
);

Deno.test("a withdrawal that cannot be published is refused with the reason, and changes nothing", async () => {
  using world = makeWorld();
  const { trainer, root, bare } = world;
  const hand = clone(bare, join(root, "hand"));
  const refused = async (
    release: string,
    expected: object,
    settings: WithdrawSettings = {},
    from = trainer,
  ) => {
    const before = git(bare, "rev-parse", "--all");
    await assert.rejects(withdrawFrom(testContext(), from, release, settings), expected);
    assert.equal(git(bare, "rev-parse", "--all"), before);
  };
  writeFiles(join(hand, "models"), { "rf.bin": "by hand" });
  commitAll(hand);
  await refused("1", { code: "NOTHING_PUBLISHED", exitCode: 2, message: /no usable model-sync\.json$/ });

  const good = await publishVersion(world, "good");
  await publishVersion(world, "newer");
  const mirror = join(root, "mirror.git");
  git(root, "clone", "--quiet", "--bare", bare, mirror);
  const local = join(root, "local.git");
  git(root, "init", "--quiet", "--bare", local);
  for (const repoDir of [mirror, local]) {
    const from = { ...trainer, registry: { ...trainer.registry, repoDir, repoUrl: undefined } };
    const expected = { code: "REPO_BARE", exitCode: 2, hint: /^set model_sync\.repo_url to it/ };
    await refused(good, expected, {}, from);
    await assert.rejects(publishFrom(testContext(), from), expected, repoDir);
    // The dry runs of both.
    await assert.rejects(planFrom(testContext(), from), expected, repoDir);
    const options = {
      registry: from.registry,
      subdir: "models",
      allowDirtyWorktree: false,
      owner: "unlocked",
    } as const;
    await assert.rejects(GitWithdrawal.open(testContext(), options, root), expected, repoDir);
  }
  await refused(good, {
    code: "SIGNATURE_INVALID",
    exitCode: 5,
    message: /has not signed the newest release/,
  }, {
    seal: testKey().seal(),
  });
  git(hand, "pull", "--quiet", "origin", "main");
  writeFiles(join(hand, "models"), { "rf.bin": "by another program" });
  commitAll(hand);
  await refused(good, {
    code: "OTHER_WRITER",
    exitCode: 5,
    message: /commit [0-9a-f]{12} \(".*", by .*\) changed the models without their manifest$/,
    hint: /^publish first, and withdraw then/,
  });
});

Deno.test("a withdrawal that always loses the race for the push ends with exit code 1, and the next one succeeds", async () => {
  using world = makeWorld();
  const { trainer, root, bare } = world;
  await publishVersion(world, "good");
  const bad = await publishVersion(world, "bad");
  const hand = clone(bare, join(root, "hand"));
  const { context, pushes } = losingRaces(hand);
  await assert.rejects(withdrawFrom(context, trainer, bad), {
    code: "PUSH_LOST",
    exitCode: 1,
    hint: /check which other machines publish there/,
  });
  assert.equal(pushes(), 5);
  assert.equal((await withdrawFrom(testContext(), trainer, bad)).outcome, "withdrawn");
});

Deno.test("the withdrawal of the only release is published with a warning, because nothing takes its place", async () => {
  using world = makeWorld();
  const only = await publishVersion(world, "only");
  const context = testContext();
  const report = await withdrawFrom(context, world.trainer, only, { reason: "wrong labels" });
  assert.deepEqual([report.release, report.previous, report.sequence], [only, undefined, 2]);
  assert.match(
    context.log.lines.join("\n"),
    /warn .* has no earlier release to take the place of the withdrawn one: /,
  );
  assert.match(
    git(world.bare, "log", "-1", "--format=%B"),
    /^chore\(models\): withdraw [0-9a-f]{12}\n\nwrong labels$/m,
  );
  await assert.rejects(pullTo(testContext(), world.bot), { code: "WITHDRAWN", exitCode: 5 });
});

Deno.test("a withdrawal says that earlier releases are not restored because this publisher's key has not signed them", async () => {
  using world = makeWorld();
  await publishVersion(world, "unsigned");
  const seal = testKey().seal();
  const bad = await publishVersion(world, "signed", { seal });
  const context = testContext();
  const report = await withdrawFrom(context, world.trainer, bad, { seal });
  assert.equal(report.previous, undefined);
  const text = context.log.lines.join("\n");
  assert.match(text, /warn .* has no earlier release that this publisher's key signed: /);
  assert.match(text, /1 earlier release with another signature or none is not restored/);
});

/** A registry whose newest release has this digit and sequence 7. Nothing earlier is found in it. */
function registryWith(
  digit: string,
  publish: WithdrawalTarget["publish"] = refusing("nothing is published"),
): WithdrawalTarget {
  return {
    withdrawals: [],
    newest: { digest: digestOf(digit), sequence: 7 },
    find: () => Promise.resolve(undefined),
    publish,
    preview: refusing("nothing is previewed"),
    [Symbol.dispose]: () => {},
  };
}

function refusing(message: string) {
  return () => Promise.reject(new TypeError(message));
}

function digestOf(digit: string) {
  return `sha256:${digit.repeat(64)}` as const;
}

Deno.test("a withdrawal names one release: an unknown one, several and one that is not withdrawn are refused", async () => {
  const plan = (release: string, state: "withdrawn" | "reinstated" = "withdrawn") =>
    planWithdrawal(testContext(), undefined, [registryWith("a"), registryWith("b")], {
      release,
      state,
      reason: undefined,
    });
  for (const release of ["active", "7"]) {
    await assert.rejects(plan(release), {
      code: "RELEASE_AMBIGUOUS",
      exitCode: 2,
      hint: "name one by its digest: aaaaaaaaaaaa, bbbbbbbbbbbb",
    });
  }
  assert.deepEqual((await plan("bbbb")).change, { digest: digestOf("b"), state: "withdrawn" });
  // A whole digest need not be known.
  for (const release of ["c".repeat(64), "C".repeat(64), digestOf("c"), `sha256:${"C".repeat(64)}`]) {
    assert.equal((await plan(release)).change.digest, digestOf("c"), release);
  }
  await assert.rejects(plan("8"), { code: "RELEASE_MISSING", exitCode: 5 });
  await assert.rejects(plan("newest"), { code: "RELEASE_INVALID", exitCode: 2 });
  await assert.rejects(plan("aaaa", "reinstated"), { code: "NOT_WITHDRAWN" });
});

Deno.test("a release that no registry knows is found among those that this machine published or archived, and no others", async () => {
  using world = makeWorld();
  const context = testContext();
  const store = storeOf(context, world.trainer);
  const plan = (release: string, targets: readonly WithdrawalTarget[] = []) =>
    planWithdrawal(context, store, targets, { release, state: "withdrawn", reason: undefined });
  await assert.rejects(plan("active"), { code: "RELEASE_MISSING", exitCode: 5 });
  const run = { command: "publish", startedAt: "2026-11-21T00:00:00Z", durationMs: 1, host: "trainer" };
  const digests = {
    archived: Digest.parse(`sha256:1234${"0".repeat(60)}`),
    published: digestOf("b"),
    pulled: digestOf("c"),
  };
  const runs = [
    { outcome: "published", release: digestOf("d"), sequence: 7 },
    { outcome: "trained", release: digests.archived, sequence: 1 },
    { outcome: "published", release: digests.published, sequence: 2 },
    { outcome: "activated", release: digests.pulled, sequence: 3 },
    { outcome: "failed" },
  ] as const;
  for (const [index, fields] of runs.entries()) {
    appendHistory(store, { ...run, runId: `run-${index}`, ...fields });
  }
  for (
    const [release, expected] of [
      ["active", digests.published],
      ["2", digests.published],
      ["bbbb", digests.published],
      ["7", digestOf("d")],
      ["1", digests.archived],
      // No release has this number, but one begins with it.
      ["1234", digests.archived],
    ] as const
  ) assert.equal((await plan(release)).change.digest, expected, release);
  for (const release of ["3", "cccc"]) {
    await assert.rejects(plan(release), { code: "RELEASE_MISSING" }, release);
  }
  // The registry's newest release counts more than what this machine published last.
  for (const release of ["active", "7"]) {
    assert.equal((await plan(release, [registryWith("a")])).change.digest, digestOf("a"), release);
  }
  assert.equal((await plan("bbbb", [registryWith("a")])).change.digest, digests.published);
  const wanted = { release: "active", state: "withdrawn", reason: undefined } as const;
  const first = await planWithdrawal(context, undefined, [registryWith("a")], wanted);
  assert.equal(first.change.digest, digestOf("a"));
});

Deno.test("a withdrawal tries every registry: the first failure is the result, the others are logged, and the record names the key", async () => {
  using world = makeWorld();
  const store = storeOf(testContext(), world.trainer);
  const run = { step: async <Result>(_name: string, work: () => Result | Promise<Result>) => await work() };
  const wanted = { release: digestOf("a"), state: "withdrawn", reason: undefined } as const;
  const attempt = async (targets: readonly WithdrawalTarget[]) => {
    const context = testContext();
    const result = await withdraw(context, store, run, targets, wanted).catch((error: unknown) => error);
    return { result, errors: context.log.lines.filter((line) => line.startsWith("error ")) };
  };
  const reported = (targets: readonly WithdrawalTarget[]) =>
    withdraw(testContext(), store, run, targets, wanted);
  const failing = (code: string) =>
    registryWith("a", () => Promise.reject(new FailedError(`Cannot change ${code}`, { code })));
  const changed = registryWith("a", () =>
    Promise.resolve({
      carrier: "git",
      target: "origin/main",
      outcome: "published",
      release: digestOf("b"),
      sequence: 8,
      replaced: digestOf("a"),
      files: 1,
      commit: "abc",
      signer: "0123456789abcdef",
    }));

  const both = await attempt([failing("ONE"), failing("TWO")]);
  const failure = both.result;
  assert.ok(failure instanceof FailedError && failure.code === "ONE", String(failure));
  assert.match(failure.hint ?? "", /its next publish carries it$/);
  assert.deepEqual(both.errors, ["error Cannot change TWO"]);
  const half = await attempt([failing("ONE"), changed]);
  assert.ok(half.result instanceof FailedError, String(half.result));
  assert.match(half.result.hint ?? "", /^origin\/main has the change/);
  assert.deepEqual(half.errors, []);
  // A fault of the program itself is no answer of a registry.
  const fault = await attempt([registryWith("a", refusing("a fault")), changed]);
  assert.ok(fault.result instanceof TypeError && fault.result.message === "a fault", String(fault.result));
  const { withdrawal: _entry, registries: _done, ...report } = await reported([changed]);
  const common = { carrier: "git", release: digestOf("b"), sequence: 8, files: 1 };
  assert.deepEqual(report, {
    ...common,
    outcome: "withdrawn",
    previous: digestOf("a"),
    signer: "0123456789abcdef",
    revision: "abc",
  });
  const plain = registryWith("a", () =>
    Promise.resolve({
      ...common,
      carrier: "git",
      target: "origin/main",
      outcome: "unchanged",
      replaced: undefined,
      signer: undefined,
      commit: undefined,
    }));
  const { withdrawal: _same, registries: _none, ...unchanged } = await reported([plain]);
  assert.deepEqual(unchanged, { ...common, outcome: "unchanged" });
});

Deno.test("a repeated withdrawal of the active release is refused until another release is published, whatever failed meanwhile", async () => {
  using world = makeWorld();
  const store = storeOf(testContext(), world.trainer);
  const plan = async () => {
    const wanted = { release: "active", state: "withdrawn", reason: undefined } as const;
    const { change } = await planWithdrawal(testContext(), store, [registryWith("a")], wanted);
    return change.digest;
  };
  const record = (outcome: "withdrawn" | "failed" | "published") =>
    appendHistory(store, {
      runId: outcome,
      command: outcome === "withdrawn" ? "withdraw" : "publish",
      startedAt: "2026-11-21T00:00:00Z",
      durationMs: 1,
      host: "trainer",
      outcome,
      release: digestOf("a"),
      previous: digestOf("b"),
    });
  record("withdrawn");
  const restored = { code: "RELEASE_RESTORED", exitCode: 2, hint: /model-sync withdraw aaaaaaaaaaaa$/ };
  await assert.rejects(plan(), restored);
  record("failed");
  await assert.rejects(plan(), restored);
  record("published");
  assert.equal(await plan(), digestOf("a"));
});

/** A machine that pulled a good release and a bad one, and the list that withdraws the latter. */
async function pulledBad(world: World) {
  const store = storeOf(testContext(), world.bot);
  const [good, bad] = [
    await MemorySource.offering({ "rf.bin": "good" }, 1),
    await MemorySource.offering({ "rf.bin": "bad" }, 2),
  ];
  for (const source of [good, bad]) await pullFrom(testContext(), store, source);
  const at = "2026-11-21T00:00:00Z";
  return { store, good, bad, list: [{ digest: bad.digest, state: "withdrawn", at }] } as const;
}

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
