import assert from "node:assert/strict";
import fc from "fast-check";
import { anyText } from "./any_text.ts";
import { hashPassword } from "../../../web/access/password_hash.ts";
import {
  newSession,
  openSession,
  renewedSession,
  sealSession,
  type Session,
  sessionLeftMs,
} from "../../../web/access/session.ts";
import { ensureSessionKey } from "../../../web/store/session_key.ts";
import { changeSettings } from "../../../web/store/settings_row.ts";
import {
  type AccessWorld,
  accessWorld,
  cookieOf,
  signedIn,
  WITH_PASSWORD,
} from "../../helpers/access_world.ts";

const DAY_MS = 86_400_000;
const NOW = new Date("2026-11-29T12:00:00Z");
const SECRETS = { key: new Uint8Array(32).fill(7), fingerprint: "password" };
const later = (ms: number) => new Date(NOW.getTime() + ms);

async function isOperator({ send }: AccessWorld, cookie: string, page = "/"): Promise<boolean> {
  const response = await send(page, { headers: { cookie } });
  await response.body?.cancel();
  return response.status === 200;
}

Deno.test("a session lasts seven days without a visit, and thirty days with visits", () => {
  let session: Session = newSession(NOW);
  const isOpen = (ms: number) => openSession(SECRETS, sealSession(SECRETS, session), later(ms)) !== undefined;
  assert.ok(isOpen(0) && isOpen(7 * DAY_MS - 1_000));
  assert.ok(!isOpen(7 * DAY_MS) && !isOpen(365 * DAY_MS));
  for (let day = 1; day < 30; day++) {
    const renewed = renewedSession(session, later(day * DAY_MS));
    assert.ok(renewed && isOpen(day * DAY_MS), `day ${day}`);
    session = renewed;
  }
  assert.ok(isOpen(30 * DAY_MS - 1_000) && !isOpen(30 * DAY_MS));
  assert.equal(sessionLeftMs(session, later(29 * DAY_MS)), DAY_MS);
});

Deno.test("a session from the future is rejected, because a wrong clock made it", () => {
  const value = sealSession(SECRETS, newSession(NOW));
  assert.ok(openSession(SECRETS, value, later(-4 * 60_000)));
  assert.equal(openSession(SECRETS, value, later(-6 * 60_000)), undefined);
});

Deno.test("changing any character of a cookie invalidates the session", () => {
  const value = sealSession(SECRETS, newSession(NOW));
  assert.ok(openSession(SECRETS, value, NOW));
  for (let index = 0; index < value.length; index++) {
    for (const char of ["A", "B", "0", "1", "-", "_", ".", "=", " "]) {
      if (value[index] === char) continue;
      const forged = value.slice(0, index) + char + value.slice(index + 1);
      assert.equal(openSession(SECRETS, forged, NOW), undefined, forged);
    }
  }
});

Deno.test("parts of two cookies cannot be combined", () => {
  const old = sealSession(SECRETS, { id: "A".repeat(22), signedInAtMs: 0, seenAtMs: 0 }).split(".");
  const fresh = sealSession(SECRETS, newSession(NOW)).split(".");
  const count = 2 ** fresh.length;
  for (let choice = 1; choice < count - 1; choice++) {
    const mixed = fresh.map((part, index) => (choice >> index) & 1 ? part : old[index]).join(".");
    const isFresh = mixed === fresh.join(".");
    assert.equal(openSession(SECRETS, mixed, NOW) !== undefined, isFresh, mixed);
  }
});

Deno.test("another key or another password gives another signature", () => {
  const value = sealSession(SECRETS, newSession(NOW));
  assert.equal(openSession({ ...SECRETS, key: new Uint8Array(32) }, value, NOW), undefined);
  assert.equal(openSession({ ...SECRETS, fingerprint: "other" }, value, NOW), undefined);
});

