import { LiveFeed } from "../../../web/routes/live_feed.ts";
import { FleetMemory } from "../../../web/store/fleet_memory.ts";
import assert from "node:assert/strict";
import { createToken, listTokens } from "../../../web/access/tokens.ts";
import { settingsRoutes } from "../../../web/routes/settings.tsx";
import { signInRoutes } from "../../../web/routes/sign_in.tsx";
import { keys } from "../../../web/store/keys.ts";
import { changeSettings, readSettings } from "../../../web/store/settings_row.ts";
import {
  type AccessChoice,
  type AccessWorld,
  accessWorld,
  cookieOf,
  signedIn,
  WITH_PASSWORD,
} from "../../helpers/access_world.ts";

const CHOICE: AccessChoice = {
  routes: (app, access, web) => {
    app.route("/", signInRoutes({ ...web, access }));
    app.route("/", settingsRoutes({ ...web, access, live: new LiveFeed(web, new FleetMemory(web.kv)) }));
  },
};

async function pageOf({ send }: AccessWorld, path = "/settings"): Promise<string> {
  const response = await send(path);
  assert.equal(response.status, 200, path);
  return await response.text();
}

/** The result of a form: the address of the next page, or the page itself. */
async function outcomeOf(answer: Response): Promise<readonly [number, string]> {
  const text = await answer.text();
  return [answer.status, answer.headers.get("location") ?? text];
}

Deno.test("a node token is shown once, with the configuration and the variable to paste", async () => {
  await using world = await accessWorld(CHOICE);
  const [status, page] = await outcomeOf(
    await world.post("/settings/tokens", { kind: "node", name: "bot-1" }),
  );
  assert.equal(status, 200);
  const secret = /mst_[A-Za-z0-9_-]{43}/.exec(page)?.[0] ?? "";
  assert.match(page, /url: &quot;http:\/\/localhost:8080&quot;\n {4}node: &quot;bot-1&quot;/);
  assert.ok(page.includes(`export MODEL_SYNC_REPORT_TOKEN=${secret}`));

  const report = await world.send("/api/v1/events", {
    method: "POST",
    body: "[]",
    headers: { authorization: `Bearer ${secret}` },
  });
  assert.equal((await report.json()).token, "bot-1");
  const list = await pageOf(world);
  assert.ok(!list.includes(secret));
  assert.match(list, /href="\/nodes\/bot-1"/);
});

Deno.test("rotating and revoking a token asks for confirmation, without a script", async () => {
  await using world = await accessWorld(CHOICE);
  const { row, secret } = await createToken(world.web, "node", "bot-1");
  const list = await pageOf(world);
  for (const ask of ["rotate", "revoke"]) {
    const address = `/settings?ask=${ask}&token=${row.id}`;
    assert.ok(list.includes(`href="${address.replace("&", "&amp;")}"`));
    const question = await pageOf(world, address);
    assert.match(question, new RegExp(`<form[^>]* method="post" action="/settings/tokens/${ask}"`));
    assert.match(question, /bot-1/);
    assert.ok(question.includes(`name="token" value="${row.id}"`));
  }
  // The question changes nothing.
  assert.equal((await listTokens(world.web.kv)).length, 1);

  const [, rotated] = await outcomeOf(await world.post("/settings/tokens/rotate", { token: row.id }));
  assert.match(rotated, /mst_[A-Za-z0-9_-]{43}/);
  assert.ok(!rotated.includes(secret));
  assert.deepEqual(
    await outcomeOf(await world.post("/settings/tokens/revoke", { token: row.id })),
    [303, "/settings?done=revoked"],
  );
  assert.deepEqual(await listTokens(world.web.kv), []);
  assert.match(await pageOf(world, "/settings?done=revoked"), /The token was revoked\./);
  for (const form of ["rotate", "revoke"]) {
    const answer = await world.post(`/settings/tokens/${form}`, { token: row.id });
    assert.deepEqual(await outcomeOf(answer), [303, "/settings?done=gone"]);
    assert.equal((await world.send(`/settings?ask=${form}&token=${row.id}`)).status, 303);
  }
});

