import assert from "node:assert/strict";
import { join } from "node:path";
import { findEntry, removeIfThere } from "../../lib/core/files.ts";
import { findPassedRules } from "../../lib/store/passed_releases.ts";
import { readPointer } from "../../lib/store/pointers.ts";
import { STATE_ENTRIES } from "../../lib/store/state_entries.ts";
import { findStore } from "../../lib/store/store.ts";
import { rememberWhole, wholeManifests } from "../../lib/store/whole_manifests.ts";
import { damage, DAMAGES, withoutPipes } from "../helpers/damage.ts";
import { rootedFs } from "../helpers/fake_fs.ts";
import { type CliResult, PROJECT, runCli } from "../helpers/run_cli.ts";
import { checkpoint, readFiles, tempDir, writeFiles } from "../helpers/temp_dir.ts";
import { bareRepository } from "../helpers/test_git.ts";

const dir = tempDir();
globalThis.addEventListener("unload", () => dir[Symbol.dispose]());
const TRAINER = join(dir.path, "trainer");
const BOT = join(dir.path, "bot");
const STORE = join(BOT, ".model-sync");
/** A command on a small release ends in a tenth of a second. A command that waits is stopped, and fails the test. */
const DEADLINE_MS = 60_000;

async function run(cwd: string, command: string, ...args: string[]): Promise<CliResult> {
  const result = await runCli(command, args, {
    cwd,
    world: { fs: withoutPipes(rootedFs(cwd)) },
    stop: AbortSignal.timeout(DEADLINE_MS),
  });
  const shown = `${command} ${args.join(" ")}: ${result.stderr}`;
  assert.notEqual(result.code, 130, shown);
  assert.doesNotMatch(result.stderr, /unexpected|bug in model-sync|\n {4}at /, shown);
  const errors = result.stderr.split("\n").filter((line) => line.startsWith("error:"));
  assert.ok(errors.length <= 1, shown);
  return result;
}

async function succeed(cwd: string, command: string, ...args: string[]): Promise<CliResult> {
  const result = await run(cwd, command, ...args);
  assert.equal(result.code, 0, result.stderr);
  return result;
}

const READING = [
  ["status"],
  ["verify"],
  ["quarantine", "list"],
  ["canary", "status"],
  ["pull", "--dry-run"],
  ["rollback", "--dry-run"],
  ["prune", "--dry-run"],
] as const;

const registry = bareRepository(join(dir.path, "registry.git"));
for (const cwd of [TRAINER, BOT]) {
  const settings = { repo_url: registry, publisher: { train_before_push: false } };
  writeFiles(cwd, { "configs/bot.yaml": JSON.stringify({ model_sync: settings }) });
}
for (const content of ["one", "two"]) {
  writeFiles(TRAINER, { "models/a/rf.bin": content, "models/a/x.json": "{}" });
  await succeed(TRAINER, "publish");
  await succeed(BOT, "pull");
}
const restore = checkpoint(BOT, join(dir.path, "saved"));
const [ACTIVE] = Deno.readLinkSync(join(STORE, "current")).split("/").slice(-1);
const MODELS = { "a/rf.bin": "two", "a/x.json": "{}" };

const namesOf = (rule: "rebuild" | "assume" | "refuse") =>
  Object.entries(STATE_ENTRIES).filter(([, entry]) => entry.onDamage === rule).map(([name]) => name);

Deno.test("every entry that runs create in a store has a damage rule and a description", () => {
  const architecture = Deno.readTextFileSync(join(PROJECT, ".github/ARCHITECTURE.md"));
  for (const cwd of [TRAINER, BOT]) {
    for (const { name } of Deno.readDirSync(join(cwd, ".model-sync"))) {
      if (name !== "registry") assert.ok(Object.hasOwn(STATE_ENTRIES, name), name);
    }
  }
  for (const name of Object.keys(STATE_ENTRIES)) assert.ok(architecture.includes(name), name);
});

