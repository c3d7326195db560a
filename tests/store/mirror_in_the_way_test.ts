import assert from "node:assert/strict";
import { join } from "node:path";
import { countingFs } from "../helpers/counting_fs.ts";
import { osError } from "../helpers/fake_fs.ts";
import { type Machine, publishFiles, pulledReleases, pullTo } from "../helpers/machines.ts";
import { activeSequence, mirrorTo, settleLeft } from "../helpers/mirrored_bot.ts";
import { checkpoint, memoryDir, tempDir } from "../helpers/temp_dir.ts";
import { testContext } from "../helpers/test_context.ts";

type Files = Readonly<Record<string, string>>;

const V1: Files = {
  "a.bin": "one",
  "sub/b.bin": "one",
  "sub/deep/c.bin": "one",
  "last.bin": "one",
  "in/sub/d.bin": "one",
};
const V2: Files = { "a.bin": "two", "new.bin": "two", "dir/b.bin": "one", "sub": "two", "in/sub": "two" };
const MIRROR = { activation: "mirror" } as const;

/** An entry that the consumer made, its path, and how to recognise it. */
interface Case {
  readonly what: string;
  readonly make: string;
  readonly path: string;
  /** The kind that `find` names and, for links, the target. */
  readonly kind: string;
}

const CASES: readonly Case[] = [
  { what: "a link in the place of a file", make: "ln -s a.bin new.bin", path: "new.bin", kind: "l:a.bin" },
  { what: "a dangling link", make: "ln -s /nowhere new.bin", path: "new.bin", kind: "l:/nowhere" },
  { what: "a pipe in the place of a file", make: "mkfifo new.bin", path: "new.bin", kind: "p:" },
  { what: "a file in the place of a file", make: "echo mine > new.bin", path: "new.bin", kind: "f:" },
  {
    what: "a folder in the place of a file",
    make: "mkdir new.bin; echo mine > new.bin/mine",
    path: "new.bin",
    kind: "d:",
  },
  {
    what: "a folder that holds a name that is not UTF-8",
    make: "mkdir -p new.bin/\"$(printf 'x\\351')\"",
    path: "new.bin",
    kind: "d:",
  },
  { what: "a file in the place of a folder", make: "echo mine > dir", path: "dir", kind: "f:" },
  { what: "a pipe in the place of a folder", make: "mkfifo dir", path: "dir", kind: "p:" },
  { what: "a link to a folder of the same content", make: "ln -s sub dir", path: "dir", kind: "l:sub" },
  { what: "a link in a folder that becomes a file", make: "ln -s b.bin sub/l", path: "sub", kind: "d:" },
  { what: "a file in a folder that becomes a file", make: "echo mine > sub/mine", path: "sub", kind: "d:" },
  {
    what: "a file in a folder, below another one, that becomes a file",
    make: "echo mine > in/sub/mine",
    path: "in/sub",
    kind: "d:",
  },
  {
    what: "a link in the place of a file of the old release",
    make: "rm a.bin; ln -s last.bin a.bin",
    path: "a.bin",
    kind: "l:last.bin",
  },
];

function shell(dir: string, script: string): string {
  const { success, stdout, stderr } = new Deno.Command("sh", { args: ["-ec", script], cwd: dir })
    .outputSync();
  assert.ok(success, new TextDecoder().decode(stderr));
  return new TextDecoder("latin1").decode(stdout);
}

/** Maps inodes to the name, kind and target of every entry in the folder. */
function entriesOf({ modelsDir }: Machine): Map<string, string> {
  const lines = shell(modelsDir, "find . -mindepth 1 -printf '%i\\t%P\\t%y:%l\\n'").trimEnd().split("\n");
  return new Map(
    lines.map((line) => [line.slice(0, line.indexOf("\t")), line.slice(line.indexOf("\t") + 1)]),
  );
}

function inodeOf({ modelsDir }: Machine, path: string): string {
  return String(Deno.lstatSync(join(modelsDir, path)).ino);
}

/** Checks that every file of the release is regular, in real folders, and that the other release's files are gone. */
function assertShows({ modelsDir }: Machine, files: Files, others: Files): void {
  for (const [path, content] of Object.entries(files)) {
    assert.equal(Deno.readTextFileSync(join(modelsDir, path)), content, path);
    assert.equal(Deno.realPathSync(join(modelsDir, path)), join(modelsDir, path));
  }
  const all = shell(modelsDir, "find . -type f -name '*.bin*' -printf '%P\\n'").trim().split("\n");
  for (const path of Object.keys(others)) assert.ok(files[path] !== undefined || !all.includes(path), path);
  assert.ok(!all.some((path) => /\.before-.*\/.*\.bin$/.test(path)), "old models are kept with a folder");
}

