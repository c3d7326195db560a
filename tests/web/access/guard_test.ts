import assert from "node:assert/strict";
import { createToken } from "../../../web/access/tokens.ts";
import { changeSettings } from "../../../web/store/settings_row.ts";
import { type AccessWorld, accessWorld, signedIn, WITH_PASSWORD } from "../../helpers/access_world.ts";

const PAGES = ["/", "/nodes/bot-1", "/releases", "/incidents"];
const APIS = ["/api/v1/fleet", "/api/v1/nodes/bot-1", "/api/v1/live", "/status.json", "/badge/bot-1.svg"];
const PRIVATE = [
  "/runs/x?node=bot-1",
  "/pull-requests",
  "/settings",
  "/no-such-page",
  "/nodes",
  "http://localhost:8080//",
];
const PRIVATE_APIS = ["/api/v1/runs/x", "/metrics", "/api/v1/no-such", "/api/v2/fleet", "/badge/"];

async function viewerAt(
  world: AccessWorld,
  path: string,
  headers: Record<string, string> = {},
): Promise<unknown> {
  const response = await world.send(path, { headers });
  if (response.status !== 200) {
    await response.body?.cancel();
    return response.status;
  }
  return (await response.json()).viewer;
}

Deno.test("without a password, every visitor on the machine itself is an operator", async () => {
  await using world = await accessWorld();
  for (const path of [...PAGES, ...APIS, ...PRIVATE, ...PRIVATE_APIS]) {
    assert.equal(await viewerAt(world, path), "operator", path);
  }
});

Deno.test("with a password, people are sent to the sign-in page and programs get 401", async () => {
  await using world = await accessWorld({ env: WITH_PASSWORD });
  for (const path of [...PAGES, ...PRIVATE]) assert.equal(await viewerAt(world, path), 303, path);
  for (const path of [...APIS, ...PRIVATE_APIS]) assert.equal(await viewerAt(world, path), 401, path);

  const page = await world.send("/nodes/bot%201?tab=runs");
  assert.equal(page.headers.get("location"), "/sign-in?next=%2Fnodes%2Fbot%25201%3Ftab%3Druns");
  assert.equal((await world.send("/")).headers.get("location"), "/sign-in");
  const api = await world.send("/api/v1/fleet");
  assert.equal(api.headers.get("www-authenticate"), "Bearer");
  assert.equal((await api.json()).error.code, "SIGN_IN_NEEDED");
});

Deno.test("addresses that reveal nothing about the fleet are open to everyone, even before a password is set", async () => {
  for (const choice of [{ env: WITH_PASSWORD }, { isLoopback: false, isDeploy: true }]) {
    await using world = await accessWorld(choice);
    for (const path of ["/healthz", "/static/style.css", "/favicon.svg", "/api/v1/openapi.json"]) {
      assert.equal(await viewerAt(world, path), "public", path);
    }
  }
});

Deno.test("a public dashboard shows its public pages as such, and nothing else", async () => {
  await using world = await accessWorld({ env: WITH_PASSWORD });
  await changeSettings(world.web.kv, { isPublic: true });
  for (const path of [...PAGES, ...APIS]) assert.equal(await viewerAt(world, path), "public", path);
  for (const path of PRIVATE) assert.equal(await viewerAt(world, path), 303, path);
  for (const path of PRIVATE_APIS) assert.equal(await viewerAt(world, path), 401, path);
  assert.equal(await viewerAt(world, "/", { cookie: await signedIn(world) }), "operator");
});

Deno.test("a session opens everything; a read token everything but the settings", async () => {
  await using world = await accessWorld({ env: WITH_PASSWORD });
  const cookie = await signedIn(world);
  const { secret } = await createToken(world.web, "read", "Grafana");
  const authorization = `Bearer ${secret}`;
  for (const path of [...PAGES, ...APIS, ...PRIVATE, ...PRIVATE_APIS]) {
    assert.equal(await viewerAt(world, path, { cookie }), "operator", path);
    const expected = path === "/settings" ? 303 : "operator";
    assert.equal(await viewerAt(world, path, { authorization }), expected, path);
  }
});

Deno.test("only a session can be signed out of", async () => {
  await using world = await accessWorld({ env: WITH_PASSWORD });
  const { secret } = await createToken(world.web, "read", "Grafana");
  const isSignedIn = async (headers: Record<string, string>) =>
    (await (await world.send("/", { headers })).json()).signedIn;
  assert.equal(await isSignedIn({ cookie: await signedIn(world) }), true);
  assert.equal(await isSignedIn({ authorization: `Bearer ${secret}` }), false);
  await using own = await accessWorld();
  assert.equal((await (await own.send("/")).json()).signedIn, false);
});

