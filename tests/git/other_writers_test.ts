import assert from "node:assert/strict";
import { join } from "node:path";
import { RefusedError } from "../../lib/core/errors.ts";
import { findWriterOf } from "../../lib/store/revisions.ts";
import { readHistory } from "../../lib/store/history.ts";
import {
  type Machine,
  machine,
  MODELS,
  newTrainer,
  publishFrom,
  pullTo,
  registryOf,
  rollBack,
  storeOf,
} from "../helpers/machines.ts";
import { memoryDir, readFiles, writeFiles } from "../helpers/temp_dir.ts";
import { testContext } from "../helpers/test_context.ts";
import { clone, commitAll, git } from "../helpers/test_git.ts";

const ACCEPT = { otherWriters: "accept" } as const;

/** A registry with one release of model-sync, a bot, and a clone of the original scripts. */
async function newWorld(root: string) {
  const trainer = newTrainer(root);
  const bot = machine(root, "bot", registryOf(trainer));
  const first = await publishFrom(testContext(), trainer);
  const script = clone(registryOf(trainer), join(root, "script-clone"));
  return { trainer, bot, first, script, described: git(script, "rev-parse", "HEAD") };
}

/**
 * Does what the original script does: mirrors its folder into the clone, commits and pushes. The manifest stays
 * unchanged.
 */
function scriptPublishes(
  script: string,
  files: Readonly<Record<string, string>>,
  message = "chore(models): sync",
): string {
  git(script, "pull", "--quiet", "--ff-only");
  Deno.removeSync(join(script, "models"), { recursive: true });
  writeFiles(join(script, "models"), files);
  return commitAll(script, message);
}

function refusedAs(message: RegExp): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof RefusedError, String(error));
    assert.deepEqual([error.code, error.exitCode], ["DIGEST_MISMATCH", 5]);
    assert.match(error.message, message);
    return true;
  };
}

Deno.test("a refused pull names the other program's commit, the release of its manifest, and what to do", async (t) => {
  const changes: Readonly<Record<string, Readonly<Record<string, string>>>> = {
    "other content": { ...MODELS, "BTC/rf.joblib": "two" },
    "other content of the same size": { ...MODELS, "BTC/rf.joblib": "won" },
    "a file more": { ...MODELS, "SOL/rf.joblib": "sol" },
    "a file fewer": { "BTC/rf.joblib": "one", "ETH/rf.joblib": "eth" },
  };
  for (const [name, files] of Object.entries(changes)) {
    await t.step(name, async () => {
      using dir = memoryDir();
      const { bot, script, described } = await newWorld(dir.path);
      await pullTo(testContext(), bot);
      const commit = scriptPublishes(script, files, "evil \u001b[31m subject");
      // The second client knows the content already; the third has never seen the release.
      for (const client of [bot, bot, machine(dir.path, "late", registryOf(bot))]) {
        await assert.rejects(pullTo(testContext(), client), (error) => {
          refusedAs(
            new RegExp(
              `commit ${commit.slice(0, 12)} \\(".*subject", by Ada\\) was not published by model-sync: ` +
                `its manifest describes commit ${described.slice(0, 12)}`,
            ),
          )(error);
          assert.ok(error instanceof RefusedError);
          assert.doesNotMatch(error.message, /\p{Cc}/u);
          assert.match(error.hint ?? "", /other_writers: accept.*--accept-other-writers/);
          return true;
        });
      }
      assert.deepEqual(readFiles(bot.modelsDir), Object.fromEntries(Object.entries(MODELS).sort()));
    });
  }
});

Deno.test("a pull that accepts other programs activates their files with a warning, and the history names them", async () => {
  using dir = memoryDir();
  const { bot, script, first, described } = await newWorld(dir.path);
  await pullTo(testContext(), bot);
  const files = { ...MODELS, "BTC/rf.joblib": "two", "SOL/rf.joblib": "sol" };
  const commit = scriptPublishes(script, files);
  const context = testContext();
  const report = await pullTo(context, bot, ACCEPT);
  assert.deepEqual([report.outcome, report.sequence], ["activated", first.sequence]);
  assert.deepEqual(readFiles(bot.modelsDir), Object.fromEntries(Object.entries(files).sort()));
  assert.match(context.log.lines.join("\n"), /warn commit .* was not published by model-sync/);
  const otherWriter = { revision: commit, author: "Ada", subject: "chore(models): sync", described };
  assert.deepEqual(report.otherWriter, otherWriter);
  const store = storeOf(testContext(), bot);
  assert.deepEqual(readHistory(store, 1)[0]?.otherWriter, otherWriter);
  assert.deepEqual(findWriterOf(store, report.release), otherWriter);

  const again = await pullTo(testContext(), bot, ACCEPT);
  assert.deepEqual([again.outcome, again.otherWriter], ["unchanged", otherWriter]);
  scriptPublishes(script, { ...files, "BTC/rf.joblib": "three" });
  assert.equal((await pullTo(testContext(), bot, ACCEPT)).outcome, "activated");
  assert.equal(Deno.readTextFileSync(join(bot.modelsDir, "BTC/rf.joblib")), "three");
});

