import assert from "node:assert/strict";
import { join } from "node:path";
import type { PermissionName } from "../../cli/_world.ts";
import { compareRemote } from "../../lib/pipeline/compare_remote.ts";
import type { Carrier } from "../../lib/release/manifest.ts";
import { systemClock } from "../../lib/core/clock.ts";
import { OWNER, REPOSITORY, startGitHubServer } from "../../fakes/github_server.ts";
import { HubWorld } from "../helpers/hub_world.ts";
import { configuredPair } from "../helpers/machines.ts";
import { runCli } from "../helpers/run_cli.ts";
import { run, runJson } from "../helpers/seed_world.ts";
import { clone, commitAll, git } from "../helpers/test_git.ts";
import { streamedZip } from "../helpers/streamed_zip.ts";
import { tempDir, writeFiles } from "../helpers/temp_dir.ts";

type Listed = Readonly<Record<string, unknown>>;

async function releasesOf(cwd: string, ...args: string[]): Promise<Listed[]> {
  const { releases } = await runJson(cwd, "releases", ...args);
  return Array.isArray(releases) ? releases : [];
}

const statesOf = (releases: readonly Listed[]) => releases.map(({ sequence, state }) => [sequence, state]);

Deno.test("releases lists every known release with its state, and --remote how far the active one is behind", async () => {
  using dir = tempDir();
  const { trainer, bot, registry } = configuredPair(dir.path);
  const publish = async (content: string) => {
    writeFiles(join(trainer, "models"), { "rf.bin": content });
    return String((await runJson(trainer, "publish"))["release"]);
  };
  assert.match((await run(bot, "releases")).stdout, /^no release is known on this machine yet\n$/);
  const digests: string[] = [];
  for (const content of ["one", "two", "three", "four"]) {
    digests.push(await publish(content));
    await runJson(bot, "pull");
  }
  const pulled = await releasesOf(bot);
  const revisions = pulled.map(({ revision }) => revision);
  assert.deepEqual(statesOf(pulled), [
    [4, "active"],
    [3, "previous"],
    [2, "installed"],
    [1, "installed"],
  ]);
  const published = await releasesOf(trainer);
  assert.deepEqual(statesOf(published), [4, 3, 2, 1].map((one) => [one, "published"]));
  assert.deepEqual(published.map(({ revision }) => revision), revisions);
  // An archive of a pulled release is not where it came from.
  await runJson(bot, "train", "--skip-training");
  assert.deepEqual(await releasesOf(bot), pulled);
  await runJson(bot, "rollback");
  await runJson(bot, "quarantine", "add", digests[0] ?? "", "--reason", "wrong labels");
  await runJson(bot, "prune", "--keep", "1");
  const store = join(bot, ".model-sync");
  Deno.removeSync(join(store, "releases", `${digests[3]?.slice("sha256:".length)}.json`));
  const after = await releasesOf(bot);
  assert.deepEqual(statesOf(after), [[4, "quarantined"], [3, "active"], [2, "removed"], [1, "quarantined"]]);
  assert.deepEqual([after[3]?.["quarantine"], after[2]?.["carrier"], after[2]?.["bytes"]], [
    { ...Object(after[3]?.["quarantine"]), reason: "wrong labels" },
    "git",
    3,
  ]);
  await runJson(bot, "quarantine", "lift", digests[3] ?? "");
  assert.deepEqual(statesOf(await releasesOf(bot, "--limit", "1")), [[4, "damaged"]]);
  const behind = await runJson(bot, "releases", "--remote");
  const [remote] = Array.isArray(behind["remotes"]) ? behind["remotes"] : [];
  const { role, digest, sequence, relation, sequencesBehind, error } = remote;
  assert.deepEqual([role, digest, sequence, relation, sequencesBehind, error], [
    "client",
    digests[3],
    4,
    "newer",
    1,
    null,
  ]);
  // Damage of another part hides no release.
  const quarantine = join(store, "quarantine.json");
  const entries = Deno.readTextFileSync(quarantine);
  Deno.writeTextFileSync(quarantine, "{");
  const damaged = await run(bot, "releases");
  assert.match(damaged.stdout, /^ +3 {2}[0-9a-f]{12} {2}active/m);
  assert.match(
    damaged.stderr,
    /warn {2}Cannot read \S+quarantine\.json: it is not a list of quarantined releases/,
  );
  Deno.writeTextFileSync(quarantine, entries);
  await publish("five");
  const shown = await run(bot, "releases", "--remote");
  assert.match(shown.stdout, /^ +3 {2}[0-9a-f]{12} {2}active {7}\S.*\S +5 bytes {2}git [0-9a-f]{12}$/m);
  assert.match(
    shown.stdout,
    /newest at the source\n {2}client {2}release [0-9a-f]{12} sequence 5, git [0-9a-f]{12}\n/,
  );
  assert.match(shown.stdout, / {10}the active release is 2 sequences behind\n$/);
  assert.match(
    (await run(trainer, "releases", "--remote")).stdout,
    /the release published here is the newest/,
  );
  const hand = clone(registry, join(dir.path, "hand"));
  git(hand, "checkout", "--quiet", "main~3", "--", ".");
  commitAll(hand);
  assert.match(
    (await run(bot, "releases", "--remote")).stdout,
    / {2}client {2}release \S+ sequence 2, git \S+\n {10}older than the active release, sequence 3\n$/,
  );
  Deno.removeSync(join(hand, "model-sync.json"));
  commitAll(hand);
  assert.match(
    (await run(bot, "releases", "--remote")).stdout,
    /newest at the source\n {2}client {2}\S.*\n {10}another one than the active release\n$/,
  );
  const before = [...Deno.readDirSync(store)].map(({ name }) => name).sort();
  Deno.renameSync(registry, `${registry}.away`);
  const away = await run(bot, "releases", "--remote");
  assert.equal(away.code, 4, away.stderr);
  assert.match(away.stdout, /3 {2}[0-9a-f]{12} {2}active[^]*client {2}unknown: the error follows\n$/);
  assert.match(away.stderr, /^error: Cannot /m);
  const json = await run(bot, "releases", "--remote", "-o", "json");
  assert.equal(JSON.parse(json.stdout).remotes[0].error.exitCode, 4);
  assert.equal(JSON.parse(json.stderr).exitCode, json.code);
  assert.deepEqual([...Deno.readDirSync(store)].map(({ name }) => name).sort(), before);
});