Deno.test("an invalid token is rejected, even on a public page and with a session", async () => {
  await using world = await accessWorld({ env: WITH_PASSWORD });
  await changeSettings(world.web.kv, { isPublic: true });
  const { secret } = await createToken(world.web, "node", "bot-1");
  for (const token of [secret, "wrong", ""]) {
    const headers = { authorization: `Bearer ${token}`, cookie: await signedIn(world) };
    assert.equal(await viewerAt(world, "/api/v1/fleet", headers), 401, token);
  }
  // A proxy in front may have its own sign-in.
  assert.equal(await viewerAt(world, "/", { authorization: "Basic eDp5" }), "public");
});

Deno.test("reports need a node token, whatever cookie they have", async () => {
  for (const env of [{}, WITH_PASSWORD]) {
    await using world = await accessWorld({ env });
    const post = (headers: Record<string, string>) =>
      world.send("/api/v1/events", { method: "POST", body: "[]", headers });
    const { secret } = await createToken(world.web, "node", "bot-1");
    const read = await createToken(world.web, "read", "Grafana");
    const refused = await post({ authorization: `Bearer ${read.secret}` });
    assert.equal(refused.status, 401);
    assert.equal((await refused.json()).error.code, "TOKEN_INVALID");
    assert.equal((await post({})).status, 401);
    if (env === WITH_PASSWORD) assert.equal((await post({ cookie: await signedIn(world) })).status, 401);

    const taken = await post({ authorization: `Bearer ${secret}` });
    const { token, viewer, body } = await taken.json();
    assert.deepEqual([taken.status, token, viewer, body], [200, "bot-1", "public", "[]"]);
  }
});

Deno.test("addresses accept only their methods, and name them", async () => {
  await using world = await accessWorld();
  const cases: readonly (readonly [string, string, string])[] = [
    ["POST", "/", "GET, HEAD"],
    ["DELETE", "/settings", "GET, HEAD, POST"],
    ["PUT", "/sign-in", "GET, HEAD, POST"],
    ["OPTIONS", "/api/v1/events", "POST"],
    ["GET", "/api/v1/events", "POST"],
    ["GET", "/sign-out", "POST"],
    ["GET", "/settings/password", "POST"],
    ["PROPFIND", "/nodes/x", "GET, HEAD"],
    ["PATCH", "/healthz", "GET, HEAD"],
  ];
  for (const [method, path, allow] of cases) {
    const response = await world.send(path, { method });
    assert.equal(response.status, 405, `${method} ${path}`);
    assert.equal(response.headers.get("allow"), allow);
    assert.equal(response.headers.get("access-control-allow-origin"), null);
    await response.body?.cancel();
  }
});

Deno.test("a dashboard that other machines can reach answers 503 without a password, and names the setting", async () => {
  for (const isDeploy of [true, false]) {
    await using world = await accessWorld({ isLoopback: false, isDeploy });
    const { secret } = await createToken(world.web, "node", "bot-1");
    const page = await world.send("/");
    assert.equal(page.status, 503);
    const text = await page.text();
    assert.match(text, isDeploy ? /console\.deno\.com/ : /--set-password/);
    assert.match(text, /MODEL_SYNC_DASHBOARD_PASSWORD/);
    for (const path of ["/sign-in", "/settings", "/api/v1/fleet", "/badge/bot-1.svg"]) {
      assert.equal(await viewerAt(world, path), 503, path);
    }
    const report = await world.send("/api/v1/events", {
      method: "POST",
      body: "[]",
      headers: { authorization: `Bearer ${secret}` },
    });
    assert.equal(report.status, 503);
    assert.equal(await viewerAt(world, "/healthz"), "public");
  }
});

Deno.test("an unusable password admits no one, not even on the machine itself", async () => {
  const unusable = [
    { MODEL_SYNC_DASHBOARD_PASSWORD_HASH: "scrypt$32768$8" },
    { MODEL_SYNC_DASHBOARD_PASSWORD_HASH: "$2b$10$abc", MODEL_SYNC_DASHBOARD_PASSWORD: "long enough" },
    { MODEL_SYNC_DASHBOARD_PASSWORD: "short" },
    { MODEL_SYNC_DASHBOARD_PASSWORD: "two\nlines of it" },
  ];
  for (const env of unusable) {
    await using world = await accessWorld({ env });
    const response = await world.send("/");
    assert.equal(response.status, 503);
    const text = await response.text();
    assert.match(text, /MODEL_SYNC_DASHBOARD_PASSWORD/);
    for (const secret of Object.values(env)) assert.ok(!text.includes(secret), text);
  }
  await using world = await accessWorld();
  await changeSettings(world.web.kv, { passwordHash: "scrypt$1$8$1$AAAA$AAAA" });
  assert.equal(await viewerAt(world, "/"), 503);
});

Deno.test("unreadable settings admit no one, and the log has the reason", async () => {
  await using world = await accessWorld();
  await world.web.kv.set(["v1", "settings"], { isPublic: "yes" });
  const response = await world.send("/api/v1/fleet");
  assert.equal(response.status, 503);
  assert.equal((await response.json()).error.code, "DATABASE_UNAVAILABLE");
  assert.match(world.logged.join("\n"), /cannot check a request/);
});
