import assert from "node:assert/strict";
import { join } from "node:path";
import { checkRegistry } from "../../lib/doctor/git_checks.ts";
import type { RegistrySettings } from "../../lib/git/registry_settings.ts";
import { FILE_DAMAGES, OBJECT_DAMAGES } from "../helpers/clone_damages.ts";
import { machine, newTrainer, publishFrom, pullTo, registryOf } from "../helpers/machines.ts";
import { checkpoint, listing, tempDir } from "../helpers/temp_dir.ts";
import { testContext } from "../helpers/test_context.ts";
import { clone, git } from "../helpers/test_git.ts";

async function cloneCheck(dir: string, registry: RegistrySettings): Promise<string> {
  const checks = await checkRegistry(testContext(), registry, Deno.makeTempDirSync({ dir }));
  const check = checks.find(({ name }) => name === "clone");
  return `${check?.status} ${check?.detail}`;
}

Deno.test("doctor names the damage of a clone, the store's or a user's, and changes nothing", async (test) => {
  using dir = tempDir();
  const trainer = newTrainer(dir.path);
  await publishFrom(testContext(), trainer);
  const bot = machine(dir.path, "bot", registryOf(trainer));
  const own = { ...bot.registry, isInStore: true };
  await pullTo(testContext(), bot);
  const made = machine(dir.path, "user", registryOf(trainer));
  const user = { ...made.registry, repoUrl: undefined };
  clone(registryOf(trainer), user.repoDir);
  assert.match(await cloneCheck(dir.path, own), /^pass /);
  assert.match(await cloneCheck(dir.path, user), /^pass /);
  const restoreOwn = checkpoint(join(dir.path, "bot"), join(dir.path, "bot-before"));
  const restoreUser = checkpoint(join(dir.path, "user"), join(dir.path, "user-before"));
  const harmless = ["no promisor mark", "an empty shallow"];
  for (const [what, damage] of Object.entries({ ...OBJECT_DAMAGES, ...FILE_DAMAGES })) {
    if (harmless.includes(what)) continue;
    await test.step(what, async () => {
      restoreOwn();
      await damage(join(own.repoDir, ".git"));
      const before = listing(own.repoDir);
      assert.match(await cloneCheck(dir.path, own), /^warn .*registry: it is damaged: ./);
      assert.deepEqual(listing(own.repoDir), before);
      restoreUser();
      await damage(join(user.repoDir, ".git"));
      // Without its `.git` or its remote it is not a clone to pull from: that is another message.
      assert.match(
        await cloneCheck(dir.path, user),
        ["no git folder", "an empty config", "a config without a remote"].includes(what)
          ? /^fail Cannot (?:open|use)/
          : /^fail Cannot use the clone .*registry: ./,
      );
    });
  }
});

Deno.test("doctor warns of settings in the store's clone that the next run removes", async () => {
  using dir = tempDir();
  const trainer = newTrainer(dir.path);
  await publishFrom(testContext(), trainer);
  const bot = machine(dir.path, "bot", registryOf(trainer));
  await pullTo(testContext(), bot);
  git(bot.registry.repoDir, "config", "core.fsmonitor", "/bin/false");
  assert.match(await cloneCheck(dir.path, bot.registry), /^warn .*configuration sets core\.fsmonitor$/);
});

Deno.test("doctor names the configured clone that does not exist, and not its own scratch folder", async () => {
  using dir = tempDir();
  const { registry } = machine(dir.path, "bot", join(dir.path, "registry.git"));
  assert.equal(
    await cloneCheck(dir.path, { ...registry, repoUrl: undefined }),
    `fail Cannot open the models repository ${registry.repoDir}: it does not exist`,
  );
});
