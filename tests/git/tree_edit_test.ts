import assert from "node:assert/strict";
import * as z from "zod";
import { ifFound } from "../../lib/core/files.ts";
import { Git } from "../../lib/git/git.ts";
import type { StagedEntry } from "../../lib/git/stage_models.ts";
import { foldersAbove, TreeEdit } from "../../lib/git/tree_edit.ts";
import { countingFs } from "../helpers/counting_fs.ts";
import { machine, newTrainer, publishFrom, pullTo, registryOf } from "../helpers/machines.ts";
import { memoryDir, writeFiles } from "../helpers/temp_dir.ts";
import { isolatedSpawn, testContext } from "../helpers/test_context.ts";
import { bareRepository, clone, commitAll, git, gitWithInput } from "../helpers/test_git.ts";

const FILES = { "a.b": "1", "a/x": "2", "a/y/z": "3", "a0": "4", "models/BTC/m": "5", "models/ETH/m": "6" };

/** A change of files: their new content, or `undefined` for a removed file. */
type Change = Readonly<Record<string, string | undefined>>;

const CHANGES: Readonly<Record<string, Change>> = {
  "a changed file": { "models/BTC/m": "new" },
  "a new file, in a new folder": { "models/SOL/deep/er/m": "new" },
  "a removed file": { "a/x": undefined },
  "the last file of a folder": { "models/ETH/m": undefined },
  "the last file of nested folders": { "a/y/z": undefined, "a/x": undefined },
  "a folder in place of a file": { "a0": undefined, "a0/m": "new" },
  "a file in place of a folder": { "a/x": undefined, "a/y/z": undefined, "a": "new" },
  "names that git sorts in its own way": { "a-": "new", "a.": "new", "models/BTC/m.": "new" },
};

Deno.test("TreeEdit writes the tree that git writes for the same change", async (t) => {
  for (const [name, change] of Object.entries(CHANGES)) {
    await t.step(name, async () => {
      using dir = memoryDir();
      const repository = clone(bareRepository(`${dir.path}/registry.git`), `${dir.path}/clone`);
      writeFiles(repository, FILES);
      commitAll(repository);
      const head = git(repository, "rev-parse", "HEAD");
      const staged: StagedEntry[] = [];
      for (const [path, content] of Object.entries(change)) {
        const blob = content === undefined
          ? "0".repeat(40)
          : await gitWithInput(repository, new TextEncoder().encode(content), "hash-object", "-w", "--stdin");
        staged.push({ path, mode: content === undefined ? "000000" : "100644", blob });
      }
      const tools = new Git(testContext(), { repoDir: repository, transferTimeoutMs: 60_000 });
      const edit = await TreeEdit.read(tools, head, foldersAbove(Object.keys(change)));
      assert.ok(edit);
      edit.replace(staged);
      const tree = await edit.write();
      for (const path of Object.keys(change)) {
        git(repository, "rm", "-r", "-q", "--ignore-unmatch", "--", path);
      }
      writeFiles(repository, definedIn(change));
      git(repository, "add", "--all", "--force");
      assert.equal(tree, git(repository, "write-tree"));
    });
  }
});

function removeTreeSync(path: string): void {
  ifFound(() => Deno.removeSync(path, { recursive: true }));
}

function definedIn(change: Change): Record<string, string> {
  return Object.fromEntries(
    Object.entries(change).flatMap(([path, text]) => text === undefined ? [] : [[path, text]]),
  );
}

Deno.test("publish() of one changed file lists no other folder, and stages no other file", async () => {
  using dir = memoryDir();
  const trainer = newTrainer(dir.path);
  await publishFrom(testContext(), trainer);
  writeFiles(trainer.modelsDir, { "BTC/rf.joblib": "two" });
  const calls: string[][] = [];
  const context = testContext({
    spawn: (request) => {
      calls.push(request.args.slice(request.args.findIndex((arg) => /^[a-z]+(?:-[a-z]+)*$/.test(arg))));
      return isolatedSpawn(request);
    },
  });
  assert.equal((await publishFrom(context, trainer)).outcome, "published");
  const commands = calls.map(([command]) => command).sort();
  assert.deepEqual(commands, [
    "cat-file", // the attributes, the folder of the manifest
    "cat-file", // the folders above the change
    "commit-tree",
    "config",
    "diff-files", // of the model folder
    "log",
    "ls-remote",
    "mktree",
    "push",
    "rev-parse",
    "status",
    "update-index",
    "update-ref",
  ]);
  const staging = calls.find(([command]) => command === "update-index")?.filter((arg) => arg.includes("/"));
  assert.equal(staging?.length, 2);
});

