import assert from "node:assert/strict";
import { UsageError } from "../../../lib/core/errors.ts";
import {
  createToken,
  listTokens,
  mayReport,
  presentedToken,
  revokeToken,
  rotateToken,
} from "../../../web/access/tokens.ts";
import { writeAll } from "../../../web/store/commit.ts";
import { keys } from "../../../web/store/keys.ts";
import { NodeRow, type TokenRow } from "../../../web/store/rows.ts";
import { TOKENS_MAX } from "../../../web/store/token_rows.ts";
import type { Web } from "../../../web/shared/web.ts";
import { type AccessWorld, accessWorld } from "../../helpers/access_world.ts";

const present = (web: Web, secret: string, kind: TokenRow["kind"] = "node") =>
  presentedToken(web, `Bearer ${secret}`, kind);

async function storedText(kv: Deno.Kv): Promise<string> {
  const entries = await Array.fromAsync(kv.list({ prefix: [] }));
  return JSON.stringify(entries.map(({ key, value }) => [key, value]));
}

async function nodeNames({ web }: AccessWorld): Promise<readonly unknown[]> {
  return await Array.fromAsync(web.kv.list({ prefix: keys.nodes() }), ({ key }) => key.at(-1));
}

Deno.test("a token's secret has 256 random bits, is returned once, and only its hash is stored", async () => {
  await using world = await accessWorld();
  const one = await createToken(world.web, "node", "bot-1");
  const other = await createToken(world.web, "node", "bot-1");
  assert.match(one.secret, /^mst_[A-Za-z0-9_-]{43}$/);
  assert.notEqual(one.secret, other.secret);
  assert.equal(await present(world.web, one.secret).then((row) => row?.id), one.row.id);
  const text = await storedText(world.web.kv);
  for (const { secret } of [one, other]) assert.ok(!text.includes(secret.slice(4)));
  assert.ok(!JSON.stringify(await listTokens(world.web.kv)).includes(one.secret));
});

Deno.test("beyond the limit of tokens none is created, and no existing one is lost", async () => {
  await using world = await accessWorld();
  const { kv } = world.web;
  const { row, secret } = await createToken(world.web, "node", "bot-1");
  const rows = Array.from({ length: TOKENS_MAX - 1 }, (_, index) => ({ ...row, id: `id-${index}` }));
  await writeAll(kv, rows.map((value) => [{ key: keys.token(value.id), value, bytes: 200 }]));
  await assert.rejects(createToken(world.web, "read", "Grafana"), { code: "TOKENS_FULL", exitCode: 2 });
  assert.equal((await present(world.web, secret))?.id, row.id);
  await revokeToken(world.web, "id-0");
  await createToken(world.web, "read", "Grafana");
});

Deno.test("only a token of the right kind is accepted", async () => {
  await using world = await accessWorld();
  const { secret } = await createToken(world.web, "node", "bot-1");
  const read = await createToken(world.web, "read", "Grafana");
  assert.equal(await present(world.web, secret, "read"), undefined);
  assert.equal(await present(world.web, read.secret, "node"), undefined);
  const headers = [
    null,
    "",
    "Bearer",
    `Basic ${secret}`,
    secret,
    `Bearer ${secret}x`,
    `Bearer ${secret.slice(0, -1)}`,
    `Bearer ${secret} ${secret}`,
    `Bearer ${secret.toUpperCase()}`,
    `Bearer mst_${"A".repeat(43)}`,
    `Bearer mst_${"A".repeat(1_000_000)}`,
  ];
  for (const header of headers) {
    assert.equal(await presentedToken(world.web, header, "node"), undefined, header?.slice(0, 80));
  }
  assert.notEqual(await presentedToken(world.web, `bearer ${secret}`, "node"), undefined);
});

