import assert from "node:assert/strict";
import { References } from "../../lib/config/sections/references.ts";
import { checkReferences } from "../../lib/doctor/reference_checks.ts";
import { TOKEN } from "../../fakes/github_server.ts";
import { IMAGES, ReferencesWorld, TEXTS } from "../helpers/references_world.ts";
import { fixedEnvironment, testContext } from "../helpers/test_context.ts";

/** What doctor says, a line for each check. */
async function diagnose(world: ReferencesWorld, env: Readonly<Record<string, string>>): Promise<string[]> {
  const context = testContext({ env: fixedEnvironment({ ...world.env, ...env }) });
  const checks = await checkReferences(context, References.parse({ primary_url: world.primary.origin }));
  return checks.map(({ status, name, detail }) => `${status} ${name}: ${detail}`);
}

Deno.test("checkReferences() checks that PRIMARY answers, and that the token may write to the repositories", async () => {
  await using world = new ReferencesWorld();
  world.primary.lastUpdated = 1_729_864_800;
  assert.deepEqual(await diagnose(world, {}), [
    `pass primary: ${world.primary.origin} answers; last change 2024-10-25T14:00:00Z`,
    `pass ${IMAGES}: can be written to`,
    `pass ${TEXTS}: can be written to`,
  ]);
  world.github.callers.set(TOKEN, { login: "reader", canWrite: false, canMakeLabels: false });
  world.primary.mode = "replica";
  const [primary, images] = await diagnose(world, {});
  assert.match(primary ?? "", /^fail primary: .*503/);
  assert.equal(images, `warn ${IMAGES}: can be read, but not written to`);
  const [, anonymous] = await diagnose(world, { HORDE_GITHUB_SYNC_GITHUB_TOKEN: "" });
  assert.equal(anonymous, `warn ${IMAGES}: can be read; no token is set`);
  assert.deepEqual(world.github.writes, []);
});

Deno.test("checkReferences() returns nothing without a PRIMARY server", async () => {
  assert.deepEqual(await checkReferences(testContext(), References.parse({})), []);
});
