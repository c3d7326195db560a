import assert from "node:assert/strict";
import { basename, dirname, join } from "node:path";
import { ifFound } from "../../lib/core/files.ts";
import { noise, writeFiles } from "./temp_dir.ts";
import { git, gitWithInput } from "./test_git.ts";

/** Damages a clone, given by its git folder, in one way. */
type Damage = (gitDir: string) => void | Promise<void>;

function packs(gitDir: string, suffix: string): string[] {
  const dir = join(gitDir, "objects/pack");
  const names = ifFound(() => [...Deno.readDirSync(dir)].map(({ name }) => name)) ?? [];
  return names.filter((name) => name.endsWith(suffix)).map((name) => join(dir, name));
}

/** Truncates a read-only file. */
function truncate(path: string, length: number): void {
  Deno.chmodSync(path, 0o644);
  Deno.truncateSync(path, length);
}

/** Replaces whatever is at a path by a file. */
function replace(path: string, content: string | Uint8Array): void {
  ifFound(() => Deno.removeSync(path, { recursive: true }));
  writeFiles(dirname(path), { [basename(path)]: content });
}

/** Replaces whatever is at a path by a folder with a file. */
function replaceByFolder(path: string): void {
  ifFound(() => Deno.removeSync(path, { recursive: true }));
  writeFiles(path, { file: "" });
}

function linkToItself(path: string): void {
  ifFound(() => Deno.removeSync(path));
  Deno.symlinkSync(basename(path), path);
}

function replaceByPipe(path: string): void {
  ifFound(() => Deno.removeSync(path));
  Deno.mkdirSync(dirname(path), { recursive: true });
  assert.ok(new Deno.Command("mkfifo", { args: [path] }).outputSync().success);
}

const GARBAGE = noise(200, 3);

/** Unpacks the packs to loose objects, and returns the file of one of them. */
export async function unpack(gitDir: string, object = "HEAD"): Promise<string> {
  const [dir, moved] = [join(gitDir, "objects/pack"), join(gitDir, "moved")];
  Deno.renameSync(dir, moved);
  Deno.mkdirSync(dir);
  for (const { name } of [...Deno.readDirSync(moved)].filter(({ name }) => name.endsWith(".pack"))) {
    await gitWithInput(gitDir, Deno.readFileSync(join(moved, name)), "unpack-objects", "-q");
  }
  Deno.removeSync(moved, { recursive: true });
  const id = git(gitDir, "rev-parse", object);
  return join(gitDir, "objects", id.slice(0, 2), id.slice(2));
}

/** Damages to the objects of a clone. */
export const OBJECT_DAMAGES: Readonly<Record<string, Damage>> = {
  "a truncated pack": (dir) => packs(dir, ".pack").forEach((path) => truncate(path, 100)),
  "an empty pack": (dir) => packs(dir, ".pack").forEach((path) => truncate(path, 0)),
  "no pack index": (dir) => packs(dir, ".idx").forEach((path) => Deno.removeSync(path)),
  "a truncated pack index": (dir) => packs(dir, ".idx").forEach((path) => truncate(path, 100)),
  "no pack": (dir) => packs(dir, ".pack").forEach((path) => Deno.removeSync(path)),
  "no promisor mark": (dir) => packs(dir, ".promisor").forEach((path) => Deno.removeSync(path)),
  "a file for the pack folder": (dir) => replace(join(dir, "objects/pack"), ""),
  "an empty commit object": async (dir) => truncate(await unpack(dir), 0),
  "no commit object": async (dir) => Deno.removeSync(await unpack(dir)),
  "garbage for a commit object": async (dir) => replace(await unpack(dir), GARBAGE),
  "no objects": (dir) => Deno.removeSync(join(dir, "objects"), { recursive: true }),
  "garbage for alternates": (dir) => replace(join(dir, "objects/info/alternates"), GARBAGE),
};

/** Damages to the other files of a clone. */
export const FILE_DAMAGES: Readonly<Record<string, Damage>> = {
  "an empty HEAD": (dir) => replace(join(dir, "HEAD"), ""),
  "garbage for HEAD": (dir) => replace(join(dir, "HEAD"), GARBAGE),
  "a folder for HEAD": (dir) => replaceByFolder(join(dir, "HEAD")),
  "no HEAD": (dir) => Deno.removeSync(join(dir, "HEAD")),
  "empty refs": (dir) => {
    for (const ref of ["refs/heads/main", "refs/remotes/origin/main"]) replace(join(dir, ref), "");
  },
  "garbage for refs": (dir) => {
    for (const ref of ["refs/heads/main", "refs/remotes/origin/main"]) replace(join(dir, ref), "zzz\n");
  },
  "a folder with a file for a ref": (dir) => replaceByFolder(join(dir, "refs/remotes/origin/main")),
  "a branch that links to itself": (dir) => linkToItself(join(dir, "refs/heads/main")),
  "a remote branch that links to itself": (dir) => linkToItself(join(dir, "refs/remotes/origin/main")),
  "a pipe for a remote's HEAD": (dir) => replaceByPipe(join(dir, "refs/remotes/origin/HEAD")),
  "a pipe for the attributes": (dir) => replaceByPipe(join(dir, "info/attributes")),
  "a folder for the attributes": (dir) => replaceByFolder(join(dir, "info/attributes")),
  "a pipe for an object": (dir) => replaceByPipe(join(dir, "objects", "12", "3".repeat(38))),
  "no refs": (dir) => Deno.removeSync(join(dir, "refs"), { recursive: true }),
  "torn packed-refs": (dir) => {
    git(dir, "pack-refs", "--all");
    truncate(join(dir, "packed-refs"), 70);
  },
  "an empty config": (dir) => replace(join(dir, "config"), ""),
  "a config without a remote": (dir) => void git(dir, "config", "--remove-section", "remote.origin"),
  "garbage for config": (dir) => replace(join(dir, "config"), GARBAGE),
  "a folder for config": (dir) => replaceByFolder(join(dir, "config")),
  "a config of a later git": (dir) => void git(dir, "config", "core.repositoryFormatVersion", "99"),
  "garbage for shallow": (dir) => replace(join(dir, "shallow"), "zzz\n"),
  "an empty shallow": (dir) => replace(join(dir, "shallow"), ""),
  "no git folder": (dir) => replace(dir, ""),
};

/** Damages to the index of a clone with a worktree. */
export const INDEX_DAMAGES: Readonly<Record<string, Damage>> = {
  "an empty index": (dir) => replace(join(dir, "index"), ""),
  "garbage for an index": (dir) => replace(join(dir, "index"), GARBAGE),
  "a folder for an index": (dir) => replaceByFolder(join(dir, "index")),
  "half an index": (dir) => truncate(join(dir, "index"), Deno.statSync(join(dir, "index")).size >> 1),
  "100 bytes of an index": (dir) => truncate(join(dir, "index"), 100),
  "another byte in an index": (dir) => {
    const index = Deno.readFileSync(join(dir, "index"));
    index.set([0x55], index.length >> 1);
    replace(join(dir, "index"), index);
  },
  "no reference for the branch": (dir) => Deno.removeSync(join(dir, "refs/heads/main")),
  "a HEAD of another branch": (dir) => replace(join(dir, "HEAD"), "ref: refs/heads/mxin\n"),
};