for (const kind of Object.keys(DAMAGES)) {
  Deno.test(`a store works when all rebuildable entries are ${kind}, and the next pull rebuilds them`, async () => {
    restore();
    const caches = [`stat_cache/${ACTIVE}.bin`, "stat_cache/models.bin", "partials/x", "staging/x"];
    for (const name of [...caches, ...namesOf("rebuild")]) {
      // Damaged releases have a test of their own.
      const isAbove = name === "releases" ||
        (kind.startsWith("a ") && /^(stat_cache|partials|staging)$/.test(name));
      if (!isAbove) damage(join(STORE, name), kind);
    }
    for (const [command, ...args] of READING) await succeed(BOT, command, ...args);
    await succeed(BOT, "pull");
    assert.deepEqual(readFiles(join(BOT, "models")), MODELS);
    const second = await succeed(BOT, "pull");
    assert.doesNotMatch(second.stderr, /damaged|rebuilt/);
    await succeed(BOT, "prune");
    await succeed(BOT, "rollback");
    assert.deepEqual(readFiles(join(BOT, "models")), { ...MODELS, "a/rf.bin": "one" });
  });

  Deno.test(`folders of the store that are ${kind} are recreated, with one warning`, async () => {
    restore();
    for (const name of ["stat_cache", "partials", "staging", "references", "folder_index"]) {
      damage(join(STORE, name), kind);
    }
    const first = await succeed(BOT, "pull");
    const isNoFolder = !kind.startsWith("a folder");
    assert.equal(first.stderr.includes(`${join(STORE, "stat_cache")} was`), isNoFolder, first.stderr);
    const second = await succeed(BOT, "pull");
    assert.doesNotMatch(second.stderr, /damaged|rebuilt/);
  });

  Deno.test(`a quarantine that is ${kind} blocks pulls, and their error names it`, async () => {
    restore();
    damage(join(STORE, "quarantine.json"), kind);
    // A dangling link holds no list that could be lost.
    const refused = kind === "a dangling link" ? 0 : 5;
    for (const [command, ...args] of [["quarantine", "list"], ["prune"], ["rollback"]] as const) {
      const { code, stderr } = await run(BOT, command, ...args);
      assert.equal(code, refused, stderr);
      if (refused !== 0) assert.ok(stderr.includes(join(STORE, "quarantine.json")), stderr);
      if (kind === "huge") assert.match(stderr, /700\.0 MiB, at most 64\.0 MiB/);
      if (refused !== 0) assert.deepEqual(readFiles(join(BOT, "models")), MODELS);
    }
    await succeed(BOT, "status");
    await succeed(BOT, "verify");
  });

  Deno.test(`an intent, a pending reload and a canary that are ${kind} are settled by the next pull`, async () => {
    restore();
    for (const name of namesOf("assume")) damage(join(STORE, name), kind);
    for (const [command, ...args] of READING) await run(BOT, command, ...args);
    await succeed(BOT, "pull");
    assert.deepEqual(readFiles(join(BOT, "models")), MODELS);
    const second = await succeed(BOT, "pull");
    assert.doesNotMatch(second.stderr, /intent|pending_reload/);
  });

  Deno.test(`a manifest and a signature that are ${kind} cost one download, never the active release`, async () => {
    restore();
    for (const ending of ["json", "sig"]) damage(join(STORE, `releases/${ACTIVE}.${ending}`), kind);
    for (const command of ["verify", "status"]) assert.equal((await run(BOT, command)).code, 5, command);
    assert.deepEqual(readFiles(join(BOT, "models")), MODELS);
    await run(BOT, "prune");
    assert.deepEqual(readFiles(join(BOT, "models")), MODELS);
    await succeed(BOT, "pull");
    assert.deepEqual(readFiles(join(BOT, "models")), MODELS);
    await succeed(BOT, "verify");
  });

  Deno.test(`a release folder that is ${kind} is downloaded again by the next pull`, async () => {
    restore();
    damage(join(STORE, `releases/${ACTIVE}`), kind);
    assert.equal((await run(BOT, "verify")).code, 5);
    await succeed(BOT, "pull");
    const { "x/y": _kept, ...models } = readFiles(join(BOT, "models"));
    assert.deepEqual(models, MODELS);
  });

  Deno.test(`releases that are ${kind} are downloaded again by the next pull`, async () => {
    restore();
    damage(join(STORE, "releases"), kind);
    for (const command of ["verify", "status"]) assert.equal((await run(BOT, command)).code, 5, command);
    await succeed(BOT, "pull");
    assert.deepEqual(readFiles(join(BOT, "models")), MODELS);
  });

  Deno.test(`a store.json that is ${kind} is rebuilt if the model folder is a link into the store`, async () => {
    restore();
    damage(join(STORE, "store.json"), kind);
    for (const [command, ...args] of READING) await succeed(BOT, command, ...args);
    await succeed(BOT, "pull");
    assert.match(Deno.readTextFileSync(join(STORE, "store.json")), /"modelsDir":"\.\.\/models"/);
  });
}

Deno.test("links in the place of files into which runs write are replaced, with a warning each", async () => {
  restore();
  const names = ["lock", "history.jsonl", "history.lock", "metrics.lock"];
  const elsewhere = join(dir.path, "elsewhere");
  const targets = Object.fromEntries(names.map((name) => [name, "not ours\n"]));
  writeFiles(elsewhere, targets);
  for (const name of names) {
    removeIfThere(Deno, join(STORE, name));
    Deno.symlinkSync(join(elsewhere, name), join(STORE, name));
  }
  const { stderr } = await succeed(BOT, "pull");
  assert.deepEqual(readFiles(elsewhere), targets);
  for (const name of names) {
    assert.notEqual(findEntry(Deno, join(STORE, name))?.isSymlink, true, name);
    assert.ok(stderr.includes(`${join(STORE, name)} was a link, not a file, and is rebuilt`), stderr);
  }
});

Deno.test("memories that a power cut may tear, because they are never synced, are rebuilt without a warning", () => {
  restore();
  for (const name of ["whole_manifests.json", "passed_releases.json"]) {
    const path = join(STORE, name);
    Deno.truncateSync(path, Deno.statSync(path).size - 3);
  }
  const store = findStore(Deno, { modelsDir: join(BOT, "models") }, {
    warn: (message) => assert.fail(message),
  });
  const active = store && readPointer(store, "current");
  assert.ok(store !== undefined && active !== undefined);
  assert.equal(wholeManifests(store).size, 0);
  assert.equal(findPassedRules(store, active), undefined);
  rememberWhole(store, active, "identity");
  assert.equal(wholeManifests(store).size, 1);
});
