import assert from "node:assert/strict";
import { join } from "node:path";
import { openStore } from "../../lib/store/store.ts";
import { countingFs } from "../helpers/counting_fs.ts";
import { osError } from "../helpers/fake_fs.ts";
import { tempDir, writeFiles } from "../helpers/temp_dir.ts";

const ignore = Deno.build.os === "windows";

function modeOf(path: string): string {
  return ((Deno.statSync(path).mode ?? 0) & 0o7777).toString(8);
}

Deno.test({
  name:
    "entries that every user could write in a store of an earlier version become writable by the owner only, at every depth",
  ignore,
  fn: () => {
    using dir = tempDir();
    const location = { modelsDir: join(dir.path, "models") };
    const { root } = openStore(Deno, location);
    writeFiles(root, { "releases/ab/BTC/rf.bin": "", "history.jsonl": "", "registry/.git/config": "" });
    const open = ["", "releases", "releases/ab", "releases/ab/BTC", "registry", "registry/.git"];
    for (const path of open) Deno.chmodSync(join(root, path), 0o777);
    for (const path of ["history.jsonl", "registry/.git/config"]) Deno.chmodSync(join(root, path), 0o666);
    openStore(Deno, location);
    assert.deepEqual(open.map((path) => modeOf(join(root, path))), open.map(() => "755"));
    assert.equal(modeOf(join(root, "history.jsonl")), "644");
    assert.equal(modeOf(join(root, "registry/.git/config")), "644");
  },
});

Deno.test({
  name: "a group's write permission stays, and so do other files in a shared state directory",
  ignore,
  fn: () => {
    using dir = tempDir();
    const stateDir = join(dir.path, "shared");
    const location = { modelsDir: join(dir.path, "models"), stateDir };
    openStore(Deno, location);
    writeFiles(stateDir, { "others/x": "", "history.jsonl": "" });
    const modes = [["", 0o1777], ["others", 0o777], ["history.jsonl", 0o664]] as const;
    for (const [path, mode] of modes) Deno.chmodSync(join(stateDir, path), mode);
    openStore(Deno, location);
    assert.deepEqual(modes.map(([path]) => modeOf(join(stateDir, path))), ["1777", "777", "664"]);
  },
});

Deno.test({
  name: "API responses and RunPod jobs of earlier versions become readable by the owner only",
  ignore,
  fn: () => {
    using dir = tempDir();
    const location = { modelsDir: join(dir.path, "models") };
    const { root } = openStore(Deno, location);
    for (const name of ["answers.json", "runpod_jobs.json"]) {
      Deno.writeTextFileSync(join(root, name), "{}", { mode: 0o644 });
    }
    openStore(Deno, location);
    assert.deepEqual([modeOf(join(root, "answers.json")), modeOf(join(root, "runpod_jobs.json"))], [
      "600",
      "600",
    ]);
  },
});

Deno.test({
  name: "a store on a file system with one mode for all entries is not walked",
  ignore,
  fn: () => {
    using dir = tempDir();
    const location = { modelsDir: join(dir.path, "models") };
    const { root } = openStore(Deno, location);
    writeFiles(root, { "releases/ab/BTC/rf.bin": "" });
    const changed: string[] = [];
    const everything = (info: Deno.FileInfo) => ({ ...info, mode: (info.mode ?? 0) | 0o777 });
    openStore({
      ...countingFs(() => {}),
      chmodSync: (path) => void changed.push(String(path)),
      lstatSync: (path) => everything(Deno.lstatSync(path)),
    }, location);
    assert.ok(changed.includes(join(root, "releases")));
    assert.ok(!changed.some((path) => path.includes("BTC")), changed.join());
  },
});

Deno.test({
  name: "a folder stays open until its content is closed, so that the run after a kill continues",
  ignore,
  fn: () => {
    using dir = tempDir();
    const location = { modelsDir: join(dir.path, "models") };
    const { root } = openStore(Deno, location);
    writeFiles(root, { "releases/ab/rf.bin": "" });
    const paths = ["releases", "releases/ab", "releases/ab/rf.bin"].map((path) => join(root, path));
    for (const path of paths) Deno.chmodSync(path, 0o777);
    const broken = countingFs((step) => {
      if (step.startsWith("chmod") && step.endsWith("rf.bin")) throw osError("EIO");
    });
    assert.throws(() => openStore(broken, location), { code: "DISK", exitCode: 7 });
    assert.deepEqual(paths.map(modeOf), ["777", "777", "777"]);
    openStore(Deno, location);
    assert.deepEqual(paths.map(modeOf), ["755", "755", "755"]);
  },
});

Deno.test({
  name: "an entry that belongs to another user, or that another run has just removed, keeps no store closed",
  ignore,
  fn: () => {
    using dir = tempDir();
    const location = { modelsDir: join(dir.path, "models") };
    const { root } = openStore(Deno, location);
    const path = join(root, "history.jsonl");
    Deno.writeTextFileSync(path, "");
    Deno.chmodSync(path, 0o666);
    for (const error of [new Deno.errors.PermissionDenied("chmod"), new Deno.errors.NotFound("chmod")]) {
      openStore({
        ...Deno,
        chmodSync: () => {
          throw error;
        },
      }, location);
    }
    assert.equal(modeOf(path), "666");
  },
});