Deno.test("releases --remote says that the next pull rolls back from a release which its publisher withdrew, and to what; status says it once the machine knows", async () => {
  using dir = tempDir();
  const { trainer, bot } = configuredPair(dir.path);
  const publish = async (content: string) => {
    writeFiles(join(trainer, "models"), { "rf.bin": content });
    return String((await runJson(trainer, "publish"))["release"]);
  };
  const remoteOf = async () => {
    const { remotes } = await runJson(bot, "releases", "--remote");
    return Array.isArray(remotes) ? remotes[0] : undefined;
  };
  const textOf = async () => (await run(bot, "releases", "--remote")).stdout;
  const bad = await publish("bad");
  await runJson(bot, "pull");
  assert.deepEqual([(await remoteOf()).withdrawal, (await remoteOf()).activeWithdrawal], [null, null]);
  await runJson(trainer, "withdraw", bad, "--reason", "wrong labels");
  assert.partialDeepStrictEqual(await remoteOf(), {
    relation: "same",
    withdrawal: { reason: "wrong labels" },
    activeWithdrawal: { reason: "wrong labels", replacedBy: null },
  });
  assert.match(
    await textOf(),
    / {10}the active release was withdrawn at \S+ \(wrong labels\): it stays active, because no other release is there to roll back to\n$/,
  );
  const good = await publish("good");
  assert.partialDeepStrictEqual(await remoteOf(), {
    relation: "newer",
    withdrawal: null,
    activeWithdrawal: { reason: "wrong labels", replacedBy: good },
  });
  assert.match(
    await textOf(),
    /the active release is 2 sequences behind\n {10}the active release was withdrawn at \S+ \(wrong labels\): the next pull replaces it by [0-9a-f]{12}\n$/,
  );
  await run(bot, "pull");
  const worse = await publish("worse");
  await runJson(bot, "pull");
  const worst = await publish("worst");
  await runJson(trainer, "withdraw", worst);
  await runJson(trainer, "withdraw", worse);
  // The newest release of the registry is the good one again, which the store holds.
  assert.partialDeepStrictEqual(await remoteOf(), { digest: good, activeWithdrawal: { replacedBy: good } });
  // A withdrawal of a release that is not active here is none of its business.
  await run(bot, "pull");
  assert.deepEqual((await remoteOf()).activeWithdrawal, null);
  // By force, it stays active.
  await runJson(bot, "rollback", "--to", worse, "--force");
  assert.deepEqual((await remoteOf()).activeWithdrawal, null);
  assert.match(
    (await run(bot, "status")).stdout,
    /its publisher withdrew it at \S+; it was activated here by force/,
  );
});