Deno.test("removing a node asks for confirmation, and an unknown node is reported", async () => {
  await using world = await accessWorld(CHOICE);
  await createToken(world.web, "node", "bot 1/live");
  const isKnown = async () => (await world.web.kv.get(keys.node("bot 1/live"))).versionstamp !== null;
  const question = await pageOf(world, "/settings?ask=forget&node=bot+1%2Flive");
  assert.match(question, /<form[^>]* method="post" action="\/settings\/forget-node"/);
  assert.match(question, /name="node" value="bot 1\/live"/);
  assert.ok(await isKnown());
  const answer = await world.post("/settings/forget-node", { node: "bot 1/live" });
  assert.deepEqual(await outcomeOf(answer), [303, "/settings?done=forgotten"]);
  assert.ok(!await isKnown());
  for (const node of ["bot 1/live", "", "<b>", "x".repeat(5_000)]) {
    const asked = await world.send(`/settings?ask=forget&node=${encodeURIComponent(node)}`);
    const [status, page] = await outcomeOf(asked);
    assert.equal(status, 400);
    assert.match(page, /no node has this name/);
    assert.ok(!page.includes("<b>"));
    assert.equal((await world.post("/settings/forget-node", { node })).status, 400);
  }
});

Deno.test("an impossible name is rejected with the reason, and the entry stays in the form", async () => {
  await using world = await accessWorld(CHOICE);
  const [status, page] = await outcomeOf(
    await world.post("/settings/tokens", { kind: "node", name: "a/../b<script>" }),
  );
  assert.equal(status, 400);
  assert.match(page, /role="alert"/);
  assert.match(page, /the part/);
  assert.match(page, /value="a\/\.\.\/b&lt;script>"/);
  assert.ok(!page.includes("b<script>"));
  assert.deepEqual(await listTokens(world.web.kv), []);
});

Deno.test("any name of a read token is shown as text", async () => {
  await using world = await accessWorld(CHOICE);
  const [status] = await outcomeOf(
    await world.post("/settings/tokens", { kind: "read", name: "<img src=x onerror=alert(1)>\u202e" }),
  );
  assert.equal(status, 200);
  const page = await pageOf(world);
  assert.ok(!page.includes("<img"));
  assert.match(page, /&lt;img src=x onerror=alert\(1\)>/);
});

Deno.test("the page can be made public and private, and an unclear form makes it private", async () => {
  await using world = await accessWorld(CHOICE);
  const isPublic = async () => (await readSettings(world.web.kv)).isPublic;
  const set = async (fields: Record<string, string>) =>
    await outcomeOf(await world.post("/settings/public", fields));
  assert.deepEqual(await set({ public: "on" }), [303, "/settings?done=public"]);
  assert.ok(await isPublic());
  assert.match(await pageOf(world), /Make the page private/);
  assert.deepEqual(await set({}), [303, "/settings?done=private"]);
  assert.ok(!await isPublic());
});

Deno.test("the retention is a whole number of days from 7 to 3650", async () => {
  await using world = await accessWorld(CHOICE);
  const days = async () => (await readSettings(world.web.kv)).retentionDays;
  for (const typed of ["7", "3650", " 365 "]) {
    const answer = await outcomeOf(await world.post("/settings/retention", { days: typed }));
    assert.deepEqual(answer, [303, "/settings?done=retention"]);
    assert.equal(await days(), Number(typed));
  }
  for (const typed of ["6", "3651", "", "-90", "1e3", "90.5", "0x50", "99999999999", "ninety"]) {
    const [status, page] = await outcomeOf(await world.post("/settings/retention", { days: typed }));
    assert.equal(status, 400, typed);
    assert.match(page, /Enter a whole number from 7 to 3650/);
  }
  assert.equal(await days(), 365);
});

Deno.test("concurrent changes of settings on two instances are both kept", async () => {
  await using world = await accessWorld(CHOICE);
  await Promise.all([
    world.post("/settings/public", { public: "on" }),
    world.post("/settings/retention", { days: "30" }),
  ]);
  assert.deepEqual(await readSettings(world.web.kv), { isPublic: true, retentionDays: 30 });
});

Deno.test("setting a password on the page keeps this browser signed in and signs everyone else out", async () => {
  await using world = await accessWorld(CHOICE);
  assert.match(await pageOf(world), /Set the password/);
  const form = { password: "correct horse", again: "correct horse" };
  const answer = await world.post("/settings/password", form);
  assert.deepEqual([answer.status, answer.headers.get("location")], [303, "/settings?done=password"]);
  const hash = (await readSettings(world.web.kv)).passwordHash ?? "";
  assert.match(hash, /^scrypt\$/);
  const headers = { cookie: cookieOf(answer) };
  const page = await (await world.send("/settings?done=password", { headers })).text();
  assert.match(page, /Everyone else was signed out/);
  assert.ok(!page.includes(hash));
  assert.equal((await world.send("/settings")).status, 303);

  const changed = { current: "correct horse", password: "another horse", again: "another horse" };
  const wrong = await world.post("/settings/password", { ...changed, current: "wrong" }, headers);
  assert.equal(wrong.status, 403);
  assert.equal((await readSettings(world.web.kv)).passwordHash, hash);
  const right = await world.post("/settings/password", changed, headers);
  assert.equal(right.status, 303);
  assert.equal((await world.send("/settings", { headers })).status, 303);
  assert.equal((await world.send("/settings", { headers: { cookie: cookieOf(right) } })).status, 200);
  assert.equal((await world.post("/sign-in", { password: "another horse" })).status, 303);
  assert.equal((await world.post("/sign-in", { password: "correct horse" })).status, 403);
});

