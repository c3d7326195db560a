import assert from "node:assert/strict";
import { basename, join } from "node:path";
import { sha256Hex } from "../../lib/core/hash.ts";
import { formatManifest } from "../../lib/release/format_manifest.ts";
import { createManifest, type Digest } from "../../lib/release/manifest.ts";
import { readPointer } from "../../lib/store/pointers.ts";
import { installRelease } from "../../lib/store/releases.ts";
import { restoreCurrent } from "../../lib/store/restore_current.ts";
import { openStore } from "../../lib/store/store.ts";
import { damage, DAMAGES, withoutPipes } from "../helpers/damage.ts";
import { osError, rootedFs } from "../helpers/fake_fs.ts";
import { type CliResult, runCli } from "../helpers/run_cli.ts";
import { checkpoint, memoryDir, readFiles, tempDir, writeFiles } from "../helpers/temp_dir.ts";
import { testContext } from "../helpers/test_context.ts";
import { bareRepository } from "../helpers/test_git.ts";

async function run(cwd: string, [command = "", ...args]: readonly string[]): Promise<CliResult> {
  const result = await runCli(command, args, { cwd, world: { fs: withoutPipes(rootedFs(cwd)) } });
  const shown = `${command} ${args.join(" ")}: ${result.stderr}`;
  assert.doesNotMatch(result.stderr, /unexpected|bug in model-sync|\n {4}at /, shown);
  const errors = result.stderr.split("\n").filter((line) => line.startsWith("error:"));
  assert.ok(errors.length <= 1, shown);
  return result;
}

async function succeed(cwd: string, ...args: readonly string[]): Promise<CliResult> {
  const result = await run(cwd, args);
  assert.equal(result.code, 0, `${args.join(" ")}: ${result.stderr}`);
  return result;
}

const dir = memoryDir();
globalThis.addEventListener("unload", () => dir[Symbol.dispose]());
const registry = bareRepository(join(dir.path, "registry.git"));
const TRAINER = join(dir.path, "trainer");

/** A machine that pulled three releases, one after the other. */
interface Bot {
  readonly cwd: string;
  readonly store: string;
  readonly current: string;
  /** The state after the third pull. */
  restore(): void;
  /** The text of the model that consumers see. */
  seen(): string | undefined;
}

function makeBot(name: string, activation: Readonly<Record<string, string>>): string {
  const cwd = join(dir.path, name);
  const settings = { repo_url: registry, activation, publisher: { train_before_push: false } };
  writeFiles(cwd, { "configs/bot.yaml": JSON.stringify({ model_sync: settings }) });
  return cwd;
}

makeBot("trainer", {});
const folders = { symlink: makeBot("linked", {}), mirror: makeBot("mirrored", { mode: "mirror" }) };
for (const content of ["one", "two", "three"]) {
  writeFiles(TRAINER, { "models/rf.bin": content });
  if (content === "three") writeFiles(TRAINER, { "models/extra.bin": "extra" });
  await succeed(TRAINER, "publish");
  for (const cwd of Object.values(folders)) await succeed(cwd, "pull");
}

const BOTS = Object.entries(folders).map(([mode, cwd]): [string, Bot] => {
  const store = join(cwd, ".model-sync");
  const restore = checkpoint(cwd, join(dir.path, `${mode}-before`));
  const seen = () => readFiles(join(cwd, "models"))["rf.bin"];
  return [mode, { cwd, store, current: join(store, "current"), restore, seen }];
});

