import assert from "node:assert/strict";
import { join } from "node:path";
import { startGitServer } from "../../fakes/git_server.ts";
import { cliArgs, spawnCli } from "../helpers/run_cli.ts";
import { readFiles, tempDir, writeFiles } from "../helpers/temp_dir.ts";
import { bareRepository, clone, commitAll, git, GIT_ENV } from "../helpers/test_git.ts";

const TOKEN = "ghp_ofThisTestAloneAndNoOther0123456789";

Deno.test({
  name: "a pull that is killed while git signs in leaves no file with the token and none outside its folder",
  ignore: Deno.build.os === "windows",
  fn: async () => {
    using dir = tempDir();
    const bare = bareRepository(join(dir.path, "srv/registry.git"));
    git(bare, "config", "uploadpack.allowFilter", "true");
    const person = clone(bare, join(dir.path, "person"));
    writeFiles(person, { "models/rf.bin": "one" });
    commitAll(person);
    await using server = startGitServer({ root: join(dir.path, "srv"), token: TOKEN });
    const [bot, tmp] = [join(dir.path, "bot"), join(dir.path, "tmp")];
    Deno.mkdirSync(tmp);
    writeFiles(bot, {
      "configs/bot.yaml":
        `model_sync: {repo_url: "${server.origin}/registry.git", token_env: REGISTRY_TOKEN}\n`,
    });
    const options = { cwd: bot, env: { ...GIT_ENV, TMPDIR: tmp, REGISTRY_TOKEN: TOKEN } };
    const signedIn = Promise.withResolvers<void>();
    const answered = Promise.withResolvers<void>();
    server.intercept = (request) => {
      if (request.headers.get("authorization") === null) return undefined;
      signedIn.resolve();
      return answered.promise.then(() => new Response("too late", { status: 503 }));
    };
    const child = new Deno.Command(Deno.execPath(), {
      args: cliArgs("pull", [], {}),
      ...options,
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
    await signedIn.promise;
    const whileAsked = Array.from(Deno.readDirSync(tmp), ({ name }) => name);
    child.kill("SIGKILL");
    await child.status;
    answered.resolve();
    const grep = new Deno.Command("grep", { args: ["-rlF", TOKEN, bot, tmp] }).outputSync();
    assert.equal(new TextDecoder().decode(grep.stdout), "");
    assert.deepEqual(whileAsked, []);
    server.intercept = () => undefined;
    const next = await spawnCli("pull", [], options);
    assert.equal(next.code, 0, next.stderr);
    assert.deepEqual(readFiles(join(bot, "models")), { "rf.bin": "one" });
    assert.deepEqual([...Deno.readDirSync(join(bot, ".model-sync/staging"))], []);
    assert.deepEqual([...Deno.readDirSync(tmp)], []);
  },
});