Deno.test("a new password must be entered twice and be long enough", async () => {
  await using world = await accessWorld(CHOICE);
  for (
    const form of [{ password: "correct horse", again: "correct house" }, {
      password: "short",
      again: "short",
    }, {}]
  ) {
    const [status, page] = await outcomeOf(await world.post("/settings/password", form));
    assert.equal(status, 400);
    assert.match(page, /role="alert"/);
  }
  assert.equal((await readSettings(world.web.kv)).passwordHash, undefined);
});

Deno.test("a password from the environment cannot be changed on the page, which names the variable", async () => {
  await using world = await accessWorld({ ...CHOICE, env: WITH_PASSWORD });
  const headers = { cookie: await signedIn(world) };
  const page = await (await world.send("/settings", { headers })).text();
  assert.match(page, /MODEL_SYNC_DASHBOARD_PASSWORD/);
  assert.ok(!page.includes('action="/settings/password"'));
  const form = { current: "correct horse battery", password: "another horse", again: "another horse" };
  assert.equal((await world.post("/settings/password", form, headers)).headers.get("location"), "/settings");
  assert.equal((await readSettings(world.web.kv)).passwordHash, undefined);
});

Deno.test("signing everyone out asks for confirmation", async () => {
  await using world = await accessWorld({ ...CHOICE, env: WITH_PASSWORD });
  const cookie = await signedIn(world);
  const question = await world.send("/settings?ask=sign-everyone-out", { headers: { cookie } });
  assert.match(await question.text(), /action="\/settings\/sign-everyone-out"/);
  const answer = await world.post("/settings/sign-everyone-out", {}, { cookie });
  assert.deepEqual([answer.status, answer.headers.get("location")], [303, "/sign-in"]);
  assert.equal((await world.send("/settings", { headers: { cookie } })).status, 303);
});

Deno.test("no form of the settings works without a session or from another site", async () => {
  await using world = await accessWorld({ ...CHOICE, env: WITH_PASSWORD });
  const { row, secret } = await createToken(world.web, "read", "Grafana");
  const cookie = await signedIn(world);
  await changeSettings(world.web.kv, { isPublic: true });
  const before = JSON.stringify([await listTokens(world.web.kv), await readSettings(world.web.kv)]);
  const forms: readonly (readonly [string, Record<string, string>])[] = [
    ["/settings/tokens", { kind: "node", name: "bot-1" }],
    ["/settings/tokens/rotate", { token: row.id }],
    ["/settings/tokens/revoke", { token: row.id }],
    ["/settings/forget-node", { node: "bot-1" }],
    ["/settings/public", { public: "off" }],
    ["/settings/retention", { days: "30" }],
    ["/settings/password", { password: "correct horse", again: "correct horse" }],
    ["/settings/sign-everyone-out", {}],
  ];
  for (const [path, fields] of forms) {
    assert.equal((await world.post(path, fields)).status, 303, path);
    assert.equal((await world.post(path, fields, { authorization: `Bearer ${secret}` })).status, 303, path);
    assert.equal(
      (await world.post(path, fields, { cookie, origin: "https://evil.example" })).status,
      403,
      path,
    );
    assert.equal((await world.send(path, { headers: { cookie } })).status, 405, path);
  }
  assert.equal(JSON.stringify([await listTokens(world.web.kv), await readSettings(world.web.kv)]), before);
  assert.equal((await world.send("/settings", { headers: { cookie } })).status, 200);
});

Deno.test("no page of the settings has an inline style or script", async () => {
  await using world = await accessWorld(CHOICE);
  const { row } = await createToken(world.web, "node", "bot-1");
  const created = await world.post("/settings/tokens", { kind: "read", name: "Grafana" });
  const pages = [
    await pageOf(world),
    await pageOf(world, `/settings?ask=revoke&token=${row.id}`),
    await pageOf(world, "/settings?done=constructor"),
    await created.text(),
  ];
  for (const page of pages) {
    assert.doesNotMatch(page, /\sstyle=|<style|\son\w+=|javascript:|<script(?![^>]*src=)/i);
    assert.ok(!page.includes("native code"));
    // The page does not refresh: it does not change by itself, and the answer to a form cannot be fetched again.
    assert.ok(!page.includes("data-since"));
  }
});
