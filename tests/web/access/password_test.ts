import assert from "node:assert/strict";
import fc from "fast-check";
import { anyText } from "./any_text.ts";
import { UsageError } from "../../../lib/core/errors.ts";
import { mayListen, passwordOfEnvironment, passwordOfSettings } from "../../../web/access/password_source.ts";
import { hashPassword, isPassword, parsePasswordHash } from "../../../web/access/password_hash.ts";
import { BusyError, WorkQueue } from "../../../web/access/work_queue.ts";
import { fixedEnvironment } from "../../helpers/test_context.ts";

const SALT = "A".repeat(22);
const HASH = "A".repeat(43);

Deno.test("only the right password matches a hash, in any Unicode form", async () => {
  const text = await hashPassword("caf\u00e9 au lait");
  assert.match(text, /^scrypt\$32768\$8\$3\$[\w-]{22}\$[\w-]{43}$/);
  assert.notEqual(await hashPassword("caf\u00e9 au lait"), text);
  const hash = parsePasswordHash(text);
  assert.ok(hash);
  assert.ok(await isPassword("cafe\u0301 au lait", hash));
  for (const wrong of ["cafe au lait", "x".repeat(1_000_000)]) {
    assert.ok(!await isPassword(wrong, hash), wrong.slice(0, 20));
  }
});

Deno.test("a password has 8 to 256 characters", async () => {
  await assert.rejects(hashPassword("1234567"), { code: "PASSWORD_TOO_SHORT" });
  await assert.rejects(hashPassword("x".repeat(257)), { code: "PASSWORD_TOO_LONG" });
  await assert.rejects(hashPassword(""), UsageError);
  assert.ok(parsePasswordHash(await hashPassword("12345678")));
});

Deno.test("a stored hash that needs too much memory or work, or is too weak, is not used", () => {
  const parse = (...parts: readonly unknown[]) => parsePasswordHash(["scrypt", ...parts].join("$"));
  assert.ok(parse(32_768, 8, 3, SALT, HASH));
  assert.ok(parse(16_384, 8, 1, SALT, HASH));
  assert.ok(parse(65_536, 8, 6, SALT, HASH));
  const refused = [
    [131_072, 8, 1, SALT, HASH],
    [9_999_999, 8, 1, SALT, HASH],
    [8_192, 8, 1, SALT, HASH],
    [32_769, 8, 1, SALT, HASH],
    [0, 8, 1, SALT, HASH],
    [32_768, 16, 1, SALT, HASH],
    [32_768, 1, 1, SALT, HASH],
    [32_768, 8, 0, SALT, HASH],
    [32_768, 8, 7, SALT, HASH],
    [32_768, 8, 99, SALT, HASH],
    [-32_768, 8, 1, SALT, HASH],
    ["3.2768e4", 8, 1, SALT, HASH],
    [32_768, 8, 1, "AAAA", HASH],
    [32_768, 8, 1, SALT, "AAAA"],
    [32_768, 8, 1, SALT, ""],
    [32_768, 8, 1, "A".repeat(100), "A".repeat(100)],
    [32_768, 8, 1, SALT, `${HASH}=`],
    [32_768, 8, 1, SALT, HASH, ""],
    [32_768, 8, 1, SALT],
  ];
  for (const parts of refused) assert.equal(parse(...parts), undefined, parts.join("$"));
  assert.equal(parsePasswordHash(`argon2$32768$8$1$${SALT}$${HASH}`), undefined);
});

Deno.test("any text is either not a hash or a hash within the bounds", () => {
  const near = fc.tuple(
    fc.constantFrom("scrypt", "scrypt ", "bcrypt"),
    fc.oneof(fc.nat(), fc.constantFrom(16_384, 32_768, 65_536)),
    fc.oneof(fc.nat(), fc.constant(8)),
    fc.nat(12),
    fc.base64String({ maxLength: 120 }),
    fc.base64String({ maxLength: 120 }),
  ).map((parts) => parts.join("$").replace(/=/g, ""));
  fc.assert(fc.property(fc.oneof(near, anyText), (text) => {
    const hash = parsePasswordHash(text);
    if (hash === undefined) return;
    assert.ok(128 * hash.N * hash.r * hash.p <= 6 * 64 * 1024 * 1024);
    assert.ok(hash.salt.length >= 16 && hash.hash.length >= 32 && hash.hash.length <= 64);
  }));
});