Deno.test("a client without the release accepts any number of another program's commits on it", async () => {
  using dir = memoryDir();
  const { bot, script } = await newWorld(dir.path);
  for (let day = 1; day <= 3; day++) scriptPublishes(script, { ...MODELS, "BTC/rf.joblib": `day ${day}` });
  const report = await pullTo(testContext(), bot, ACCEPT);
  assert.equal(report.outcome, "activated");
  assert.equal(Deno.readTextFileSync(join(bot.modelsDir, "BTC/rf.joblib")), "day 3");
  const own = git(join(bot.registry.repoDir), "rev-list", "--count", "--all");
  assert.equal(own, "1", "the clone itself stays shallow");
});

Deno.test("publish() replaces another program's commit, names its author, and every client follows", async () => {
  using dir = memoryDir();
  const { trainer, bot, script } = await newWorld(dir.path);
  await pullTo(testContext(), bot);
  const commits = [1, 2].map((day) =>
    scriptPublishes(script, { ...MODELS, "BTC/rf.joblib": `day ${day}` }, `day ${day}`)
  );
  await pullTo(testContext(), bot, ACCEPT);
  const context = testContext();
  // The trainer's models did not change; the registry did.
  const report = await publishFrom(context, trainer);
  assert.deepEqual([report.outcome, report.sequence], ["published", 2]);
  assert.deepEqual(
    report.publication.otherWriters,
    commits.toReversed().map((commit, index) => ({ commit, author: "Ada", subject: `day ${2 - index}` })),
  );
  assert.match(context.log.lines.join("\n"), /info .*day 2.*Ada/);
  for (const options of [{}, ACCEPT]) {
    const client = options === ACCEPT ? machine(dir.path, "other", registryOf(trainer)) : bot;
    const pulled = await pullTo(testContext(), client, options);
    assert.deepEqual([pulled.release, pulled.sequence, pulled.otherWriter], [report.release, 2, undefined]);
  }
  assert.equal((await publishFrom(testContext(), trainer)).outcome, "unchanged");
  writeFiles(trainer.modelsDir, { "BTC/rf.joblib": "four" });
  assert.deepEqual((await publishFrom(testContext(), trainer)).publication.otherWriters, []);
});

Deno.test("the author and subject of a foreign commit are cleaned where they are shown and stored", async () => {
  using dir = memoryDir();
  const { trainer, bot, script } = await newWorld(dir.path);
  await pullTo(testContext(), bot);
  const subject = `\u001b[2Jgone by https://me:hunter22@example.org/x ${"long ".repeat(100)}`;
  scriptPublishes(script, { ...MODELS, "BTC/rf.joblib": "foreign" }, subject);
  const context = testContext();
  await pullTo(context, bot, ACCEPT);
  const { publication } = await publishFrom(context, trainer);
  const shown = JSON.stringify([publication, context.log.lines, readHistory(storeOf(context, bot), 5)]);
  assert.match(shown, /gone by https:\/\/\[redacted\]@example\.org\/x/);
  for (const part of ["hunter22", "\\u001b", "long ".repeat(50)]) assert.ok(!shown.includes(part), part);
});

Deno.test("a changed manifest that does not match is refused whatever the settings", async (t) => {
  const manifestOf = (script: string) => Deno.readTextFileSync(join(script, "model-sync.json"));
  const tampers: Readonly<Record<string, (script: string) => void>> = {
    "with the files, in one commit": (script) => {
      writeFiles(script, {
        "model-sync.json": manifestOf(script).replace('"sequence": 1', '"sequence": 2'),
        "models/BTC/rf.joblib": "two",
      });
      commitAll(script);
    },
    "first the manifest, then the files": (script) => {
      writeFiles(script, { "model-sync.json": manifestOf(script).replace("test-host", "other-host") });
      commitAll(script);
      writeFiles(script, { "models/BTC/rf.joblib": "two" });
      commitAll(script);
    },
    "only reformatted, then the files": (script) => {
      writeFiles(script, { "model-sync.json": JSON.stringify(JSON.parse(manifestOf(script))) });
      commitAll(script);
      writeFiles(script, { "models/SOL/rf.joblib": "sol" });
      commitAll(script);
    },
    "by a commit with model-sync's trailers, that has other files": (script) => {
      const release = JSON.parse(manifestOf(script)).digest;
      writeFiles(script, {
        "model-sync.json": manifestOf(script).replace('"sequence": 1', '"sequence": 2'),
        "models/BTC/rf.joblib": "two",
      });
      commitAll(script, `chore(models): sync\n\nModel-Release: ${release}\nModel-Sequence: 2`);
      writeFiles(script, { "models/ETH/rf.joblib": "other" });
      commitAll(script);
    },
  };
  for (const [name, tamper] of Object.entries(tampers)) {
    await t.step(name, async () => {
      using dir = memoryDir();
      const { bot, script } = await newWorld(dir.path);
      await pullTo(testContext(), bot);
      tamper(script);
      for (const client of [bot, machine(dir.path, "late", registryOf(bot))]) {
        await assert.rejects(pullTo(testContext(), client, ACCEPT), { code: "DIGEST_MISMATCH", exitCode: 5 });
      }
      assert.equal(Deno.readTextFileSync(join(bot.modelsDir, "BTC/rf.joblib")), "one");
    });
  }
});

