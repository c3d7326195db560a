import assert from "node:assert/strict";
import { join } from "node:path";
import type { ActivationSetting } from "../../lib/config/choices.ts";
import type { FileSystem } from "../../lib/core/files.ts";
import { checkStore } from "../../lib/doctor/store_checks.ts";
import { readPointer } from "../../lib/store/pointers.ts";
import { openStore } from "../../lib/store/store.ts";
import { learnWithdrawals, overrideWithdrawal } from "../../lib/store/withdrawals.ts";
import { osError } from "../helpers/fake_fs.ts";
import { pulledReleases, storeOf } from "../helpers/machines.ts";
import { memoryDir, tempDir, writeFiles } from "../helpers/temp_dir.ts";
import { testContext } from "../helpers/test_context.ts";

Deno.test("doctor names the files that keep a first pull from keeping the model folder as a release", async () => {
  using dir = tempDir();
  const location = { modelsDir: join(dir.path, "models"), stateDir: undefined };
  const found = async () =>
    (await checkStore(testContext(), location, "auto")).find(({ name }) => name === "models folder");
  writeFiles(location.modelsDir, { "mine.json": "{}", "sub/x.json": "{}" });
  assert.equal((await found())?.status, "pass");
  Deno.symlinkSync("sub", join(location.modelsDir, "latest"));
  const check = await found();
  assert.equal(check?.status, "warn");
  assert.match(check?.detail ?? "", /latest is a symbolic link$/);
});

Deno.test("doctor fails for a store inside the model folder, as every pull does", async () => {
  using dir = tempDir();
  const modelsDir = join(dir.path, "models");
  for (const stateDir of [modelsDir, join(modelsDir, ".model-sync")]) {
    const checks = await checkStore(testContext(), { modelsDir, stateDir }, "auto");
    const failed = checks.filter(({ status }) => status === "fail").map(({ detail }) => detail);
    assert.deepEqual(failed, [
      `Cannot keep the store in ${stateDir}: that is inside the model folder ${modelsDir}`,
    ]);
  }
  const beside = { modelsDir, stateDir: `${modelsDir}-store` };
  assert.ok((await checkStore(testContext(), beside, "auto")).every(({ status }) => status !== "fail"));
});

Deno.test("doctor names what is at the place of the model folder, and what the file system cannot do", async () => {
  const movedTo = (path: string): Pick<FileSystem, "lstatSync" | "statSync"> => {
    const moved = (info: Deno.FileInfo, asked: string | URL) =>
      String(asked).endsWith(path) ? { ...info, dev: info.dev + 1 } : info;
    return {
      lstatSync: (asked) => moved(Deno.lstatSync(asked), asked),
      statSync: (asked) => moved(Deno.statSync(asked), asked),
    };
  };
  const cases: readonly {
    readonly make?: (modelsDir: string) => void;
    readonly fs?: Partial<FileSystem>;
    readonly free?: number;
    readonly activation?: ActivationSetting;
    readonly line: string;
  }[] = [
    { make: (path) => Deno.removeSync(path), line: "warn models folder: missing" },
    {
      make: (path) => {
        Deno.removeSync(path);
        Deno.symlinkSync("elsewhere", path);
      },
      line: "fail models folder: a link to elsewhere, which model-sync did not create",
    },
    {
      make: (path) => {
        Deno.removeSync(path);
        Deno.writeTextFileSync(path, "");
      },
      line: "fail models folder: not a folder",
    },
    { fs: movedTo("bot/models"), line: "pass models folder: a mount point: files are mirrored into it" },
    {
      fs: movedTo("state"),
      line: "fail file system: the store is on another one than the model folder",
    },
    {
      fs: movedTo("state"),
      activation: "mirror",
      line: "pass file system: the store is on another one than the model folder: files are mirrored",
    },
    {
      fs: {
        symlinkSync: () => {
          throw osError("EPERM");
        },
      },
      line: "warn links: symbolic links do not work here",
    },
    { free: 0, line: "fail disk space: 0 bytes free, and a pull keeps 16.0 MiB spare" },
    {
      free: 16 * 1024 * 1024 - 1,
      line: "fail disk space: 16.0 MiB free, and a pull keeps 16.0 MiB spare",
    },
    { free: 16 * 1024 * 1024, line: "warn disk space: 16.0 MiB free, the next release may need 256.0 MiB" },
    { free: 100 * 1024 * 1024, line: "warn disk space: 100.0 MiB free, the next release may need 256.0 MiB" },
    { free: 300 * 1024 * 1024, line: "pass disk space: 300.0 MiB free" },
  ];
  for (const { make, fs, free, activation = "auto", line } of cases) {
    using dir = tempDir();
    const location = { modelsDir: join(dir.path, "bot/models"), stateDir: join(dir.path, "state") };
    Deno.mkdirSync(location.modelsDir, { recursive: true });
    openStore(Deno, location);
    make?.(location.modelsDir);
    const context = testContext({ fs: { ...Deno, ...fs }, freeBytes: () => Promise.resolve(free) });
    const lines = (await checkStore(context, location, activation)).map(({ status, name, detail }) =>
      `${status} ${name}: ${detail}`
    );
    assert.ok(lines.includes(line), `${line}\n${lines.join("\n")}`);
  }
});

Deno.test("doctor fails for an active release that was withdrawn, and warns of one that was activated by force", async () => {
  using dir = memoryDir();
  const { bot } = await pulledReleases(dir.path, [{ "a.onnx": "one" }]);
  const store = storeOf(testContext(), bot);
  const digest = readPointer(store, "current");
  assert.ok(digest !== undefined);
  const withdrawal = async () =>
    (await checkStore(testContext(), bot, "auto")).find(({ name }) => name === "withdrawal");
  assert.equal(await withdrawal(), undefined);
  learnWithdrawals(store, [{
    digest,
    state: "withdrawn",
    at: "2026-11-21T00:00:00Z",
    reason: "wrong labels",
  }]);
  const failed = await withdrawal();
  assert.equal(failed?.status, "fail");
  assert.match(failed?.detail ?? "", /^the active release [0-9a-f]{12} was withdrawn .*wrong labels/);
  overrideWithdrawal(store, digest);
  assert.equal((await withdrawal())?.status, "warn");
});