Deno.test("entries in the way of a release are kept under other names, and a rollback works around them", async (t) => {
  using dir = memoryDir();
  const { trainer, bot } = await pulledReleases(dir.path, [V1], MIRROR);
  await publishFiles(trainer, V2);
  const restore = checkpoint(join(dir.path, "bot"), join(dir.path, "start"));
  for (const { what, make, path, kind } of CASES) {
    await t.step(what, async () => {
      restore();
      shell(bot.modelsDir, make);
      const inode = inodeOf(bot, path);
      const context = testContext();
      assert.equal((await pullTo(context, bot, MIRROR)).outcome, "activated");
      assertShows(bot, V2, V1);
      const kept = entriesOf(bot).get(inode) ?? "nothing";
      const [name = "", shown = ""] = kept.split("\t");
      assert.ok(name.startsWith(`${path}.before-`) && shown === kind, kept);
      const others = [...entriesOf(bot).values()].filter((entry) => /\.before-[^/]*\t/.test(entry));
      assert.deepEqual(others, [kept], "nothing else is kept");
      assert.ok(context.log.lines.some((line) => line.includes(`it is kept as ${name}`)), "a warning");

      assert.equal((await mirrorTo(testContext(), bot, 1)).outcome, "rolled-back");
      assertShows(bot, V1, V2);
      assert.equal(entriesOf(bot).get(inode), kept);
    });
  }
});

Deno.test("a link at the path of a file that the new release lacks stays", async () => {
  using dir = tempDir();
  const { trainer, bot } = await pulledReleases(dir.path, [V1], MIRROR);
  shell(bot.modelsDir, "rm last.bin; ln -s a.bin last.bin");
  await publishFiles(trainer, V2);
  await pullTo(testContext(), bot, MIRROR);
  assert.equal(Deno.readLinkSync(join(bot.modelsDir, "last.bin")), "a.bin");
});

const IN_FILES = { "new.bin": "echo mine > new.bin", "a.bin": "rm a.bin; ln -s last.bin a.bin" };
const IN_FOLDERS = { "dir": "mkfifo dir", "sub/mine": "echo mine > sub/mine" };

/** `sub.before-<run>/mine` is `sub/mine`. */
function firstName(entry: string | undefined): string | undefined {
  return entry?.replace(/\.before-[^/\t]*/, "");
}

for (
  const [where, hasLinks, made] of [
    ["of files and folders", true, { ...IN_FILES, ...IN_FOLDERS }],
    ["of files, where there are no hard links", false, IN_FILES],
  ] as const
) {
  Deno.test(`a run that is killed at any step keeps entries that are in the way ${where}`, async () => {
    using dir = memoryDir();
    const { bot } = await pulledReleases(join(dir.path, "world"), [V1, V2], MIRROR);
    await mirrorTo(testContext(), bot, 1);
    Deno.removeSync(bot.registry.repoDir, { recursive: true });
    const ends = new Set<number | undefined>();
    const restore = checkpoint(join(dir.path, "world/bot"), join(dir.path, "start"));
    for (let at = 1;; at++) {
      restore();
      shell(bot.modelsDir, Object.values(made).join("; "));
      const before = entriesOf(bot);
      const inodes = Object.keys(made).map((path) => inodeOf(bot, path));
      let steps = 0;
      const fs = countingFs((step) => {
        if (step.startsWith("link") && !hasLinks) throw osError("EPERM");
        if (++steps >= at) throw osError("EIO");
      });
      await mirrorTo(testContext({ fs }), bot, 2).catch(() => {});
      await settleLeft(testContext(), bot);
      const after = entriesOf(bot);
      for (const inode of inodes) {
        assert.equal(firstName(after.get(inode)), before.get(inode), `after a kill at step ${at}`);
      }
      const active = activeSequence(bot);
      ends.add(active);
      if (active === 2) assertShows(bot, V2, V1);
      if (steps < at) break;
    }
    assert.deepEqual([...ends].sort(), [1, 2], "kills have to end on both sides");
  });
}
