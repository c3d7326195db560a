import assert from "node:assert/strict";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { startGitServer } from "../../fakes/git_server.ts";
import { ModelSyncError } from "../../lib/core/errors.ts";
import type { SpawnProcess } from "../../lib/core/subprocess.ts";
import { WHOLE_DISK_FILES_MIN } from "../../lib/core/sync_files.ts";
import { countingSpawn } from "../helpers/counting_fs.ts";
import { type Machine, machine, newTrainer, publishFrom, pullTo, registryOf } from "../helpers/machines.ts";
import { memoryDir, readFiles, writeFiles } from "../helpers/temp_dir.ts";
import { isolatedSpawn, testContext } from "../helpers/test_context.ts";
import { git, gitWithInput } from "../helpers/test_git.ts";

/** A registry with a release of many files. */
async function publishMany(root: string): Promise<Machine> {
  const trainer = newTrainer(root);
  const files = Array.from(
    { length: WHOLE_DISK_FILES_MIN + 1 },
    (_, index) => [`d${index % 8}/${index}.json`, `{"model": ${index}}`],
  );
  writeFiles(trainer.modelsDir, Object.fromEntries(files));
  await publishFrom(testContext(), trainer);
  return trainer;
}

/** Pulls, and returns how often a folder was fetched, and the packs that are in staging when the release is synced. */
async function pullCounting(bot: Machine): Promise<{ folderFetches: number; packsAtSync: string[] }> {
  let folderFetches = 0;
  const packsAtSync: string[] = [];
  const spawn: SpawnProcess = (request) => {
    if (request.args.includes("fetch") && request.args.includes("--no-filter")) folderFetches++;
    if (request.title === "sync") {
      const staged = Object.keys(readFiles(join(bot.modelsDir, "../.model-sync/staging")));
      packsAtSync.push(...staged.filter((path) => path.endsWith(".pack")));
    }
    return countingSpawn(() => {})(request);
  };
  await pullTo(testContext({ spawn }), bot);
  return { folderFetches, packsAtSync };
}

Deno.test("many files of a registry on this disk are read there; those of a server are fetched, and their pack is gone when the disk is synced", async () => {
  using dir = memoryDir();
  const trainer = await publishMany(dir.path);
  const path = registryOf(trainer);
  await using server = startGitServer({ root: join(path, ".."), token: "", isOpen: true });
  const addresses: readonly (readonly [string, number])[] = [
    [path, 0],
    [pathToFileURL(path).href, 0],
    [`${server.origin}/${path.split("/").at(-1)}`, 1],
  ];
  git(path, "config", "uploadpack.allowFilter", "true");
  for (const [index, [address, folderFetches]] of addresses.entries()) {
    const bot = machine(dir.path, `bot${index}`, address);
    assert.deepEqual(await pullCounting(bot), { folderFetches, packsAtSync: [] });
    assert.deepEqual(readFiles(bot.modelsDir), readFiles(trainer.modelsDir));
  }
});

Deno.test("a publish to a registry on this disk starts no clean-up of it", async () => {
  using dir = memoryDir();
  const trainer = newTrainer(dir.path);
  const trace = join(dir.path, "trace");
  const spawn: SpawnProcess = (request) =>
    isolatedSpawn({ ...request, env: { ...request.env, GIT_TRACE2_EVENT: trace } });
  await publishFrom(testContext({ spawn }), trainer);
  const started = Deno.readTextFileSync(trace).split("\n").filter((line) => line.includes('"event":"start"'));
  assert.equal(started.filter((line) => line.includes('"receive-pack"')).length, 1);
  assert.deepEqual(started.filter((line) => /"(?:gc|maintenance)"/.test(line)), []);
});

Deno.test("a damaged object of a registry on this disk ends the pull, and the error names the registry", async () => {
  using dir = memoryDir();
  const trainer = await publishMany(dir.path);
  const path = registryOf(trainer);
  const packs = join(path, "objects/pack");
  const [name] = [...Deno.readDirSync(packs)].map(({ name }) => name).filter((name) =>
    name.endsWith(".pack")
  );
  const pack = join(packs, name ?? "");
  const bytes = Deno.readFileSync(pack);
  const text = new TextDecoder("latin1").decode(bytes);
  const at = text.indexOf('{"model": 77}');
  assert.ok(at > 0);
  bytes.set(new TextEncoder().encode('{"model": 78}'), at);
  Deno.chmodSync(pack, 0o600);
  Deno.writeFileSync(pack, bytes);
  const bot = machine(dir.path, "bot", path);
  await assert.rejects(pullTo(testContext(), bot), (error) => {
    assert.ok(error instanceof ModelSyncError);
    assert.ok(error.message.startsWith(`Cannot read files from ${path}: `), error.message);
    return true;
  });
  assert.throws(() => Deno.lstatSync(bot.modelsDir), Deno.errors.NotFound);
});