Deno.test("the environment's hash takes precedence over its password, and an empty variable counts as not set", async () => {
  const text = `scrypt$16384$8$1$${SALT}$${HASH}`;
  const source = (variables: Record<string, string>) => passwordOfEnvironment(fixedEnvironment(variables));
  assert.equal(source({}), undefined);
  const short = source({ MODEL_SYNC_DASHBOARD_PASSWORD: "horse" });
  assert.match(
    short?.kind === "broken" ? short.fault : "",
    /^the password in MODEL_SYNC_DASHBOARD_PASSWORD is unusable: it has fewer than \d+ characters; use several words/,
  );
  assert.equal(
    source({ MODEL_SYNC_DASHBOARD_PASSWORD: "", MODEL_SYNC_DASHBOARD_PASSWORD_HASH: " " }),
    undefined,
  );
  const both = source({
    MODEL_SYNC_DASHBOARD_PASSWORD_HASH: ` ${text}\n`,
    MODEL_SYNC_DASHBOARD_PASSWORD: "correct horse",
  });
  assert.ok(both?.kind === "set");
  assert.equal(both.password.variable, "MODEL_SYNC_DASHBOARD_PASSWORD_HASH");
  assert.ok(!await both.password.matches("correct horse"));

  const plain = source({ MODEL_SYNC_DASHBOARD_PASSWORD: "correct horse\n" });
  assert.ok(plain?.kind === "set");
  assert.ok(await plain.password.matches("correct horse"));
  assert.ok(!await plain.password.matches("correct horse\n") && !await plain.password.matches(""));
  assert.ok(!JSON.stringify(plain).includes("horse"));
});

Deno.test("different passwords have different fingerprints, and a password has the same one on every instance", () => {
  const of = (password: string) => {
    const source = passwordOfEnvironment(fixedEnvironment({ MODEL_SYNC_DASHBOARD_PASSWORD: password }));
    return source?.kind === "set" ? source.password.fingerprint : undefined;
  };
  assert.ok(of("correct horse"));
  assert.equal(of("correct horse"), of("correct horse"));
  assert.notEqual(of("correct horse"), of("correct hors"));
});

Deno.test("the dashboard listens on reachable addresses only with a password", () => {
  const none = passwordOfSettings(undefined);
  for (const own of ["127.0.0.1", "127.1.2.3", "localhost", "::1", "[::1]"]) mayListen(own, none);
  const reachable = [
    "0.0.0.0",
    "::",
    "192.0.2.1",
    "models.example",
    "127.0.0.1.evil.example",
    "127.1",
    "::ffff:192.0.2.1",
    "localhost.example",
    "",
  ];
  const set = passwordOfSettings(`scrypt$16384$8$1$${SALT}$${HASH}`);
  for (const hostname of reachable) {
    assert.throws(
      () => mayListen(hostname, none),
      (error) =>
        error instanceof UsageError && error.exitCode === 2 && /--set-password/.test(error.hint ?? ""),
      hostname,
    );
    mayListen(hostname, set);
  }
  assert.throws(() => mayListen("127.0.0.1", passwordOfSettings("damaged")), { code: "PASSWORD_UNUSABLE" });
});

/** Runs all pending microtasks. */
async function everyStep(): Promise<void> {
  for (let step = 0; step < 20; step++) await Promise.resolve();
}

Deno.test("of many concurrent sign-ins, two are checked, sixteen wait in order, and the rest are rejected", async () => {
  const queue = new WorkQueue({ runningMax: 2, waitingMax: 16 });
  const started: number[] = [];
  const ends: (() => void)[] = [];
  const work = Array.from({ length: 20 }, (_, index) =>
    queue.run(async () => {
      started.push(index);
      await new Promise<void>((resolve) => ends.push(resolve));
      if (index === 1) throw new Error("failed");
    }));
  const outcomes = Promise.allSettled(work);
  await everyStep();
  assert.deepEqual(started, [0, 1]);
  for (let index = 0; index < 18; index++) {
    ends[index]?.();
    await everyStep();
    assert.deepEqual(started.length, Math.min(18, index + 3));
  }
  const settled = await outcomes;
  const isBusy = (result?: PromiseSettledResult<void>) =>
    result?.status === "rejected" && result.reason instanceof BusyError &&
    result.reason.retryAfterMs === 5_000;
  assert.ok(isBusy(settled[18]) && isBusy(settled[19]));
  assert.deepEqual(settled.filter(({ status }) => status === "fulfilled").length, 17);
  assert.deepEqual(started, Array.from({ length: 18 }, (_, index) => index));
});
