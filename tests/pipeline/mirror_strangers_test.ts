import assert from "node:assert/strict";
import { join } from "node:path";
import { verifyActive } from "../../lib/pipeline/verify.ts";
import { osError } from "../helpers/fake_fs.ts";
import { type Machine, machine, publishFiles, pulledReleases, pullTo, storeOf } from "../helpers/machines.ts";
import { activeSequence, mirrorTo } from "../helpers/mirrored_bot.ts";
import { readFiles, tempDir, writeFiles } from "../helpers/temp_dir.ts";
import { testContext } from "../helpers/test_context.ts";

type Files = Readonly<Record<string, string>>;

const V1: Files = { "a.bin": "one", "sub/b.bin": "one", "gone.bin": "one" };
const V2: Files = { "a.bin": "two", "sub/b.bin": "two", "new/n.bin": "two" };
const MIRROR = { activation: "mirror" } as const;

/** Entries that no release can hold, and some that it can. A shell makes them: Deno makes no pipes and no invalid names. */
const STRANGERS = `
  ln -s sub latest; ln -s /nowhere dangling; ln -s loop loop; ln -s b.bin sub/newest
  mkfifo ctl sub/ctl
  touch "run 12:30.log" con.txt btc.JSON BTC.json "$(printf 'caf\\351')" .env
  mkdir -p .git __pycache__ A/x a/x "$(printf 'dir\\351')" sub/empty
  touch __pycache__/x.pyc A/x/f a/x/f "$(printf 'dir\\351/f')"
`;

function shell(dir: string, script: string): string {
  const { success, stdout, stderr } = new Deno.Command("sh", { args: ["-ec", script], cwd: dir })
    .outputSync();
  assert.ok(success, new TextDecoder().decode(stderr));
  return new TextDecoder("latin1").decode(stdout);
}

function makeStrangers({ modelsDir }: Machine): void {
  shell(modelsDir, STRANGERS);
  // The socket stays when its program ends.
  const program = "import socket; socket.socket(socket.AF_UNIX).bind('s.sock')";
  shell(modelsDir, `python3 -c "${program}"`);
}

/** Lists kind, inode, name and target of all entries except the files of these sets and their folders. */
function strangersIn({ modelsDir }: Machine, ...sets: readonly Files[]): string[] {
  const ours = new Set(["sub", "new", ...sets.flatMap((files) => Object.keys(files))]);
  return shell(modelsDir, "find . -mindepth 1 -printf '%P %y %i %l\\n'").trim().split("\n")
    .filter((line) => !ours.has(line.split(" ")[0] ?? "")).sort();
}

function assertShows(bot: Machine, files: Files, others: Files): void {
  for (const [path, content] of Object.entries(files)) {
    assert.equal(Deno.readTextFileSync(join(bot.modelsDir, path)), content);
  }
  for (const path of Object.keys(others).filter((one) => files[one] === undefined)) {
    assert.throws(() => Deno.lstatSync(join(bot.modelsDir, path)), Deno.errors.NotFound);
  }
}

Deno.test("a mirrored folder is switched to another release and back around files that no release can hold", async () => {
  using dir = tempDir();
  const { trainer, bot } = await pulledReleases(dir.path, [V1], MIRROR);
  makeStrangers(bot);
  const before = strangersIn(bot, V1, V2);
  assert.ok(before.length > 20);

  await publishFiles(trainer, V2);
  assert.equal((await pullTo(testContext(), bot, MIRROR)).outcome, "activated");
  assertShows(bot, V2, V1);
  assert.deepEqual(strangersIn(bot, V1, V2), before);

  assert.equal((await pullTo(testContext(), bot, MIRROR)).outcome, "unchanged");
  assert.equal((await pullTo(testContext(), bot, { ...MIRROR, force: true })).outcome, "unchanged");

  assert.equal((await mirrorTo(testContext(), bot, 1)).outcome, "rolled-back");
  assertShows(bot, V1, V2);
  assert.equal(activeSequence(bot), 1);
  assert.deepEqual(strangersIn(bot, V1, V2), before);
});

Deno.test("a first pull in mirror mode refuses a folder with models that no release can hold, and leaves it unchanged", async () => {
  using dir = tempDir();
  const { trainer } = await pulledReleases(dir.path, [V1]);
  const bot = machine(dir.path, "volume", trainer.registry.repoUrl ?? "");
  writeFiles(bot.modelsDir, { "a.bin": "from before" });
  Deno.symlinkSync("a.bin", join(bot.modelsDir, "latest.bin"));
  const before = readFiles(bot.modelsDir);
  await assert.rejects(pullTo(testContext(), bot, MIRROR), { code: "FOLDER_UNFIT", exitCode: 5 });
  assert.deepEqual(readFiles(bot.modelsDir), before);
  assert.equal(activeSequence(bot), undefined);
});

Deno.test("verify names the other files of a mirrored folder, also in folders with odd names", async () => {
  using dir = tempDir();
  const { bot } = await pulledReleases(dir.path, [V1], MIRROR);
  makeStrangers(bot);
  const { problems, extra } = await verifyActive(testContext(), storeOf(testContext(), bot), "content");
  assert.deepEqual(problems, []);
  for (const path of ["latest", "loop", "ctl", "s.sock", "sub/newest", "con.txt", "A/x/f", "a/x/f"]) {
    assert.ok(extra.includes(path), `${path} is not named in ${extra.join(", ")}`);
  }
  assert.ok(extra.some((path) => path.startsWith("dir")), "the folder whose name is not UTF-8");
});

for (const [name, isExtra] of [["lost+found", false], ["closed", true]] as const) {
  Deno.test(`a mirrored folder holds a folder that is closed to this user: ${name}`, async () => {
    using dir = tempDir();
    const { trainer } = await pulledReleases(dir.path, [V1, V2]);
    const bot = machine(dir.path, "volume", trainer.registry.repoUrl ?? "");
    Deno.mkdirSync(bot.modelsDir);
    const close = () => Deno.mkdirSync(join(bot.modelsDir, name));
    // The volume's own folder exists from the start.
    if (!isExtra) close();
    await pullTo(closedTo(name), bot, MIRROR);
    if (isExtra) close();
    const audit = await verifyActive(closedTo(name), storeOf(closedTo(name), bot), "content");
    assert.deepEqual([audit.problems, audit.extra], [[], isExtra ? [name] : []]);
    await publishFiles(trainer, V1);
    assert.equal((await pullTo(closedTo(name), bot, MIRROR)).outcome, "activated");
    assert.equal((await mirrorTo(closedTo(name), bot, 2)).outcome, "rolled-back");
    assertShows(bot, V2, V1);
  });
}

/** A context whose user cannot list folders of this name. */
function closedTo(name: string) {
  const readDirSync: typeof Deno.readDirSync = (path) => {
    if (String(path).endsWith(`/${name}`)) throw osError("EACCES");
    return Deno.readDirSync(path);
  };
  return testContext({ fs: { ...Deno, readDirSync } });
}
