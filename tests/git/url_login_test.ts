import assert from "node:assert/strict";
import { join } from "node:path";
import { Secret } from "../../lib/core/secret.ts";
import { spawnInOurGroup, type SpawnProcess } from "../../lib/core/subprocess.ts";
import { type GitServer, startGitServer } from "../../fakes/git_server.ts";
import { type Machine, machine, publishFrom, pullTo } from "../helpers/machines.ts";
import { readFiles, tempDir, writeFiles } from "../helpers/temp_dir.ts";
import { isolatedSpawn, testContext } from "../helpers/test_context.ts";
import { bareRepository, clone, git } from "../helpers/test_git.ts";

const PASSWORD = "p@ss/w:rd%of-the-registry";
const MODELS = { "BTC/rf.onnx": "one" };

interface World extends AsyncDisposable {
  readonly root: string;
  readonly server: GitServer;
  /** Every command line of git, its helpers and this program. */
  readonly commandLines: () => string;
  /** Runs git with this global configuration, as on a user's machine. */
  readonly context: (globalConfig?: string) => ReturnType<typeof testContext>;
  readonly machine: (name: string, login: string) => Machine;
  /** Returns the files below a folder that contain the password, plain or escaped. */
  readonly holders: (folder: string) => string;
}

function world(): World {
  const dir = tempDir();
  const bare = bareRepository(join(dir.path, "repositories/registry.git"));
  git(bare, "config", "http.receivepack", "true");
  git(bare, "config", "uploadpack.allowFilter", "true");
  const isRight = (token: string) => PASSWORD.startsWith(token) && token.length > 3;
  const server = startGitServer({ root: join(dir.path, "repositories"), token: isRight });
  const trace = join(dir.path, "trace");
  const started: string[] = [];
  return {
    root: dir.path,
    server,
    commandLines: () => [...started, Deno.readTextFileSync(trace)].join("\n"),
    context: (globalConfig) => {
      const spawn: SpawnProcess = (request) => {
        started.push(request.args.join(" "));
        const traced = { ...request, env: { ...request.env, GIT_TRACE: trace } };
        if (globalConfig === undefined) return isolatedSpawn(traced);
        const env = { ...traced.env, GIT_CONFIG_GLOBAL: globalConfig, GIT_CONFIG_NOSYSTEM: "1" };
        return spawnInOurGroup({ ...traced, env });
      };
      return testContext({ spawn });
    },
    machine: (name, login) => {
      const made = machine(dir.path, name, server.origin.replace("://", `://${login}`) + "/registry.git");
      writeFiles(made.modelsDir, MODELS);
      return made;
    },
    holders: (folder) => {
      const args = ["-rlF", "-e", PASSWORD, "-e", encodeURIComponent(PASSWORD), folder];
      return new TextDecoder().decode(new Deno.Command("grep", { args }).outputSync().stdout);
    },
    [Symbol.asyncDispose]: async () => {
      await server[Symbol.asyncDispose]();
      dir[Symbol.dispose]();
    },
  };
}

function assertSecret(text: string): void {
  for (const form of [PASSWORD, encodeURIComponent(PASSWORD), "w:rd"]) {
    assert.ok(!text.includes(form), text.split("\n").find((line) => line.includes(form)));
  }
}

function modeOf(path: string): number {
  return (Deno.statSync(path).mode ?? 0) & 0o777;
}

Deno.test("a password in repo_url signs in, and is in no file and on no command line", async () => {
  await using made = world();
  const login = `me:${encodeURIComponent(PASSWORD)}@`;
  const [trainer, bot] = [made.machine("trainer", login), made.machine("bot", login)];
  const context = made.context();
  await publishFrom(context, trainer);
  Deno.removeSync(bot.modelsDir, { recursive: true });
  await pullTo(context, bot);
  assert.deepEqual(readFiles(bot.modelsDir), MODELS);
  assert.match(made.commandLines(), /git-remote-http/);
  assertSecret(made.commandLines());
  assertSecret(context.log.lines.join("\n"));
  for (const { registry } of [trainer, bot]) {
    assert.equal(made.holders(registry.repoDir), "");
    assert.equal(git(registry.repoDir, "config", "remote.origin.url"), `${made.server.origin}/registry.git`);
    assert.equal(modeOf(join(registry.repoDir, ".git/config")), 0o600);
  }
});