Deno.test("an attacker with a node token can report for this node and its three sides, and for no other", async () => {
  await using world = await accessWorld();
  const { secret } = await createToken(world.web, "node", "bot-1");
  const token = await present(world.web, secret);
  assert.ok(token);
  for (const own of ["bot-1", "bot-1/client", "bot-1/publisher", "bot-1/references"]) {
    assert.ok(mayReport(token, own), own);
  }
  const others = [
    "bot-2",
    "bot-10",
    "bot-1x/client",
    "bot",
    "Bot-1",
    "",
    "/bot-1",
    "bot-1/",
    "bot-1//client",
    "bot-1/live",
    "bot-1/client/a",
    "bot-1/../bot-2",
    "bot-1/./client",
    "bot-1/..",
    "bot-1/ client",
    "bot-1/cli\u202eent",
    "bot-1/cli\nent",
    "bot-1\u200b",
    `bot-1/${"x".repeat(200)}`,
  ];
  for (const other of others) assert.ok(!mayReport(token, other), other);
  const read = await createToken(world.web, "read", "bot-1");
  assert.ok(!mayReport(read.row, "bot-1"));
});

Deno.test("a node token for an impossible name is rejected with the reason", async () => {
  await using world = await accessWorld();
  const names: readonly (readonly [string, RegExp])[] = [
    ["", /it is empty/],
    ["  ", /it is empty/],
    ["..", /the part "\.\."/],
    ["a/./b", /the part "\."/],
    ["a//b", /empty/],
    ["/a", /empty/],
    ["a/", /empty/],
    ["a\u0000b", /control or invisible/],
    ["a\u202eb", /control or invisible/],
    ["a\ud800", /control or invisible/],
    ["a/ b", /begins or ends with a space/],
    ["x".repeat(129), /more than 128 characters/],
  ];
  for (const [name, reason] of names) {
    const isRefusal = (error: unknown) =>
      error instanceof UsageError && error.code === "NODE_NAME_INVALID" && reason.test(error.message) &&
      !/\p{C}/u.test(error.message);
    await assert.rejects(createToken(world.web, "node", name), isRefusal, name);
  }
  await assert.rejects(createToken(world.web, "read", "\u0007 "), { code: "TOKEN_NAME_INVALID" });
  assert.deepEqual(await listTokens(world.web.kv), []);
  assert.deepEqual(await nodeNames(world), []);
  assert.equal((await createToken(world.web, "node", ` ${"x".repeat(128)} `)).row.name, "x".repeat(128));
});

Deno.test("a rotated token has a new secret, and the old one stops working immediately", async () => {
  await using world = await accessWorld();
  const old = await createToken(world.web, "node", "bot-1");
  world.clock.advance(86_400_000);
  const fresh = await rotateToken(world.web, old.row.id);
  assert.ok(fresh);
  assert.equal(await present(world.web, old.secret), undefined);
  assert.equal((await present(world.web, fresh.secret))?.name, "bot-1");
  assert.equal((await listTokens(world.web.kv)).length, 1);
  assert.notEqual(fresh.row.createdAt, old.row.createdAt);
  assert.equal(await rotateToken(world.web, "unknown"), undefined);
});

Deno.test("if two operators rotate a token at once, both get a secret and only the last one works", async () => {
  await using world = await accessWorld();
  const { row } = await createToken(world.web, "node", "bot-1");
  const rotated = await Promise.all([rotateToken(world.web, row.id), rotateToken(world.web, row.id)]);
  const valid = await Promise.all(rotated.map((token) => present(world.web, token?.secret ?? "")));
  assert.equal(valid.filter((token) => token !== undefined).length, 1);
  assert.equal((await listTokens(world.web.kv)).length, 1);
});

Deno.test("a token that is revoked while it is rotated stops working, including its new secret", async () => {
  await using world = await accessWorld();
  const { row, secret } = await createToken(world.web, "node", "bot-1");
  const [rotated] = await Promise.all([rotateToken(world.web, row.id), revokeToken(world.web, row.id)]);
  assert.equal(await present(world.web, secret), undefined);
  assert.equal(await present(world.web, rotated?.secret ?? ""), undefined);
  assert.deepEqual(await listTokens(world.web.kv), []);
});