Deno.test("accepting other programs has no effect if a signature is required, and the refusal says so", async () => {
  using dir = memoryDir();
  const { bot, script } = await newWorld(dir.path);
  scriptPublishes(script, { ...MODELS, "SOL/rf.joblib": "sol" });
  const signatures = { keys: [], isRequired: true };
  await assert.rejects(pullTo(testContext(), bot, { ...ACCEPT, signatures }), (error) => {
    assert.ok(error instanceof RefusedError);
    assert.match(error.message, /was not published by model-sync/);
    assert.match(error.hint ?? "", /signing\.required/);
    return true;
  });
});

Deno.test("a commit that does not change the models, or restores an older release, is judged by its manifest", async () => {
  using dir = memoryDir();
  const { trainer, bot, script } = await newWorld(dir.path);
  writeFiles(script, { "README.md": "by hand" });
  commitAll(script);
  assert.deepEqual([(await pullTo(testContext(), bot)).sequence], [1]);
  writeFiles(trainer.modelsDir, { "BTC/rf.joblib": "two" });
  await publishFrom(testContext(), trainer);
  assert.equal((await pullTo(testContext(), bot)).sequence, 2);
  git(script, "pull", "--quiet", "--ff-only");
  git(script, "revert", "--no-edit", "HEAD");
  git(script, "push", "--quiet", "origin", "HEAD:main");
  await assert.rejects(pullTo(testContext(), bot, ACCEPT), { code: "DOWNGRADE", exitCode: 5 });
  assert.equal((await pullTo(testContext(), bot, { ...ACCEPT, allowDowngrade: true })).sequence, 1);
});

Deno.test("another program's files on an older release are not a downgrade, and a quarantined release stays out", async () => {
  using dir = memoryDir();
  const { trainer, bot, script, described } = await newWorld(dir.path);
  writeFiles(trainer.modelsDir, { "BTC/rf.joblib": "two" });
  const second = await publishFrom(testContext(), trainer);
  await pullTo(testContext(), bot);
  git(script, "pull", "--quiet", "--ff-only");
  const newest = git(script, "rev-parse", "HEAD");
  // The registry is reset to the first release, then changed.
  git(script, "checkout", "--quiet", described, "--", ".");
  commitAll(script, "back");
  scriptPublishes(script, { ...MODELS, "BTC/rf.joblib": "older" });
  await assert.rejects(pullTo(testContext(), bot, ACCEPT), { exitCode: 5 });

  git(script, "checkout", "--quiet", newest, "--", ".");
  git(script, "rm", "--quiet", "--cached", "-r", "models");
  const files = { ...MODELS, "BTC/rf.joblib": "foreign" };
  git(script, "reset", "--quiet", "--hard", newest);
  git(script, "push", "--quiet", "--force", "origin", "HEAD:main");
  scriptPublishes(script, files);
  const accepted = await pullTo(testContext(), bot, { ...ACCEPT, resetToRemote: true });
  assert.equal(accepted.outcome, "activated");
  assert.equal((await rollBack(testContext(), bot)).release, second.release);
  await assert.rejects(pullTo(testContext(), bot, ACCEPT), { code: "QUARANTINED", exitCode: 5 });
  scriptPublishes(script, { ...files, "BTC/rf.joblib": "better" });
  assert.equal((await pullTo(testContext(), bot, ACCEPT)).outcome, "activated");
});

Deno.test("a pull through a user's clone explains and accepts in the same way, also behind a merge", async () => {
  using dir = memoryDir();
  const { trainer, bot: own, script, described } = await newWorld(dir.path);
  const mine = clone(registryOf(trainer), join(dir.path, "mine"));
  const bot: Machine = { ...own, registry: { ...own.registry, repoDir: mine, repoUrl: undefined } };
  await pullTo(testContext(), bot);
  git(script, "checkout", "--quiet", "-b", "side");
  writeFiles(join(script, "models"), { "BTC/rf.joblib": "side" });
  git(script, "commit", "--quiet", "--all", "--message", "on a side branch");
  git(script, "checkout", "--quiet", "main");
  writeFiles(script, { "notes.md": "main" });
  commitAll(script);
  git(script, "merge", "--quiet", "--no-edit", "side");
  git(script, "push", "--quiet", "origin", "HEAD:main");
  await assert.rejects(
    pullTo(testContext(), bot),
    refusedAs(new RegExp(`on a side branch.*describes commit ${described.slice(0, 12)}`)),
  );
  assert.equal((await pullTo(testContext(), bot, ACCEPT)).outcome, "activated");
});