Deno.test("publish() reads its last manifest from its own pack, and asks git for another, a packed and a damaged one", async (t) => {
  const cases: Readonly<Record<string, (clone: string, memory: string) => boolean>> = {
    "its own": () => false,
    "packed by git": (clone) => {
      git(clone, "gc", "--quiet");
      return true;
    },
    "damaged": (clone) => {
      for (const { name } of Deno.readDirSync(`${clone}/.git/objects/pack`)) {
        const path = `${clone}/.git/objects/pack/${name}`;
        if (!name.endsWith(".pack")) continue;
        const bytes = Deno.readFileSync(path);
        const at = new TextDecoder("latin1").decode(bytes).indexOf('"sequence": 2');
        if (at !== -1) {
          Deno.chmodSync(path, 0o600);
          Deno.writeFileSync(path, bytes.with(at + 12, 0x39));
        }
      }
      return true;
    },
    "remembered elsewhere": (_clone, memory) => {
      const text = Deno.readTextFileSync(memory);
      Deno.writeTextFileSync(memory, text.replace(/"offset": *\d+/, '"offset": 13'));
      return true;
    },
    "remembered as another": (_clone, memory) => {
      const text = Deno.readTextFileSync(memory);
      Deno.writeTextFileSync(memory, text.replace(/"blob": *"./, '"blob": "x'));
      return true;
    },
  };
  for (const [name, damage] of Object.entries(cases)) {
    await t.step(name, async () => {
      using dir = memoryDir();
      const trainer = newTrainer(dir.path);
      await publishFrom(testContext(), trainer);
      writeFiles(trainer.modelsDir, { "BTC/rf.joblib": "two" });
      await publishFrom(testContext(), trainer);
      const isAsked = damage(trainer.registry.repoDir, `${dir.path}/trainer/.model-sync/published.json`);
      writeFiles(trainer.modelsDir, { "BTC/rf.joblib": "three" });
      const asked: string[] = [];
      const context = testContext({
        spawn: (request) => {
          const { stdin } = request;
          if (stdin === undefined || typeof stdin === "string" || stdin instanceof Uint8Array) {
            return isolatedSpawn(request);
          }
          const listening = async function* () {
            for await (const piece of stdin) {
              asked.push(new TextDecoder().decode(piece));
              yield piece;
            }
          };
          return isolatedSpawn({ ...request, stdin: listening() });
        },
      });
      assert.equal((await publishFrom(context, trainer)).outcome, "published");
      assert.equal(asked.some((stdin) => stdin.includes(":model-sync.json")), isAsked);
      const bot = machine(dir.path, "bot", registryOf(trainer));
      const pulled = await pullTo(testContext(), bot);
      assert.deepEqual([pulled.sequence, pulled.files], [3, 3]);
    });
  }
});

Deno.test("a publish of few changes writes the index while the disk takes the models, and moves the branch after both", async () => {
  using dir = memoryDir();
  const trainer = newTrainer(dir.path);
  await publishFrom(testContext(), trainer);
  writeFiles(trainer.modelsDir, { "BTC/rf.joblib": "two" });
  const steps: string[] = [];
  const context = testContext({
    fs: countingFs((step) => steps.push(step)),
    spawn: (request) => {
      steps.push(`run ${request.args.find((arg) => /^update-(?:index|ref)$/.test(arg))}`);
      return isolatedSpawn(request);
    },
  });
  assert.equal((await publishFrom(context, trainer)).outcome, "published");
  const ordered = [/^run update-index$/, /^sync .*model-sync\.part\/pack/, /^run update-ref$/]
    .map((pattern) => steps.flatMap((step, index) => pattern.test(step) ? [index] : []));
  assert.deepEqual(ordered.map((found) => found.length), [1, 2, 1]);
  assert.deepEqual(ordered.flat(), ordered.flat().toSorted((a, b) => a - b));
});

Deno.test("the index of a clone of our own is that of the new commit, whatever a publish changed", async () => {
  using dir = memoryDir();
  const trainer = newTrainer(dir.path);
  await publishFrom(testContext(), trainer);
  for (
    const change of [{ "BTC/rf.joblib": "two" }, { "-/m.bin": "1", "SOL/a/m.bin": "1" }, { "SOL/a": "2" }]
  ) {
    for (const path of Object.keys(change)) removeTreeSync(`${trainer.modelsDir}/${path}`);
    writeFiles(trainer.modelsDir, definedIn(change));
    await publishFrom(testContext(), trainer);
    const { repoDir } = trainer.registry;
    assert.equal(git(repoDir, "status", "--porcelain"), "");
    const shown = git(repoDir, "ls-files", "-v").split("\n").filter((line) => !line.startsWith("S "));
    assert.deepEqual(shown, [], "files that git would expect in the worktree");
    assert.equal(git(repoDir, "write-tree"), git(registryOf(trainer), "rev-parse", "main^{tree}"));
  }
});

Deno.test("publish() removes a file that an earlier version left in the worktree of a clone of our own", async () => {
  using dir = memoryDir();
  const trainer = newTrainer(dir.path);
  await publishFrom(testContext(), trainer);
  const { repoDir } = trainer.registry;
  Deno.removeSync(`${repoDir}/.git/index`);
  git(repoDir, "-c", "core.sparseCheckout=false", "read-tree", "--reset", "-u", "HEAD");
  assert.ok(Deno.statSync(`${repoDir}/models/BTC/rf.joblib`).isFile);
  writeFiles(trainer.modelsDir, { "BTC/rf.joblib": "two" });
  await publishFrom(testContext(), trainer);
  assert.deepEqual(Array.from(Deno.readDirSync(repoDir), ({ name }) => name), [".git"]);
  assert.equal(git(repoDir, "status", "--porcelain"), "");
});

Deno.test("publish() of changes in many folders and of few writes the same tree", async () => {
  using dir = memoryDir();
  const trainer = newTrainer(dir.path);
  const models = (text: string) =>
    Object.fromEntries(Array.from({ length: 40 }, (_, index) => [`${index}/m.bin`, `${text} ${index}`]));
  writeFiles(trainer.modelsDir, models("one"));
  await publishFrom(testContext(), trainer);
  writeFiles(trainer.modelsDir, models("two"));
  await publishFrom(testContext(), trainer);
  const many = git(registryOf(trainer), "rev-parse", "main:models");
  writeFiles(trainer.modelsDir, { "7/m.bin": "three" });
  await publishFrom(testContext(), trainer);
  writeFiles(trainer.modelsDir, { "7/m.bin": "two 7" });
  await publishFrom(testContext(), trainer);
  assert.equal(git(registryOf(trainer), "rev-parse", "main:models"), many);
});

Deno.test("publish() of one changed file keeps the others in a manifest that a person has sorted in another way", async () => {
  using dir = memoryDir();
  const trainer = newTrainer(dir.path);
  await publishFrom(testContext(), trainer);
  const person = clone(registryOf(trainer), `${dir.path}/person`);
  const path = `${person}/model-sync.json`;
  const { files, ...head } = z.looseObject({ files: z.array(z.unknown()) })
    .parse(JSON.parse(Deno.readTextFileSync(path)));
  Deno.writeTextFileSync(path, JSON.stringify({ ...head, files: files.toReversed() }));
  commitAll(person);
  writeFiles(trainer.modelsDir, { "BTC/rf.joblib": "two" });
  await publishFrom(testContext(), trainer);
  const names = git(registryOf(trainer), "ls-tree", "-r", "--name-only", "main:models");
  assert.deepEqual(names.split("\n"), ["BTC/metadata.json", "BTC/rf.joblib", "ETH/rf.joblib"]);
});

Deno.test("publish() of one changed file replaces a file or a folder in the place of the signature", async () => {
  using dir = memoryDir();
  const trainer = newTrainer(dir.path);
  await publishFrom(testContext(), trainer);
  const person = clone(registryOf(trainer), `${dir.path}/person`);
  writeFiles(person, { "model.sig/x": "1" });
  commitAll(person);
  writeFiles(trainer.modelsDir, { "BTC/rf.joblib": "two" });
  assert.equal((await publishFrom(testContext(), trainer)).outcome, "published");
  assert.equal(git(registryOf(trainer), "ls-tree", "--name-only", "main", "model.sig"), "");
});

Deno.test("publish() refuses a tree that has other files than were read", async () => {
  using dir = memoryDir();
  const trainer = newTrainer(dir.path);
  await publishFrom(testContext(), trainer);
  writeFiles(trainer.modelsDir, { "BTC/rf.joblib": "two" });
  const before = git(registryOf(trainer), "rev-parse", "main");
  const meddling = testContext({
    spawn: (request) => {
      const { stdin } = request;
      const isMade = request.args.includes("mktree") && typeof stdin === "string";
      return isolatedSpawn(isMade ? { ...request, stdin: stdin.replace("100644", "100755") } : request);
    },
  });
  await assert.rejects(publishFrom(meddling, trainer), { code: "GIT_CONVERTS" });
  assert.equal(git(registryOf(trainer), "rev-parse", "main"), before);
});