for (const [mode, { cwd, store, current, restore, seen }] of BOTS) {
  for (const kind of Object.keys(DAMAGES)) {
    Deno.test(`a current that is ${kind} is restored to the active release by any run (${mode})`, async () => {
      for (const args of [["pull"], ["prune"], ["quarantine", "lift", "none"]]) {
        restore();
        damage(current, kind);
        const { stderr } = await run(cwd, args);
        assert.match(stderr, /current was damaged: it names release [0-9a-f]{12} again/);
        assert.equal(seen(), "three");
        await succeed(cwd, "verify");
        const next = await succeed(cwd, "pull");
        assert.doesNotMatch(next.stderr, /warn/);
      }
    });

    Deno.test(`rollback works when current is ${kind}, and names its target before (${mode})`, async () => {
      restore();
      damage(current, kind);
      const plan = JSON.parse((await succeed(cwd, "rollback", "--dry-run", "--json")).stdout);
      const report = JSON.parse((await succeed(cwd, "rollback", "--json")).stdout);
      assert.equal(report.release, plan.target ?? plan.release);
      assert.equal(seen(), "two");
      await succeed(cwd, "verify");
      // The replaced release is quarantined.
      await run(cwd, ["pull"]);
      assert.equal(seen(), "two");
    });

    // A mirrored folder shows its release without a record.
    if (mode === "symlink") {
      Deno.test(`without a record, a current that is ${kind} is refused by all but rollback (${mode})`, async () => {
        restore();
        damage(current, kind);
        Deno.removeSync(join(store, "history.jsonl"));
        for (const args of [["pull"], ["prune"], ["status"], ["verify"]]) {
          const { code, stdout, stderr } = await run(cwd, args);
          assert.equal(code, 5, stderr);
          assert.match(stdout + stderr, /current: .*\n?.*model-sync rollback/);
        }
        const { stderr } = await succeed(cwd, "rollback");
        assert.match(stderr, /current was damaged and is removed: no release is active/);
        assert.equal(seen(), "two");
        await succeed(cwd, "verify");
      });
    }
  }

  Deno.test(`a current that is damaged during an activation is restored to the release before it (${mode})`, async () => {
    for (const kind of Object.keys(DAMAGES)) {
      restore();
      const hexOf = (name: string) => Deno.readLinkSync(join(store, name)).split("/").slice(-1)[0];
      const [active, earlier] = [`sha256:${hexOf("current")}`, `sha256:${hexOf("previous")}`];
      const killed = { runId: "killed", command: "rollback", startedAt: "2026-11-29T00:00:00Z" };
      const activation = { ...killed, phase: "activating", mode, previousBefore: earlier };
      for (const intent of [{ from: active, to: earlier }, { from: null, to: active }]) {
        Deno.writeTextFileSync(join(store, "intent.json"), JSON.stringify({ ...activation, ...intent }));
        damage(current, kind);
        const { stderr } = await succeed(cwd, "pull");
        const again = (intent.from ?? intent.to).slice("sha256:".length, "sha256:".length + 12);
        assert.match(stderr, new RegExp(`current was damaged: it names release ${again} again`));
        assert.equal(seen(), "three");
        await succeed(cwd, "verify");
      }
    }
  });

  Deno.test(`a current is not restored to a release that the store does not hold whole (${mode})`, async () => {
    for (const rest of ["", "thre"]) {
      restore();
      const model = join(store, "releases", basename(Deno.readLinkSync(current)), "rf.bin");
      damage(current, "random bytes");
      Deno.removeSync(model);
      if (rest !== "") Deno.writeTextFileSync(model, rest);
      assert.equal((await run(cwd, ["pull"])).code, 5);
      await succeed(cwd, "rollback");
      assert.equal(seen(), "two");
    }
  });
}

Deno.test("without a record, current is restored to the release that a mirrored folder shows, and a rollback removes all its files", async () => {
  for (const kind of Object.keys(DAMAGES)) {
    for (
      const [_mode, { cwd, store, current, restore, seen }] of BOTS.filter(([mode]) => mode === "mirror")
    ) {
      for (const command of ["pull", "rollback"]) {
        restore();
        damage(current, kind);
        Deno.removeSync(join(store, "history.jsonl"));
        const { stderr } = await succeed(cwd, command);
        assert.match(stderr, /current was damaged: it names release [0-9a-f]{12} again/);
        assert.equal(seen(), command === "pull" ? "three" : "two");
        assert.equal(readFiles(join(cwd, "models"))["extra.bin"], command === "pull" ? "extra" : undefined);
        await succeed(cwd, "verify");
      }
    }
  }
});

Deno.test("of several releases that a mirrored folder shows, current names the one with the most files", async () => {
  using folder = tempDir();
  const files = { "a.bin": "a", "b.bin": "b" };
  writeFiles(
    folder.path,
    Object.fromEntries(Object.entries(files).map(([name, text]) => [`models/${name}`, text])),
  );
  const store = openStore(Deno, { modelsDir: join(folder.path, "models") });
  const digests: Digest[] = [];
  for (const [sequence, names] of [["a.bin"], ["a.bin", "b.bin"], ["b.bin"]].entries()) {
    const staged = join(store.staging, `${sequence}`);
    const described = [];
    for (const name of names) {
      writeFiles(staged, { [name]: name.charAt(0) });
      described.push({ path: name, size: 1, sha256: await sha256Hex(name.charAt(0)) });
    }
    const manifest = await createManifest(described, {
      sequence,
      createdAt: "2026-11-21T00:00:00Z",
      origin: { carrier: "git" },
    });
    installRelease(store, staged, manifest.digest, formatManifest(manifest));
    digests.push(manifest.digest);
  }
  damage(join(store.root, "current"), "emptied");
  await restoreCurrent(testContext(), store, undefined, false);
  assert.equal(readPointer(store, "current"), digests[1]);
});