Deno.test("only a sealed session opens, and every sealed session does", () => {
  const shaped = fc.tuple(
    fc.stringMatching(/^[A-Za-z0-9_-]{22}$/),
    fc.nat(99_999_999_999),
    fc.nat(99_999_999_999),
    fc.stringMatching(/^[A-Za-z0-9_-]{43}$/),
  ).map(([id, signedIn, seen, signature]) => `v1.${id}.${signedIn}.${seen}.${signature}`);
  fc.assert(fc.property(fc.oneof(anyText, shaped), (text) => {
    assert.equal(openSession(SECRETS, text, NOW), undefined);
  }));
  fc.assert(fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), fc.string(), (key, fingerprint) => {
    const session = newSession(NOW);
    assert.deepEqual(
      openSession({ key, fingerprint }, sealSession({ key, fingerprint }, session), NOW),
      session,
    );
  }));
});

Deno.test("over HTTPS the cookie is bound to the host; scripts never read it", async () => {
  await using world = await accessWorld({ env: WITH_PASSWORD });
  const visit = { host: "models.example", hostname: "models.example", isHttps: true, address: "192.0.2.7" };
  const secure = await world.access.sessionCookie(visit);
  assert.match(
    secure,
    /^__Host-model_sync_session=v1\.[\w.-]+; Path=\/; Max-Age=604800; HttpOnly; SameSite=Lax; Secure$/,
  );
  const plain = await world.access.sessionCookie({ ...visit, isHttps: false });
  assert.match(plain, /^model_sync_session=[\w.-]+; Path=\/; Max-Age=604800; HttpOnly; SameSite=Lax$/);
  const pair = secure.split(";")[0] ?? "";
  assert.ok(await isOperator(world, pair, "https://models.example/"));
  assert.ok(!await isOperator(world, pair, "http://models.example/"));
  // A page on HTTP can also set the cookie without the prefix for HTTPS.
  const value = pair.slice(pair.indexOf("=") + 1);
  assert.ok(!await isOperator(world, `model_sync_session=${value}`, "https://models.example/"));
});

Deno.test("a visit renews the cookie at most once an hour", async () => {
  await using world = await accessWorld({ env: WITH_PASSWORD });
  const cookie = await signedIn(world);
  const visit = () => world.send("/", { headers: { cookie } });
  world.clock.advance(59 * 60_000);
  assert.deepEqual((await visit()).headers.getSetCookie(), []);
  world.clock.advance(6 * DAY_MS);
  const renewed = await visit();
  assert.equal(renewed.headers.getSetCookie().length, 1);
  world.clock.advance(2 * DAY_MS);
  assert.ok(!await isOperator(world, cookie));
  assert.ok(await isOperator(world, cookieOf(renewed)));
});

Deno.test("another cookie of the same name neither signs out nor signs in", async () => {
  await using world = await accessWorld({ env: WITH_PASSWORD });
  const cookie = await signedIn(world);
  assert.ok(await isOperator(world, `model_sync_session=forged; a=b; ${cookie}`));
  assert.ok(!await isOperator(world, "model_sync_session=forged; model_sync_session="));
  assert.ok(!await isOperator(world, `x${cookie}`));
});

Deno.test("signing everyone out, and a new password, end every session on every instance", async () => {
  await using one = await accessWorld();
  const firstHash = await hashPassword("the first password");
  await changeSettings(one.web.kv, { passwordHash: firstHash });
  await using other = await accessWorld({ kv: one.web.kv });
  const cookie = await signedIn(one);
  assert.ok(await isOperator(other, cookie));
  await changeSettings(one.web.kv, { passwordHash: await hashPassword("the first password") });
  assert.ok(!await isOperator(other, cookie), "the same password with another salt is another password");
  await changeSettings(one.web.kv, { passwordHash: firstHash });
  assert.ok(await isOperator(other, cookie));
  await one.access.signEveryoneOut();
  assert.ok(!await isOperator(other, cookie));
  assert.ok(await isOperator(other, await signedIn(one)));
});

Deno.test("instances that start at once use one session key", async () => {
  await using world = await accessWorld();
  const made = await Promise.all(Array.from({ length: 5 }, () => ensureSessionKey(world.web.kv)));
  assert.equal(new Set(made.map((key) => key.toHex())).size, 1);
  assert.equal(made[0]?.length, 32);
  await world.web.kv.set(["v1", "session_key"], "damaged");
  assert.equal((await ensureSessionKey(world.web.kv)).length, 32);
});
