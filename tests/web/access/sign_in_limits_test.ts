import assert from "node:assert/strict";
import { join } from "node:path";
import { checkTypedPassword } from "../../../web/access/check_password.ts";
import { networkOf, trySignIn } from "../../../web/access/sign_in_limits.ts";
import { BusyError } from "../../../web/access/work_queue.ts";
import type { Web } from "../../../web/shared/web.ts";
import { FakeClock } from "../../helpers/fake_clock.ts";
import { tempDir } from "../../helpers/temp_dir.ts";
import { recordedLog } from "../../helpers/test_context.ts";

async function withWeb(use: (web: Web, clock: FakeClock) => Promise<void>): Promise<void> {
  const kv = await Deno.openKv(":memory:");
  const clock = new FakeClock("2026-11-29T12:00:00Z");
  try {
    await use({ kv, clock, log: recordedLog() }, clock);
  } finally {
    kv.close();
  }
}

/** Enters a wrong password `count` times. @returns how many were checked */
async function fail(web: Web, address: string, count: number): Promise<number> {
  let allowed = 0;
  for (let index = 0; index < count; index++) allowed += Number((await trySignIn(web, address)).isAllowed);
  return allowed;
}

Deno.test("an address has ten failures in a quarter of an hour, and others are not affected", () =>
  withWeb(async (web, clock) => {
    clock.advance(60_000);
    assert.equal(await fail(web, "192.0.2.1", 15), 10);
    assert.deepEqual(await trySignIn(web, "192.0.2.1"), { isAllowed: false, retryAfterSec: 14 * 60 });
    assert.ok((await trySignIn(web, "192.0.2.2")).isAllowed);
    clock.advance(14 * 60_000);
    assert.equal(await fail(web, "192.0.2.1", 15), 10);
  }));

Deno.test("all addresses together have a hundred failures an hour, and no count is stored for more", () =>
  withWeb(async (web, clock) => {
    const results = await Promise.all(
      Array.from({ length: 20 }, (_, index) => fail(web, `192.0.2.${index}`, 10)),
    );
    assert.ok(results.reduce((sum, count) => sum + count) <= 100);
    for (let index = 20; index < 60; index++) await fail(web, `192.0.2.${index}`, 10);
    const refused = await trySignIn(web, "203.0.113.1");
    assert.deepEqual(refused, { isAllowed: false, retryAfterSec: 3_600 });
    const counts = await Array.fromAsync(web.kv.list({ prefix: ["v1", "sign_ins"] }));
    assert.ok(counts.length <= 101, `${counts.length}`);
    clock.advance(3_600_000);
    assert.ok((await trySignIn(web, "203.0.113.1")).isAllowed);
  }));

Deno.test("a sign-in is put off, and not counted, while too many passwords are being checked", () =>
  withWeb(async (web) => {
    const visit = { host: "localhost", hostname: "localhost", isHttps: false, address: "192.0.2.1" };
    const busy = {
      variable: undefined,
      fingerprint: "",
      matches: () => Promise.reject(new BusyError("busy", { code: "BUSY", retryAfterMs: 4_500 })),
    };
    for (let index = 0; index < 20; index++) {
      const check = await checkTypedPassword(web, visit, busy, "typed");
      assert.deepEqual(check, { kind: "later", reason: "busy", retryAfterSec: 5 });
    }
  }));

Deno.test("a successful sign-in is not counted", () =>
  withWeb(async (web) => {
    for (let index = 0; index < 200; index++) {
      const attempt = await trySignIn(web, "192.0.2.1");
      assert.ok(attempt.isAllowed);
      await attempt.succeed();
    }
    assert.equal(await fail(web, "192.0.2.1", 15), 10);
  }));

Deno.test("concurrent attempts are counted before any password is checked", () =>
  withWeb(async (web) => {
    const tries = await Promise.all(Array.from({ length: 50 }, () => trySignIn(web, "192.0.2.1")));
    assert.ok(tries.filter(({ isAllowed }) => isAllowed).length <= 10);
  }));

Deno.test("a clock that is set back finds its old counts; one that jumps ahead locks no one out", () =>
  withWeb(async (web, clock) => {
    assert.equal(await fail(web, "192.0.2.1", 15), 10);
    clock.advance(86_400_000);
    assert.equal(await fail(web, "192.0.2.1", 15), 10);
    clock.advance(-86_400_000);
    assert.equal(await fail(web, "192.0.2.1", 15), 0);
  }));

Deno.test("two instances on one database count together", async () => {
  using folder = tempDir();
  const path = join(folder.path, "kv.sqlite3");
  const [one, other] = [await Deno.openKv(path), await Deno.openKv(path)];
  const clock = new FakeClock("2026-11-29T12:00:00Z");
  const webs = [one, other].map((kv) => ({ kv, clock, log: recordedLog() }));
  try {
    let allowed = 0;
    for (let round = 0; round < 8; round++) {
      for (const web of webs) allowed += Number((await trySignIn(web, "192.0.2.1")).isAllowed);
    }
    assert.equal(allowed, 10);
    const [first] = webs;
    assert.ok(first);
    const concurrent = await Promise.all(webs.map((web) => fail(web, "192.0.2.9", 15)));
    assert.ok(concurrent.reduce((sum, count) => sum + count) <= 10, `${concurrent}`);
  } finally {
    one.close();
    other.close();
  }
});

Deno.test("the addresses of one household count as one", () => {
  assert.equal(networkOf("192.0.2.1"), "192.0.2.1");
  assert.equal(networkOf("::ffff:192.0.2.1"), "192.0.2.1");
  assert.equal(networkOf("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::/64");
  assert.equal(networkOf("2001:0DB8:1:2::9"), "2001:db8:1:2::/64");
  assert.equal(networkOf("::1"), "0:0:0:0::/64");
  assert.equal(networkOf("fe80::1%eth0"), "fe80:0:0:0::/64");
  assert.equal(networkOf("192.0.2.1:50123"), "192.0.2.1");
  assert.equal(networkOf("[2001:db8:1:2::9]:50123"), "2001:db8:1:2::/64");
  for (const other of ["unknown", "*", "", "x".repeat(9_000), "192.0.2.1.evil.example"]) {
    assert.equal(networkOf(other), "unknown");
  }
});