Deno.test("releases --remote asks the hub, needs no programs for it, and gives up on an unreachable one", async () => {
  await using hub = new HubWorld();
  await hub.json("trainer", "hf-upload");
  await hub.json("bot", "hf-pull");
  writeFiles(join(hub.path, "trainer/models"), { "model.bin": "newer" });
  await hub.json("trainer", "hf-upload");
  const cwd = join(hub.path, "bot");
  const givenUp = new Set<PermissionName>();
  const permissions = { givenUp, giveUp: (name: PermissionName) => void givenUp.add(name) };
  const { stdout } = await runCli("releases", ["--remote"], { cwd, world: { permissions } });
  assert.match(stdout, /huggingface_client {2}release [0-9a-f]{12} sequence 2, huggingface [0-9a-f]{12}/);
  assert.match(stdout, /the active release is 1 sequence behind/);
  assert.deepEqual([...givenUp].sort(), ["env", "run"]);
  const away = await runCli("releases", ["--remote"], {
    cwd,
    world: { http: () => Promise.reject(new TypeError("connection refused")) },
  });
  assert.equal(away.code, 4, away.stderr);
  assert.match(away.stdout, /1 {2}[0-9a-f]{12} {2}active/);
});

Deno.test("releases --remote names the newest workflow run without downloading its artifact, and starts no RunPod job", async () => {
  await using github = startGitHubServer(systemClock);
  using dir = tempDir();
  const artifact = { name: "models", content: streamedZip({ "rf.bin": "1" }) };
  const runpod = {
    trigger_url: "http://127.0.0.1:9/run",
    status_url_template: "http://127.0.0.1:9/{job_id}",
  };
  writeFiles(dir.path, {
    "configs/bot.yaml": JSON.stringify({
      model_sync: { artifacts: { owner: OWNER, repository: REPOSITORY }, runpod },
    }),
  });
  const cwd = dir.path;
  await github.addArtifact(github.addRun(), artifact);
  // Without a source of releases, the reason why none is named.
  for (
    const [model_sync, says] of [
      [{}, "no source is configured: set repo_url, huggingface.repo_id or artifacts.repository"],
      [{ runpod }, "a RunPod job has no release before it is trained"],
    ] as const
  ) {
    writeFiles(dir.path, { "none/configs/bot.yaml": JSON.stringify({ model_sync }) });
    const none = await runCli("releases", ["--remote"], { cwd: join(dir.path, "none"), env: github.env });
    assert.match(none.stdout, new RegExp(`newest at the source\n  ${says}\n$`));
  }
  const remoteOf = async () => {
    const { code, stdout, stderr } = await runCli("releases", ["--remote", "--json"], {
      cwd,
      env: github.env,
    });
    assert.equal(code, 0, stderr);
    const [remote, ...others] = JSON.parse(stdout).remotes;
    assert.deepEqual(others, []);
    return remote;
  };
  assert.deepEqual([(await remoteOf()).digest, (await remoteOf()).relation], [null, "unknown"]);
  const pulled = await runCli("artifact-pull", ["--json"], { cwd, env: github.env });
  const { release } = JSON.parse(pulled.stdout);
  const same = await remoteOf();
  assert.deepEqual([same.digest, same.relation, same.sequencesBehind], [release, "same", 0]);
  await github.addArtifact(github.addRun(), artifact);
  const newer = await remoteOf();
  assert.deepEqual([newer.digest, newer.relation, newer.sequencesBehind], [null, "newer", null]);
});

