import assert from "node:assert/strict";
import { ModelSync } from "../../lib/config/schema.ts";
import { type MachineUse, UNUSED } from "../../lib/status/machine_use.ts";
import { checkPublisher } from "../../lib/doctor/publisher_checks.ts";
import { machine, newTrainer, publishFrom, pullTo, registryOf } from "../helpers/machines.ts";
import { tempDir, writeFiles } from "../helpers/temp_dir.ts";
import { fixedEnvironment, testContext } from "../helpers/test_context.ts";

async function checksOf(
  settings: object,
  isConfigured: boolean,
  use: Partial<MachineUse> = {},
  modelsDir = "models",
): Promise<string[]> {
  const context = testContext({ env: fixedEnvironment({ PATH: Deno.env.get("PATH") ?? "" }) });
  const checks = await checkPublisher(
    context,
    ModelSync.parse(settings),
    isConfigured,
    { ...UNUSED, ...use },
    { modelsDir, stateDir: undefined },
  );
  assert.ok(checks.every(({ status, mend }) => status === "pass" || (mend ?? "") !== ""));
  return checks.map(({ name, status, detail }) => `${status} ${name}: ${detail}`);
}

Deno.test("checkPublisher() fails for a publisher that would train, without a training command, and warns where nothing has run", async () => {
  const missing = "publisher.train_command is not set, and train_before_push is true";
  assert.deepEqual(await checksOf({}, false, { roles: new Set(["publisher"]) }), [
    `fail training: ${missing}: a publish without --skip-training fails`,
  ]);
  assert.deepEqual(await checksOf({}, true), [
    `warn training: ${missing}: this machine can pull, but not train and publish`,
  ]);
  assert.deepEqual(await checksOf({ publisher: { train_before_push: false } }, true), [
    "pass training: off: a publish does not train",
  ]);
});

Deno.test("checkPublisher() returns nothing without the section, and on a machine that has only pulled", async () => {
  assert.deepEqual(await checksOf({}, false), []);
  assert.deepEqual(await checksOf({}, true, { neverTrains: true }), []);
});

Deno.test("checkPublisher() fails for a missing training program, and for models inside the clone", async () => {
  using dir = tempDir();
  writeFiles(dir.path, { "clone/models/a.bin": "a", "models/a.bin": "a" });
  writeFiles(dir.path, { "train.sh": "exit 0" });
  const publisher = { train_command: ["sh", `${dir.path}/train.sh`] };
  const clone = { repo_dir: `${dir.path}/clone`, publisher };
  assert.deepEqual(await checksOf({ ...clone, models_dir: `${dir.path}/models` }, true), [
    "pass training: sh is installed",
    `pass published models: ${dir.path}/models is outside of the clone`,
  ]);
  const [training, models = ""] = await checksOf({
    ...clone,
    models_dir: `${dir.path}/clone/models`,
    publisher: { train_command: ["./no-such-program"] },
  }, true);
  const script = async (...train_command: string[]) =>
    (await checksOf({ publisher: { train_command } }, true, {}, `${dir.path}/models`))[0];
  assert.equal(
    await script("sh", `${dir.path}/train.py`, "--epochs", "3"),
    `warn training: sh is installed, but its script ${dir.path}/train.py does not exist`,
  );
  assert.equal(await script("sh", "-c", "exit 0"), "pass training: sh is installed");
  assert.equal(await script("sh", `${dir.path}/models`), "pass training: sh is installed");
  assert.equal(training, 'fail training: Cannot run "./no-such-program": it is not a program');
  assert.match(models, /^fail published models: Cannot publish .*: it is inside the clone/);
});

Deno.test("checkPublisher() fails where a training would write into the active release of a pull", async () => {
  using dir = tempDir();
  const trainer = newTrainer(dir.path);
  await publishFrom(testContext(), trainer);
  const bot = machine(dir.path, "bot", registryOf(trainer));
  await pullTo(testContext(), bot);
  const trains = { publisher: { train_command: ["sh"] } };
  assert.deepEqual(await checksOf(trains, true, {}, bot.modelsDir), [
    `fail training: Cannot train into ${bot.modelsDir}: it is the active release of a pull, which is immutable`,
  ]);
  assert.deepEqual(await checksOf(trains, true, { neverTrains: true }, bot.modelsDir), []);
  const publishes = { publisher: { train_before_push: false } };
  assert.deepEqual(await checksOf(publishes, true, {}, bot.modelsDir), [
    "pass training: off: a publish does not train",
  ]);
});
