import assert from "node:assert/strict";
import { join } from "node:path";
import { createToken, presentedToken, revokeToken, rotateToken } from "../../../web/access/tokens.ts";
import { changeSettings } from "../../../web/store/settings_row.ts";
import { accessWorld, signedIn, WITH_PASSWORD } from "../../helpers/access_world.ts";
import { tempDir } from "../../helpers/temp_dir.ts";

/** Two instances, as two handles of one database file. */
async function withTwo(use: (one: Deno.Kv, other: Deno.Kv) => Promise<void>): Promise<void> {
  using folder = tempDir();
  const path = join(folder.path, "kv.sqlite3");
  const [one, other] = [await Deno.openKv(path), await Deno.openKv(path)];
  try {
    await use(one, other);
  } finally {
    one.close();
    other.close();
  }
}

Deno.test("creating, rotating and revoking a token takes effect on other instances immediately", () =>
  withTwo(async (kv, otherKv) => {
    await using one = await accessWorld({ kv });
    await using other = await accessWorld({ kv: otherKv });
    const isValid = async (secret = "") =>
      await presentedToken(other.web, `Bearer ${secret}`, "node") !== undefined;
    const created = await createToken(one.web, "node", "bot-1");
    assert.ok(await isValid(created.secret));
    const rotated = await rotateToken(one.web, created.row.id);
    assert.ok(!await isValid(created.secret));
    assert.ok(await isValid(rotated?.secret));
    await revokeToken(one.web, created.row.id);
    assert.ok(!await isValid(rotated?.secret));
  }));

Deno.test("a session works on every instance, until one of them signs everyone out", () =>
  withTwo(async (kv, otherKv) => {
    await using one = await accessWorld({ kv, env: WITH_PASSWORD });
    await using other = await accessWorld({ kv: otherKv, env: WITH_PASSWORD });
    const headers = { cookie: await signedIn(one) };
    assert.equal((await other.send("/", { headers })).status, 200);
    await other.access.signEveryoneOut();
    assert.equal((await one.send("/", { headers })).status, 303);
  }));

Deno.test("concurrent writes of instances lose no token, setting or session key", () =>
  withTwo(async (kv, otherKv) => {
    await using one = await accessWorld({ kv, env: WITH_PASSWORD });
    await using other = await accessWorld({ kv: otherKv, env: WITH_PASSWORD });
    const made = await Promise.all(
      [one, other].flatMap(({ web }) =>
        ["bot-1", "bot-2", "bot-3"].map((name) => createToken(web, "node", name))
      ),
    );
    for (const { secret } of made) {
      assert.ok(await presentedToken(one.web, `Bearer ${secret}`, "node"));
    }
    const [cookie, otherCookie] = await Promise.all([signedIn(one), signedIn(other)]);
    const settings = await Promise.all([
      changeSettings(kv, { isPublic: true }),
      changeSettings(otherKv, { retentionDays: 30 }),
    ]);
    assert.ok(settings.some(({ isPublic, retentionDays }) => isPublic && retentionDays === 30));
    for (const value of [cookie, otherCookie]) {
      const response = await other.send("/settings", { headers: { cookie: value ?? "" } });
      assert.equal(response.status, 200);
    }
  }));
