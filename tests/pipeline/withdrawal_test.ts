import assert from "node:assert/strict";
import { join } from "node:path";
import { GitWithdrawal } from "../../lib/carriers/git_withdrawal.ts";
import type { WithdrawalTarget } from "../../lib/carriers/withdrawal_target.ts";
import { FailedError } from "../../lib/core/errors.ts";
import { planWithdrawal, withdraw } from "../../lib/pipeline/withdraw.ts";
import { formatManifest } from "../../lib/release/format_manifest.ts";
import { Digest, parseManifest } from "../../lib/release/manifest.ts";
import { appendHistory } from "../../lib/store/history.ts";
import { readPointer } from "../../lib/store/pointers.ts";
import { readQuarantine } from "../../lib/store/quarantine.ts";
import { findWithdrawal, readWithdrawals } from "../../lib/store/withdrawals.ts";
import {
  losingRaces,
  type Machine,
  machine,
  planFrom,
  publishFrom,
  pullTo,
  storeOf,
  withdrawFrom,
  type WithdrawSettings,
} from "../helpers/machines.ts";
import { testKey } from "../helpers/signing.ts";
import { readFiles, writeFiles } from "../helpers/temp_dir.ts";
import { isolatedSpawn, testContext } from "../helpers/test_context.ts";
import { clone, commitAll, git, testWithLfs } from "../helpers/test_git.ts";
import { digestOf, makeWorld, publishVersion, versionOf, withdrawn } from "../helpers/withdrawal_world.ts";

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
