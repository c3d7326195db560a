import assert from "node:assert/strict";
import { join } from "node:path";
import { FailedError, RefusedError, UnreachableError, UsageError } from "../../../lib/core/errors.ts";
import { Secret } from "../../../lib/core/secret.ts";
import { type ClonePlace, TargetRepository } from "../../../lib/references/git/target_repository.ts";
import { startGitServer } from "../../../fakes/git_server.ts";
import { tempDir, writeFiles } from "../../helpers/temp_dir.ts";
import { testContext } from "../../helpers/test_context.ts";
import { bareRepository, clone, commitAll, git } from "../../helpers/test_git.ts";
import { writeProgram } from "../../helpers/make_program.ts";

const TOKEN = "ghp_references";
const ADDRESS = { owner: "Haidra-Org", name: "images", branch: "main" };

/** A repository on a git host, a person's clone of it, and a way to open it as the sync does. */
class World implements AsyncDisposable {
  readonly #dir = tempDir();
  readonly bare = bareRepository(join(this.#dir.path, "srv/Haidra-Org/images.git"));
  readonly person = clone(this.bare, join(this.#dir.path, "person"));
  readonly server = startGitServer({ root: join(this.#dir.path, "srv"), token: TOKEN });
  readonly kept = join(this.#dir.path, "kept");
  readonly context = testContext();

  constructor() {
    git(this.bare, "config", "http.receivepack", "true");
    git(this.bare, "config", "uploadpack.allowFilter", "true");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server[Symbol.asyncDispose]();
    this.#dir[Symbol.dispose]();
  }

  commit(files: Readonly<Record<string, string | Uint8Array>>, message?: string): string {
    writeFiles(this.person, files);
    return commitAll(this.person, message);
  }

  open(place: ClonePlace = { kind: "temporary", parent: this.kept }, address = ADDRESS, token = TOKEN) {
    return TargetRepository.open(this.context, {
      address,
      serverUrl: this.server.origin,
      token: new Secret(token),
      place,
    });
  }

  keep(discardLocalChanges = false) {
    return this.open({ kind: "kept", root: this.kept, discardLocalChanges });
  }
}

Deno.test("open() fetches only the newest commit, reads its files byte for byte, and leaves nothing behind", async () => {
  await using world = new World();
  world.commit({ "clip.json": "{}\r\n", "showcase/large.webp": new Uint8Array(100_000) });
  const newest = world.commit({
    "clip.json": '{\r\n\t"a": "\u00e9"}\r\n',
    ".gitattributes": "*.json text eol=lf -diff\n",
  });
  await using repository = await world.open();
  assert.equal(repository.base, newest);
  const texts = await repository.read(repository.base, ["clip.json", "missing.json"]);
  assert.deepEqual([...texts], [["clip.json", git(world.bare, "show", `${newest}:clip.json`) + "\n"]]);
  await repository[Symbol.asyncDispose]();
  assert.deepEqual([...Deno.readDirSync(world.kept)], []);
});

Deno.test("treeWith(), commit() and push() change the named files only", async () => {
  await using world = new World();
  world.commit({ "clip.json": "{}\n", "other/file": "stays" });
  await using repository = await world.open();
  const tree = await repository.treeWith(
    repository.base,
    new Map([["clip.json", "new\r\n"], ["blip.json", "{}"]]),
  );
  const commit = await repository.commit(tree, repository.base, "Sync clip\n");
  await repository.push("model-sync/references", commit, undefined);
  assert.equal(git(world.bare, "rev-parse", "model-sync/references"), commit);
  assert.equal(git(world.bare, "diff", "--name-status", "main", commit), "A\tblip.json\nM\tclip.json");
  assert.equal(git(world.bare, "log", "-1", "--format=%an %s", commit), "model-sync Sync clip");
  const patch = await repository.patch(repository.base, commit);
  assert.match(patch, /^\+new\r$/m);
});

Deno.test("push() refuses to overwrite another push", async () => {
  await using world = new World();
  const seen = world.commit({ "clip.json": "{}\n" });
  git(world.person, "push", "--quiet", "origin", "HEAD:work");
  await using repository = await world.open();
  assert.equal(await repository.remoteHead("work"), seen);
  git(world.person, "commit", "--quiet", "--allow-empty", "--message", "mine");
  git(world.person, "push", "--quiet", "origin", "HEAD:work");
  const theirs = git(world.person, "rev-parse", "HEAD");
  const tree = await repository.treeWith(repository.base, new Map([["clip.json", "x"]]));
  const commit = await repository.commit(tree, repository.base, "ours");
  await assert.rejects(repository.push("work", commit, seen), { name: "FailedError", code: "BRANCH_MOVED" });
  await assert.rejects(repository.push("work", commit, undefined), FailedError);
  assert.equal(git(world.bare, "rev-parse", "work"), theirs);
});

Deno.test("history() returns the commits of a branch without those of the base branch", async () => {
  await using world = new World();
  const base = world.commit({ "clip.json": "{}\n" });
  git(world.person, "commit", "--quiet", "--allow-empty", "--message", "one\n\nTrailer: yes");
  git(world.person, "push", "--quiet", "origin", "HEAD:work");
  const head = git(world.person, "rev-parse", "HEAD");
  await using repository = await world.open();
  const [first, ...others] = await repository.history("work", head);
  assert.deepEqual([first?.id, first?.parents], [head, [base]]);
  assert.match(first?.message ?? "", /^one\n\nTrailer: yes/);
  assert.deepEqual(others, []);
});

Deno.test("open() reports the problem: no such branch, a wrong token, a link in the place of a file", async () => {
  await using world = new World();
  Deno.symlinkSync("/etc/passwd", join(world.person, "clip.json"));
  world.commit({});
  const missing = world.open(undefined, { ...ADDRESS, branch: "gone" });
  await assert.rejects(
    missing,
    (error) => error instanceof UnreachableError && /no branch gone/.test(error.message),
  );
  await assert.rejects(world.open(undefined, ADDRESS, "ghp_wrong"), (error) => {
    assert.ok(error instanceof Error && !error.message.includes("ghp_wrong"));
    return error.name === "AuthenticationError";
  });
  await using repository = await world.open();
  await assert.rejects(repository.read(repository.base, ["clip.json"]), RefusedError);
});

Deno.test("a kept clone is created once, updated, and has the base branch checked out", async () => {
  await using world = new World();
  world.commit({ "clip.json": "1\n" });
  await (await world.keep())[Symbol.asyncDispose]();
  const newest = world.commit({ "clip.json": "2\n" });
  await using repository = await world.keep();
  assert.equal(repository.base, newest);
  assert.equal(Deno.readTextFileSync(join(world.kept, "Haidra-Org/images/clip.json")), "2\n");
});

Deno.test("a kept clone's local changes are discarded only with the option", async () => {
  await using world = new World();
  world.commit({ "clip.json": "1\n" });
  await (await world.keep())[Symbol.asyncDispose]();
  const folder = join(world.kept, "Haidra-Org/images");
  Deno.writeTextFileSync(join(folder, "notes.txt"), "mine");
  await assert.rejects(world.keep(), (error) => {
    assert.ok(error instanceof UsageError);
    assert.match(error.message, /: it has changes of "notes\.txt"$/);
    return error.code === "LOCAL_CHANGES";
  });
  git(folder, "add", "--all");
  git(folder, "commit", "--quiet", "--message", "mine");
  await assert.rejects(world.keep(), { code: "LOCAL_CHANGES" });
  assert.equal(Deno.readTextFileSync(join(folder, "notes.txt")), "mine");
  await (await world.keep(true))[Symbol.asyncDispose]();
  assert.throws(() => Deno.statSync(join(folder, "notes.txt")), Deno.errors.NotFound);
});

Deno.test("a kept clone of another repository, or a folder that is not a clone, is refused unchanged", async () => {
  await using world = new World();
  world.commit({ "clip.json": "1\n" });
  const folder = join(world.kept, "Haidra-Org/images");
  writeFiles(folder, { "mine.txt": "mine" });
  await assert.rejects(world.keep(true), { code: "CLONE_INVALID" });
  git(folder, "init", "--quiet");
  git(folder, "remote", "add", "origin", `${world.server.origin}/Haidra-Org/texts.git`);
  await assert.rejects(world.keep(true), (error) => {
    assert.ok(error instanceof UsageError);
    assert.match(
      error.message,
      /expected Haidra-Org\/images, found "http:\/\/127.0.0.1:\d+\/Haidra-Org\/texts.git"/,
    );
    return error.code === "REPOSITORY_MISMATCH";
  });
  assert.equal(Deno.readTextFileSync(join(folder, "mine.txt")), "mine");
});

Deno.test("folders of killed runs are removed after a day, and no others", async () => {
  await using world = new World();
  world.commit({ "clip.json": "1\n" });
  const names = ["model-sync-references-old", "model-sync-references-new", "others"];
  for (const name of names) writeFiles(join(world.kept, name), { "clone/file": "x" });
  const lastWeek = new Date(Date.now() - 7 * 86_400_000);
  for (const name of ["model-sync-references-old", "others"]) {
    Deno.utimeSync(join(world.kept, name), lastWeek, lastWeek);
  }
  await (await world.open())[Symbol.asyncDispose]();
  const left = Array.from(Deno.readDirSync(world.kept), ({ name }) => name);
  assert.deepEqual(left.sort(), ["model-sync-references-new", "others"]);
});

Deno.test("hooks in a kept clone do not run", async () => {
  await using world = new World();
  world.commit({ "clip.json": "1\n" });
  await (await world.keep())[Symbol.asyncDispose]();
  const hook = join(world.kept, "Haidra-Org/images/.git/hooks/pre-push");
  Deno.mkdirSync(join(hook, ".."), { recursive: true });
  writeProgram(hook, `#!/bin/sh\nenv > '${world.kept}/seen'\n`);
  await using repository = await world.keep();
  const tree = await repository.treeWith(repository.base, new Map([["clip.json", "2\n"]]));
  await repository.push("work", await repository.commit(tree, repository.base, "ours"), undefined);
  assert.throws(() => Deno.statSync(join(world.kept, "seen")), Deno.errors.NotFound);
});