Deno.test("a revoked token stops working immediately, even while a request records its use", async () => {
  await using world = await accessWorld();
  const { row, secret } = await createToken(world.web, "node", "bot-1");
  const [used] = await Promise.all([present(world.web, secret), revokeToken(world.web, row.id)]);
  assert.ok(used === undefined || used.id === row.id);
  assert.equal(await present(world.web, secret), undefined);
  assert.deepEqual(await listTokens(world.web.kv), []);
  assert.equal(await revokeToken(world.web, row.id), undefined);
});

Deno.test("the last use is written at most once an hour, even after the clock was set back", async () => {
  await using world = await accessWorld();
  const { row, secret } = await createToken(world.web, "read", "Grafana");
  const stampAfterUse = async () => {
    await present(world.web, secret, "read");
    const [entry] = await Array.fromAsync(world.web.kv.list({ prefix: keys.tokens() }));
    return entry?.versionstamp;
  };
  const usedAt = async () => (await listTokens(world.web.kv))[0]?.usedAt;
  assert.equal(row.usedAt, null);
  const first = await stampAfterUse();
  assert.equal(await usedAt(), "2026-11-29T12:00:00.000Z");
  world.clock.advance(59 * 60_000);
  assert.equal(await stampAfterUse(), first);
  world.clock.advance(60_000);
  assert.notEqual(await stampAfterUse(), first);
  assert.equal(await usedAt(), "2026-11-29T13:00:00.000Z");
  world.clock.advance(-86_400_000);
  await stampAfterUse();
  assert.equal(await usedAt(), "2026-11-28T13:00:00.000Z");
});

Deno.test("a token is accepted even if its use cannot be recorded, as on a full disk", async () => {
  await using world = await accessWorld();
  const { kv } = world.web;
  const { row, secret } = await createToken(world.web, "read", "Grafana");
  const begin = kv.atomic.bind(kv);
  kv.atomic = () =>
    Object.assign(begin(), { commit: () => Promise.reject(new Error("database or disk is full")) });
  assert.deepEqual(await present(world.web, secret, "read"), row);
  const failure = "warn cannot note the use of the token for Grafana: database or disk is full";
  assert.deepEqual(world.logged, [failure]);
  kv.atomic = begin;
  await present(world.web, secret, "read");
  assert.equal((await listTokens(kv))[0]?.usedAt, "2026-11-29T12:00:00.000Z");
});

Deno.test("a node with a token appears as never reported, unless it or a node below its name has", async () => {
  await using world = await accessWorld();
  const { kv } = world.web;
  await createToken(world.web, "node", "bot-1");
  const row = NodeRow.parse((await kv.get(keys.node("bot-1"))).value);
  assert.equal(row.firstReceivedAt, null);

  await kv.set(keys.node("bot-2"), { ...row, node: "bot-2", firstReceivedAt: "2026-11-01T00:00:00.000Z" });
  await kv.set(keys.node("bot-3/client"), { ...row, node: "bot-3/client" });
  for (const name of ["bot-2", "bot-3"]) await createToken(world.web, "node", name);
  assert.equal(
    NodeRow.parse((await kv.get(keys.node("bot-2"))).value).firstReceivedAt,
    "2026-11-01T00:00:00.000Z",
  );
  assert.deepEqual((await nodeNames(world)).toSorted(), ["bot-1", "bot-2", "bot-3/client"]);
});

Deno.test("a node disappears with its last token only if it has never reported", async () => {
  await using world = await accessWorld();
  const { kv } = world.web;
  const [one, other] = [
    await createToken(world.web, "node", "bot-1"),
    await createToken(world.web, "node", "bot-1"),
  ];
  await revokeToken(world.web, one.row.id);
  assert.deepEqual(await nodeNames(world), ["bot-1"]);
  await revokeToken(world.web, other.row.id);
  assert.deepEqual(await nodeNames(world), []);

  const last = await createToken(world.web, "node", "bot-1");
  const row = NodeRow.parse((await kv.get(keys.node("bot-1"))).value);
  await kv.set(keys.node("bot-1"), { ...row, firstReceivedAt: "2026-11-29T12:00:00.000Z" });
  await revokeToken(world.web, last.row.id);
  assert.deepEqual(await nodeNames(world), ["bot-1"]);
});