Deno.test("the password is removed from the configuration of an earlier version's clone, without cloning again", async () => {
  await using made = world();
  const trainer = made.machine("trainer", `me:${encodeURIComponent(PASSWORD)}@`);
  await publishFrom(made.context(), trainer);
  const { repoDir, repoUrl = "" } = trainer.registry;
  const config = join(repoDir, ".git/config");
  git(repoDir, "config", "remote.origin.url", repoUrl);
  git(repoDir, "config", `lfs.${repoUrl}/info/lfs.access`, "basic");
  Deno.chmodSync(config, 0o644);
  const { ino } = Deno.statSync(join(repoDir, ".git"));
  assert.notEqual(made.holders(repoDir), "");
  writeFiles(trainer.modelsDir, { "BTC/rf.onnx": "two" });
  await publishFrom(made.context(), trainer);
  assert.equal(made.holders(repoDir), "");
  assert.equal(modeOf(config), 0o600);
  assert.equal(Deno.statSync(join(repoDir, ".git")).ino, ino);
});

Deno.test("a password that moves from repo_url to token_env does not cause a new clone", async () => {
  await using made = world();
  const trainer = made.machine("trainer", `me:${encodeURIComponent(PASSWORD)}@`);
  await publishFrom(made.context(), trainer);
  const { repoDir } = trainer.registry;
  const { ino } = Deno.statSync(join(repoDir, ".git"));
  writeFiles(trainer.modelsDir, { "BTC/rf.onnx": "two" });
  const plain = made.machine("trainer", "").registry;
  await publishFrom(made.context(), {
    ...trainer,
    registry: { ...plain, token: new Secret(PASSWORD) },
  });
  assert.equal(Deno.statSync(join(repoDir, ".git")).ino, ino);
});

Deno.test("every spelling of a login signs in", async () => {
  await using made = world();
  const trainer = made.machine("trainer", `me:${encodeURIComponent(PASSWORD)}@`);
  await publishFrom(made.context(), trainer);
  // Unescaped as far as an authority allows, without a user, and with two @.
  for (const [index, login] of ["me:p@ss@", ":p@ss@", "me@home:p@ss@", "me:p%40ss@"].entries()) {
    const bot = made.machine(`bot-${index}`, login);
    const report = await pullTo(made.context(), bot);
    assert.equal(report.outcome, "activated", login);
  }
});

Deno.test("a scheme in capital letters works as in small letters, with and without a login", async () => {
  await using made = world();
  const trainer = made.machine("trainer", `me:${encodeURIComponent(PASSWORD)}@`);
  const capital = (machine: typeof trainer) => {
    const repoUrl = machine.registry.repoUrl?.replace("http", "HTTP");
    return { ...machine, registry: { ...machine.registry, repoUrl } };
  };
  await publishFrom(made.context(), capital(trainer));
  const report = await pullTo(made.context(), capital(made.machine("bot", "me:p@ss@")));
  assert.equal(report.outcome, "activated");
});

Deno.test("the address of a user's clone stays unchanged, and its password off the command lines", async () => {
  await using made = world();
  const trainer = made.machine("trainer", `me:${encodeURIComponent(PASSWORD)}@`);
  await publishFrom(made.context(), trainer);
  const bot = made.machine("bot", "");
  const url = trainer.registry.repoUrl ?? "";
  clone(join(made.root, "repositories/registry.git"), bot.registry.repoDir);
  git(bot.registry.repoDir, "remote", "set-url", "origin", url);
  const context = made.context();
  await pullTo(context, { ...bot, registry: { ...bot.registry, repoUrl: undefined } });
  assert.deepEqual(readFiles(bot.modelsDir), MODELS);
  assert.equal(git(bot.registry.repoDir, "config", "remote.origin.url"), url);
  assertSecret(made.commandLines());
  assertSecret(context.log.lines.join("\n"));
});

Deno.test("a password in addresses of the user's global configuration stays off the command lines, too", async () => {
  await using made = world();
  const config = join(made.root, "gitconfig");
  const secret = made.server.origin.replace("://", `://me:${encodeURIComponent(PASSWORD)}@`);
  Deno.writeTextFileSync(config, `[url "${secret}/"]\n\tinsteadOf = ${made.server.origin}/\n`);
  const trainer = made.machine("trainer", "");
  await publishFrom(made.context(config), trainer);
  const bot = made.machine("bot", "");
  assert.equal((await pullTo(made.context(config), bot)).outcome, "activated");
  assertSecret(made.commandLines());
  assert.equal(made.holders(bot.registry.repoDir), "");
});

Deno.test("a wrong password in repo_url ends with exit code 3 and is not shown", async () => {
  await using made = world();
  const bot = made.machine("bot", "me:w:rd-that-is-wrong@");
  await assert.rejects(pullTo(made.context(), bot), (error: Error & { exitCode?: number; hint?: string }) => {
    assert.equal(error.exitCode, 3);
    assert.match(error.hint ?? "", /^the registry refuses the password in its address:/);
    assertSecret(error.message);
    return true;
  });
});