Deno.test("without a record, a current that is damaged in a first activation or an adoption is restored to a release that is whole", async () => {
  const [, { cwd, store, current, restore, seen }] = BOTS[0] ?? assert.fail();
  const hexOf = (name: string) => basename(Deno.readLinkSync(join(store, name)));
  restore();
  const [active, earlier] = [`sha256:${hexOf("current")}`, `sha256:${hexOf("previous")}`];
  const damagedBy = async (intent: Readonly<Record<string, unknown>>, isWhole: boolean) => {
    restore();
    const killed = { runId: "killed", command: "pull", startedAt: "2026-11-29T00:00:00Z", ...intent };
    Deno.writeTextFileSync(join(store, "intent.json"), JSON.stringify(killed));
    if (!isWhole) Deno.removeSync(join(store, "releases", hexOf("current"), "rf.bin"));
    damage(current, "emptied");
    Deno.removeSync(join(store, "history.jsonl"));
    return (await succeed(cwd, "prune")).stderr;
  };
  const again = /current was damaged: it names release [0-9a-f]{12} again/;
  assert.match(await damagedBy({ phase: "adopting", digest: active, from: null }, true), again);
  assert.equal(seen(), "three");
  assert.match(await damagedBy({ phase: "adopting", digest: active, from: earlier }, false), again);
  assert.equal(seen(), "two");
  const first = { phase: "activating", mode: "symlink", from: null, to: active, previousBefore: null };
  const removed = /current was damaged and is removed: no release is active/;
  assert.match(await damagedBy(first, false), removed);
  assert.throws(() => Deno.lstatSync(current), Deno.errors.NotFound);
});

Deno.test("where the system refuses links, a damaged current becomes a file only if no consumer follows it", async () => {
  for (const [mode, { cwd, current, restore, seen }] of BOTS) {
    restore();
    damage(current, "emptied");
    const symlinkSync = (): never => {
      throw osError("EPERM", (message) => new Deno.errors.PermissionDenied(message));
    };
    const fs = { ...withoutPipes(rootedFs(cwd)), symlinkSync };
    const { code, stderr } = await runCli("pull", [], { cwd, world: { fs } });
    assert.equal(code, mode === "mirror" ? 0 : 7, stderr);
    const text = Deno.readTextFileSync(current);
    if (mode === "mirror") assert.match(text, /^releases\/[0-9a-f]{64}\n$/);
    else assert.equal(text, "");
    await succeed(cwd, "pull");
    assert.equal(seen(), "three");
  }
});

Deno.test("records of publishing and quarantine commands do not name the active release", async () => {
  for (const [_mode, { cwd, store, current, restore, seen }] of BOTS) {
    restore();
    const other = Array.from(Deno.readDirSync(join(store, "releases")), ({ name }) => name)
      .find((name) => /^[0-9a-f]{64}$/.test(name) && !Deno.readLinkSync(current).endsWith(name)) ?? "";
    await succeed(cwd, "quarantine", "add", other);
    await succeed(cwd, "quarantine", "lift", other);
    Deno.writeTextFileSync(
      join(store, "history.jsonl"),
      `${
        JSON.stringify({
          runId: "x",
          command: "publish",
          outcome: "unchanged",
          startedAt: "2026-11-29T00:00:00Z",
          durationMs: 1,
          host: "h",
          release: `sha256:${other}`,
        })
      }\n`,
      { append: true },
    );
    damage(current, "emptied");
    await succeed(cwd, "pull");
    assert.equal(seen(), "three");
  }
});

Deno.test("a publisher whose store holds no release publishes, whatever is at the path of current", async () => {
  for (const kind of ["random bytes", "a folder with files", "a named pipe"]) {
    damage(join(TRAINER, ".model-sync/current"), kind);
    await succeed(TRAINER, "publish");
    assert.throws(() => Deno.lstatSync(join(TRAINER, ".model-sync/current")), Deno.errors.NotFound);
  }
});