Deno.test("releases of one carrier are ordered by their sequence or their run, and those of two carriers are not", () => {
  const release = (digit: string, revision: string, sequence: number | null, carrier: Carrier = "git") =>
    ({ digest: `sha256:${digit.repeat(64)}`, revision, sequence, carrier }) as const;
  const runs = (digit: string, revision: string) => release(digit, revision, null, "github-actions");
  const here = release("a", "c1", 5);
  const cases = [
    [here, undefined, "unknown", null],
    [release("a", "c2", 9), here, "same", 0],
    [release("b", "c2", 7), here, "newer", 2],
    [release("b", "c2", 3), here, "older", 0],
    [release("b", "c2", 5), here, "unknown", 0],
    [release("b", "c2", 0), here, "unknown", null],
    [{ ...release("b", "c1", null), digest: null }, here, "same", 0],
    [{ ...release("b", "c2", null), digest: null }, here, "unknown", null],
    [release("b", "c1", 7), here, "newer", 2],
    [release("b", "c2", 7, "huggingface"), here, "unknown", null],
    [runs("b", "12.1"), runs("a", "11.3"), "newer", null],
    [runs("b", "11.2"), runs("a", "11.3"), "older", null],
    [runs("b", "12.1"), runs("a", "11"), "unknown", null],
  ] as const;
  for (const [remote, known, relation, sequencesBehind] of cases) {
    assert.deepEqual(compareRemote(remote, known), { relation, sequencesBehind });
  }
});

Deno.test("publish says how many of the changed files it removed", async () => {
  using dir = tempDir();
  const { trainer } = configuredPair(dir.path);
  const models = join(trainer, "models");
  writeFiles(models, { "a.bin": "a", "b.bin": "b", "c.bin": "c" });
  assert.match((await run(trainer, "publish")).stdout, /^ {2}3 changed, pushed to /m);
  Deno.removeSync(join(models, "c.bin"));
  writeFiles(models, { "a.bin": "two" });
  assert.match((await run(trainer, "publish")).stdout, /^ {2}2 changed \(1 removed\), pushed to /m);
});

Deno.test("after the registry was set back, look-ups name the command that follows it, and on a publisher what its next publish does", async () => {
  using dir = tempDir();
  const { trainer, bot, registry } = configuredPair(dir.path);
  const publish = async (content: string) => {
    writeFiles(join(trainer, "models"), { "rf.bin": content });
    return String((await runJson(trainer, "publish"))["commit"]);
  };
  const first = await publish("one");
  await runJson(bot, "pull");
  const second = await publish("two");
  await runJson(bot, "pull");
  git(registry, "update-ref", "refs/heads/main", first);
  const [before, after] = [first.slice(0, 12), second.slice(0, 12)];
  const setBack = `the remote was set back to ${before}, before ${after} that was pulled\n` +
    "next:  if the downgrade is intended, run model-sync pull --allow-downgrade";
  const lookedUp = "error: Cannot look up the newest release on main: ";
  for (
    const [where, [command, ...args], expected] of [
      [bot, ["releases", "--remote"], lookedUp + setBack],
      [bot, ["diff", "active", "remote"], lookedUp + setBack],
      [bot, ["pull"], `error: Cannot pull main: ${setBack}`],
      [
        trainer,
        ["releases", "--remote"],
        `${lookedUp}origin/main is at ${before}, before ${after} in the clone of this publisher\n` +
        "next:  the next model-sync publish pushes the newer commits; " +
        "to take back a release, run model-sync withdraw",
      ],
    ] as const
  ) {
    const { code, stderr } = await run(where, command, ...args);
    assert.equal(code, 5, stderr);
    assert.ok(stderr.includes(expected), stderr);
  }
  // The publisher does what its hint says.
  await publish("two");
  assert.equal(git(registry, "rev-parse", "main"), second);
});
