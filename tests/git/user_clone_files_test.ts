import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { ModelSyncError } from "../../lib/core/errors.ts";
import { checkRegistry } from "../../lib/doctor/git_checks.ts";
import { ofRemote } from "../../lib/git/clone_damage.ts";
import { parseRemoteUrl } from "../../lib/git/remote_url.ts";
import { gitError } from "../../lib/git/git_error.ts";
import { damage } from "../helpers/damage.ts";
import { machine, newTrainer, publishFrom, pullTo, registryOf } from "../helpers/machines.ts";
import { checkpoint, memoryDir, writeFiles } from "../helpers/temp_dir.ts";
import { isolatedSpawn, testContext } from "../helpers/test_context.ts";
import { clone } from "../helpers/test_git.ts";

/** Git finishes within milliseconds on a clone this small. One that hangs is killed, and the test fails. */
const context = () =>
  testContext({
    spawn: (request) => isolatedSpawn({ ...request, timeoutMs: Math.min(request.timeoutMs, 20_000) }),
  });

Deno.test("damage in a user's clone is reported in one line without hanging", async (test) => {
  using dir = memoryDir();
  const trainer = newTrainer(dir.path);
  await publishFrom(testContext(), trainer);
  const made = machine(dir.path, "user", registryOf(trainer));
  const repoDir = clone(registryOf(trainer), made.registry.repoDir);
  const user = { ...made, registry: { ...made.registry, repoDir, repoUrl: undefined } };
  writeFiles(trainer.modelsDir, { "BTC/rf.joblib": "two" });
  await publishFrom(testContext(), trainer);
  const restore = checkpoint(dirname(repoDir), join(dir.path, "user-before"));
  const cases: readonly (readonly [name: string, kind: string, says: RegExp])[] = [
    ["config", "huge", /config/],
    ["config", "a named pipe", /config is not a file/],
    ["commondir", "huge", /commondir has 700\.0 MiB/],
    ["info/grafts", "huge", /grafts has 700\.0 MiB/],
    ["objects/info/alternates", "huge", /alternates has 700\.0 MiB/],
    ["logs/HEAD", "a named pipe", /logs\/HEAD is not a file/],
    ["logs/refs/heads/main", "a folder with files", /logs\/refs\/heads\/main is a folder/],
  ];
  for (const [name, kind, says] of cases) {
    await test.step(`${name} is ${kind}`, async () => {
      restore();
      const path = join(repoDir, ".git", name);
      Deno.mkdirSync(dirname(path), { recursive: true });
      damage(path, kind);
      const runs = [
        () => pullTo(context(), user),
        () => publishFrom(context(), { ...trainer, registry: user.registry }),
      ];
      for (const run of runs) {
        await assert.rejects(run, { code: "CLONE_DAMAGED", exitCode: 7, message: says });
      }
    });
  }
});

Deno.test("a damaged object in a fetch error is the clone's if it names its path, otherwise the remote's", () => {
  const name = "839f1b47c07147ba3a8e31d284fe20d764de04ac";
  const codeOf = (place: string) => {
    const words =
      `error: unable to unpack ${name} header\nfatal: loose object ${name} (stored in ${place}) is corrupt`;
    const remoteUrl = parseRemoteUrl("/registry.git");
    const error = ofRemote(gitError("fetch main", words), { objectsDir: "/clone/.git/objects", remoteUrl });
    return error instanceof ModelSyncError ? error.code : undefined;
  };
  const file = `${name.slice(0, 2)}/${name.slice(2)}`;
  assert.equal(codeOf(`.git/objects/${file}`), "GIT_DAMAGED");
  assert.equal(codeOf(`/clone/.git/objects/${file}`), "GIT_DAMAGED");
  assert.equal(codeOf(`./objects/${file}`), "GIT_FAILED");
  assert.equal(codeOf(`/registry.git/objects/${file}`), "GIT_FAILED");
});

Deno.test("doctor's check of a registry runs no hook of the user", async () => {
  using dir = memoryDir();
  const trainer = newTrainer(dir.path);
  await publishFrom(testContext(), trainer);
  const repoDir = clone(registryOf(trainer), join(dir.path, "user"));
  // Git 2.39 hangs if a folder is in the place of a hook.
  writeFiles(join(repoDir, ".git/hooks/pre-push"), { "x": "" });
  const settings = { ...trainer.registry, repoDir, repoUrl: undefined };
  const checks = await checkRegistry(context(), settings, Deno.makeTempDirSync({ dir: dir.path }));
  assert.deepEqual(checks.filter(({ status }) => status !== "pass"), []);
});
