import assert from "node:assert/strict";
import { join } from "node:path";
import { systemClock } from "../../lib/core/clock.ts";
import { OWNER, REPOSITORY, startGitHubServer } from "../../fakes/github_server.ts";
import { configuredPair } from "../helpers/machines.ts";
import { runCli } from "../helpers/run_cli.ts";
import { run, runJson } from "../helpers/seed_world.ts";
import { streamedZip } from "../helpers/streamed_zip.ts";
import { tempDir, writeFiles } from "../helpers/temp_dir.ts";

Deno.test("diff compares two releases by pointer, sequence, digest and remote, also if only their lists are left", async () => {
  using dir = tempDir();
  const { trainer, bot } = configuredPair(dir.path);
  const models = join(trainer, "models");
  writeFiles(models, { "a.bin": "one", "b.bin": "b".repeat(2_048), "c.bin": "stays" });
  const first = String((await runJson(trainer, "publish"))["release"]);
  assert.match(
    (await run(trainer, "diff")).stderr,
    /previous release: this machine published only one\nnext: /,
  );
  await runJson(bot, "pull");
  writeFiles(models, { "a.bin": "longer", "d.bin": "new" });
  Deno.renameSync(join(models, "b.bin"), join(models, "moved.bin"));
  await runJson(trainer, "publish");
  const published = await run(trainer, "diff");
  await runJson(bot, "pull");
  const last = await run(bot, "diff");
  const lines = last.stdout.split("\n");
  assert.match(lines[0] ?? "", /^from {2}[0-9a-f]{12} {2}sequence 1, git [0-9a-f]{12}, 2\S+Z$/);
  assert.match(lines[1] ?? "", /^to {4}[0-9a-f]{12} {2}sequence 2, git [0-9a-f]{12}, 2\S+Z$/);
  assert.deepEqual(lines.slice(2), [
    "CHANGE    BEFORE    AFTER  FILE",
    "changed  3 bytes  6 bytes  a.bin",
    "added          –  3 bytes  d.bin",
    "renamed  2.0 KiB  2.0 KiB  moved.bin (was b.bin)",
    "1 changed, 1 added, 1 renamed; 9 bytes to transfer",
    "",
  ]);
  // A trainer has no active release: it compares the last two that it published.
  const withoutTimes = (text: string) => text.replaceAll(/, 2\S+Z$/gm, "");
  assert.equal(withoutTimes(published.stdout), withoutTimes(last.stdout));
  const { from, changes, transferBytes } = await runJson(bot, "diff", first.slice(7, 15));
  assert.deepEqual([Object(from).digest, Object(from).files, transferBytes], [first, 3, 9]);
  assert.deepEqual(Array.isArray(changes) && changes[2], {
    path: "moved.bin",
    kind: "renamed",
    from: "b.bin",
    sizeBefore: 2_048,
    sizeAfter: 2_048,
    sha256Before: Object(changes)[2].sha256After,
    sha256After: Object(changes)[2].sha256After,
  });
  const codes = [["1", "2", "--exit-code"], ["2", "2", "--exit-code"], ["1", "2"]].map(async (args) =>
    (await run(bot, "diff", ...args)).code
  );
  assert.deepEqual(await Promise.all(codes), [1, 0, 0]);
  assert.match((await run(bot, "diff", "2", "active")).stdout, /both have the same files\n$/);
  writeFiles(models, { "e.bin": "newest" });
  await runJson(trainer, "publish");
  assert.match(
    (await run(bot, "diff", "active", "remote")).stdout,
    /added .* 6 bytes {2}e\.bin\n1 added; 6 bytes/,
  );
  // A trainer has no store of releases, but the lists of what it published.
  assert.match((await run(trainer, "diff", "2", "3")).stdout, /1 added; 6 bytes to transfer/);
  assert.match((await run(trainer, "diff", "remote", "3")).stdout, /both have the same files/);
  // The folder of a release is gone; its manifest is not.
  Deno.removeSync(join(bot, ".model-sync/releases", first.slice("sha256:".length)), { recursive: true });
  assert.match((await run(bot, "diff", "1")).stdout, /1 changed, 1 added, 1 renamed/);
  Deno.removeSync(join(bot, ".model-sync/releases", `${first.slice("sha256:".length)}.json`));
  for (
    const [cwd, args, code, says] of [
      [bot, ["1"], 5, /its list of files is gone/],
      [bot, ["77"], 5, /this machine knows no such release\nnext: {2}model-sync releases lists/],
      [bot, ["x"], 2, /neither active, previous, remote, a sequence number nor the beginning of a digest/],
      [bot, ["1", "2", "3"], 2, /Cannot use the argument "3"/],
      [dir.path, ["1", "2"], 2, /Cannot find a store/],
      [dir.path, ["remote", "2"], 2, /no source of releases is configured/],
    ] as const
  ) {
    const refused = await run(cwd, "diff", ...args);
    assert.deepEqual([refused.code, refused.stdout], [code, ""], refused.stderr);
    assert.match(refused.stderr, says);
  }
});

Deno.test("diff with the remote release of a workflow says that only a dry run knows its files", async () => {
  await using github = startGitHubServer(systemClock);
  using dir = tempDir();
  const settings = { artifacts: { owner: OWNER, repository: REPOSITORY } };
  writeFiles(dir.path, { "configs/bot.yaml": JSON.stringify({ model_sync: settings }) });
  const command = (name: string, ...args: string[]) => runCli(name, args, { cwd: dir.path, env: github.env });
  const train = (content: string) =>
    github.addArtifact(github.addRun(), { name: "models", content: streamedZip({ "rf.bin": content }) });
  await train("1");
  assert.equal((await command("artifact-pull")).code, 0);
  assert.match((await command("diff", "active", "remote")).stdout, /both have the same files/);
  await train("2");
  const refused = await command("diff", "active", "remote");
  assert.deepEqual([refused.code, refused.stdout], [5, ""]);
  assert.match(
    refused.stderr,
    /known only after the download\nnext: {2}run model-sync artifact-pull --dry-run/,
  );
});