/** Replaces the packs of a repository by one file for each object. */
async function unpackAll(path: string): Promise<void> {
  const packs = join(path, "objects/pack");
  const names = Array.from(Deno.readDirSync(packs), ({ name }) => name);
  const contents = names.filter((name) => name.endsWith(".pack")).map((name) =>
    Deno.readFileSync(join(packs, name))
  );
  for (const name of names) Deno.removeSync(join(packs, name));
  for (const content of contents) await gitWithInput(path, content, "unpack-objects", "-q");
}

Deno.test("a registry on this disk whose object had the content of another one is pulled after its repair", async () => {
  using dir = memoryDir();
  const trainer = await publishMany(dir.path);
  const path = registryOf(trainer);
  await unpackAll(path);
  const [damaged = "", other = ""] = ["d5/77.json", "d6/78.json"].map((name) => {
    const id = git(path, "rev-parse", `main:models/${name}`);
    return join(path, "objects", id.slice(0, 2), id.slice(2));
  });
  const good = Deno.readFileSync(damaged);
  Deno.removeSync(damaged);
  Deno.copyFileSync(other, damaged);
  const bot = machine(dir.path, "bot", path);
  await assert.rejects(pullTo(testContext(), bot), { code: "DIGEST_MISMATCH" });
  assert.throws(() => Deno.lstatSync(bot.modelsDir), Deno.errors.NotFound);
  Deno.removeSync(damaged);
  Deno.writeFileSync(damaged, good);
  await pullTo(testContext(), bot);
  assert.deepEqual(readFiles(bot.modelsDir), readFiles(trainer.modelsDir));
});

Deno.test("a pull of one change from a registry on this disk starts 14 programs, fetches the commit only, and no wrong manifest object", async () => {
  using dir = memoryDir();
  const trainer = newTrainer(dir.path);
  await publishFrom(testContext(), trainer);
  const path = registryOf(trainer);
  const bot = machine(dir.path, "bot", path);
  await pullTo(testContext(), bot);
  const pulled = async (content: string) => {
    writeFiles(trainer.modelsDir, { "ETH/rf.joblib": content });
    await publishFrom(testContext(), trainer);
    let [programs, fetches] = [0, 0];
    const spawn: SpawnProcess = (request) => {
      programs++;
      if (request.args.includes("fetch")) fetches++;
      return isolatedSpawn(request);
    };
    return async () => {
      await pullTo(testContext({ spawn }), bot);
      assert.deepEqual(readFiles(bot.modelsDir), readFiles(trainer.modelsDir));
      return { programs, fetches };
    };
  };
  assert.deepEqual(await (await pulled("second"))(), { programs: 14, fetches: 1 });
  const pull = await pulled("third");
  await unpackAll(path);
  const [wrong = "", other = ""] = ["main:model-sync.json", "main~1:model-sync.json"].map((name) => {
    const id = git(path, "rev-parse", name);
    return join(path, "objects", id.slice(0, 2), id.slice(2));
  });
  const good = Deno.readFileSync(wrong);
  Deno.chmodSync(wrong, 0o600);
  Deno.writeFileSync(wrong, Deno.readFileSync(other));
  await assert.rejects(pull(), ModelSyncError);
  Deno.writeFileSync(wrong, good);
  await pull();
});

Deno.test("a registry on this disk that loses an object while it is read is fetched from, and no file is staged twice", async () => {
  using dir = memoryDir();
  const trainer = await publishMany(dir.path);
  const path = registryOf(trainer);
  await unpackAll(path);
  const id = git(path, "rev-parse", "main:models/d5/77.json");
  const object = join(path, "objects", id.slice(0, 2), id.slice(2));
  const bot = machine(dir.path, "bot", path);
  const steps: string[] = [];
  async function* watched(names: AsyncIterable<Uint8Array>) {
    for await (const piece of names) {
      if (new TextDecoder().decode(piece).includes(id)) {
        if (steps.length === 0) Deno.renameSync(object, `${object}.away`);
        steps.push("read");
      }
      yield piece;
    }
  }
  const spawn: SpawnProcess = (request) => {
    if (request.args.includes("fetch") && steps.length > 0) {
      Deno.renameSync(`${object}.away`, object);
      steps.push("fetch");
    }
    const { stdin } = request;
    const isPiped = typeof stdin === "object" && Symbol.asyncIterator in stdin;
    const isRead = isPiped && request.args.includes("--batch");
    return countingSpawn(() => {})(isRead ? { ...request, stdin: watched(stdin) } : request);
  };
  await pullTo(testContext({ spawn }), bot);
  assert.deepEqual(steps, ["read", "fetch", "read"]);
  assert.deepEqual(readFiles(bot.modelsDir), readFiles(trainer.modelsDir));
});
