import assert from "node:assert/strict";
import { openReferencesState, type ReferencesScope } from "../../lib/references/references_state.ts";
import { tempDir } from "../helpers/temp_dir.ts";
import { testContext } from "../helpers/test_context.ts";

const SCOPE: ReferencesScope = {
  primaryUrl: "http://localhost:19800",
  repositories: [
    "Haidra-Org/AI-Horde-image-model-reference@main",
    "Haidra-Org/AI-Horde-text-model-reference@main",
  ],
  categories: [],
};

/** Opens the state of a scope, as after a restart. */
async function open(folder: string, scope: Partial<ReferencesScope> = {}, isReadOnly = false) {
  const context = testContext();
  const state = await openReferencesState(context, { folder, scope: { ...SCOPE, ...scope }, isReadOnly });
  return { state, log: context.log.lines };
}

Deno.test("the stored timestamp, also null, is found after a restart; before the first sync there is none", async () => {
  using dir = tempDir();
  const { state } = await open(`${dir.path}/store`);
  assert.deepEqual(state.find(), { timestamp: undefined, isComplete: true });
  for (const timestamp of [null, 1_729_864_800, 5]) {
    for (const isComplete of [true, false]) {
      state.remember(timestamp, isComplete);
      assert.deepEqual((await open(`${dir.path}/store`)).state.find(), { timestamp, isComplete });
    }
  }
});

Deno.test("another server, repository or choice of categories has its own state; other spellings share it", async () => {
  using dir = tempDir();
  const { state } = await open(dir.path, { categories: ["clip", "lora"] });
  state.remember(7, true);
  const others: readonly Partial<ReferencesScope>[] = [
    { categories: ["clip", "lora"], primaryUrl: "http://localhost:19801" },
    { categories: ["clip", "lora"], repositories: ["you/fork@main"] },
    { categories: ["clip"] },
    { categories: [] },
  ];
  for (const scope of others) assert.equal((await open(dir.path, scope)).state.find().timestamp, undefined);
  const same = { categories: ["lora", "clip"], primaryUrl: "http://localhost:19800/api/" } as const;
  assert.equal((await open(dir.path, same)).state.find().timestamp, 7);
});

Deno.test("a damaged file is logged, everything is compared once more, and the file is replaced", async () => {
  using dir = tempDir();
  (await open(dir.path)).state.remember(7, true);
  const [file] = Deno.readDirSync(`${dir.path}/references`);
  const path = `${dir.path}/references/${file?.name}`;
  for (const text of ["", "{", '{"schema": 1}', '{"schema": 2, "last_updated": 7}']) {
    Deno.writeTextFileSync(path, text);
    const { state, log } = await open(dir.path);
    assert.equal(state.find().timestamp, null);
    assert.match(log.join("\n"), /^warn .*\.json is damaged: comparing everything once more, /);
  }
  (await open(dir.path)).state.remember(8, true);
  assert.equal((await open(dir.path)).state.find().timestamp, 8);
});

Deno.test("the state of an earlier version counts as complete", async () => {
  using dir = tempDir();
  (await open(dir.path)).state.remember(7, true);
  const [file] = Deno.readDirSync(`${dir.path}/references`);
  const path = `${dir.path}/references/${file?.name}`;
  const { complete: _, ...earlier } = JSON.parse(Deno.readTextFileSync(path));
  Deno.writeTextFileSync(path, JSON.stringify(earlier));
  assert.deepEqual((await open(dir.path)).state.find(), { timestamp: 7, isComplete: true });
});

Deno.test("a dry run reads the stored state, and writes nothing", async () => {
  using dir = tempDir();
  const folder = `${dir.path}/store`;
  (await open(folder, {}, true)).state.remember(7, true);
  assert.throws(() => Deno.statSync(folder), Deno.errors.NotFound);
  (await open(folder)).state.remember(7, true);
  const { state } = await open(folder, {}, true);
  state.remember(8, true);
  assert.equal(state.find().timestamp, 7);
});
