import assert from "node:assert/strict";
import { createToken } from "../../../web/access/tokens.ts";
import { changeSettings } from "../../../web/store/settings_row.ts";
import { FakeClock } from "../../helpers/fake_clock.ts";
import { accessWorld, signedIn, WITH_PASSWORD } from "../../helpers/access_world.ts";

const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
  "form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

Deno.test("every answer has the security headers: pages, redirects, refusals, missing pages and faults", async () => {
  await using world = await accessWorld({
    env: WITH_PASSWORD,
    routes: (app) => {
      app.get("/healthz", () => Response.redirect("http://localhost:8080/elsewhere"));
      app.get("/static/broken", () => {
        throw new Error("broken");
      });
      app.onError((_error, c) => c.text("failed", 500));
    },
  });
  const paths = ["/sign-in", "/", "/api/v1/fleet", "/healthz", "/static/broken", "/static/none"];
  const statuses = new Set<number>();
  for (const path of paths) {
    const response = await world.send(path);
    statuses.add(response.status);
    const header = (name: string) => response.headers.get(name);
    assert.equal(header("content-security-policy"), POLICY, path);
    assert.equal(header("x-content-type-options"), "nosniff");
    assert.equal(header("referrer-policy"), "same-origin");
    assert.match(header("permissions-policy") ?? "", /camera=\(\)/);
    assert.equal(header("cross-origin-opener-policy"), "same-origin");
    assert.equal(header("cross-origin-resource-policy"), "same-origin");
    assert.equal(header("x-frame-options"), "DENY");
    assert.equal(header("cache-control"), "no-store");
    assert.equal(header("strict-transport-security"), null);
    await response.body?.cancel();
  }
  assert.deepEqual([...statuses].sort(), [200, 302, 303, 401, 500]);
  const bad = await world.send("/", { method: "POST" });
  assert.equal(bad.headers.get("content-security-policy"), POLICY);
  const https = await world.send("https://models.example/sign-in");
  assert.equal(https.headers.get("strict-transport-security"), "max-age=31536000");
});

Deno.test("only answers whose handler allows caching may be cached", async () => {
  await using world = await accessWorld({
    routes: (app) => {
      app.get(
        "/static/style.css",
        () => new Response("", { headers: { "cache-control": "public, max-age=60" } }),
      );
    },
  });
  assert.equal((await world.send("/static/style.css")).headers.get("cache-control"), "public, max-age=60");
  assert.equal((await world.send("/")).headers.get("cache-control"), "no-store");
});

Deno.test("shared caches keep no answer for people who are signed in", async () => {
  await using world = await accessWorld({
    env: WITH_PASSWORD,
    routes: (app) => {
      for (
        const [path, caching] of [["a", "public, max-age=60"], ["b", "max-age=60"], [
          "c",
          "private, no-cache",
        ]]
      ) {
        app.get(`/nodes/${path}`, () => new Response("", { headers: { "cache-control": caching ?? "" } }));
      }
    },
  });
  await changeSettings(world.web.kv, { isPublic: true });
  const cachingOf = async (path: string, cookie = "") =>
    (await world.send(path, { headers: { cookie } })).headers.get("cache-control");
  const cookie = await signedIn(world);
  assert.equal(await cachingOf("/nodes/a", cookie), "private, max-age=60");
  assert.equal(await cachingOf("/nodes/b", cookie), "private, max-age=60");
  assert.equal(await cachingOf("/nodes/c", cookie), "private, no-cache");
  assert.equal(await cachingOf("/nodes/a"), "public, max-age=60");
});

Deno.test("other sites may embed a public badge, but no other answer", async () => {
  await using world = await accessWorld({ env: WITH_PASSWORD });
  await changeSettings(world.web.kv, { isPublic: true });
  const policyOf = async (path: string, cookie = "") =>
    (await world.send(path, { headers: { cookie } })).headers.get("cross-origin-resource-policy");
  assert.equal(await policyOf("/badge/bot-1.svg"), "cross-origin");
  assert.equal(await policyOf("/badge/bot-1.svg", await signedIn(world)), "same-origin");
  assert.equal(await policyOf("/api/v1/fleet"), "same-origin");
});

/** An endless body in chunks that counts what was read. */
function endless(piece: Uint8Array<ArrayBuffer>) {
  const seen = { bytes: 0, isCancelled: false };
  const body = new ReadableStream<Uint8Array<ArrayBuffer>>({
    pull(controller) {
      seen.bytes += piece.length;
      controller.enqueue(piece);
    },
    cancel() {
      seen.isCancelled = true;
    },
  }, { highWaterMark: 0 });
  return { body, seen };
}

Deno.test("a body that is too long gets 413, whatever its Content-Length", async () => {
  await using world = await accessWorld({ env: WITH_PASSWORD });
  const { secret } = await createToken(world.web, "node", "bot-1");
  const cases = [
    ["/api/v1/events", 1024 * 1024, { authorization: `Bearer ${secret}` }],
    ["/sign-in", 16 * 1024, { origin: "http://localhost:8080" }],
  ] as const;
  for (const [path, bytesMax, headers] of cases) {
    for (const declared of [{}, { "content-length": "10" }]) {
      const { body, seen } = endless(new Uint8Array(4_096));
      const response = await world.send(path, { method: "POST", body, headers: { ...headers, ...declared } });
      assert.equal(response.status, 413);
      assert.ok(seen.isCancelled && seen.bytes <= bytesMax + 4_096, `${seen.bytes}`);
      await response.body?.cancel();
    }
    for (const declared of [`${bytesMax + 1}`, "9".repeat(400), "a", "-"]) {
      const { body, seen } = endless(new Uint8Array(10));
      const response = await world.send(path, {
        method: "POST",
        body,
        headers: { ...headers, "content-length": declared },
      });
      assert.equal(response.status, 413, declared);
      assert.equal(seen.bytes, 0, declared);
      await response.body?.cancel();
    }
    const fitting = await world.send(path, { method: "POST", body: "x".repeat(bytesMax), headers });
    assert.equal((await fitting.json()).body.length, bytesMax);
  }
});

Deno.test("a report without a token and a form of another site are rejected before their body is read", async () => {
  await using world = await accessWorld({ env: WITH_PASSWORD });
  for (const [path, status] of [["/api/v1/events", 401], ["/sign-in", 403], ["/settings", 303]] as const) {
    const { body, seen } = endless(new Uint8Array(10));
    const response = await world.send(path, { method: "POST", body });
    assert.equal(response.status, status);
    assert.equal(seen.bytes, 0);
    await response.body?.cancel();
  }
});

/** A clock that reports when a caller starts waiting. */
class WatchedClock extends FakeClock {
  readonly slept = Promise.withResolvers<number>();

  override sleep(durationMs: number, signal: AbortSignal): Promise<void> {
    const sleep = super.sleep(durationMs, signal);
    this.slept.resolve(durationMs);
    return sleep;
  }
}

Deno.test("a body that does not arrive within 30 seconds is rejected", async () => {
  const clock = new WatchedClock("2026-11-29T12:00:00Z");
  await using world = await accessWorld({ clock });
  const body = new ReadableStream<Uint8Array<ArrayBuffer>>({ pull: () => new Promise<void>(() => {}) });
  const sent = world.send("/settings", {
    method: "POST",
    body,
    headers: { origin: "http://localhost:8080" },
  });
  assert.equal(await clock.slept.promise, 30_000);
  clock.advance(30_000);
  const response = await sent;
  assert.equal(response.status, 408);
  await response.body?.cancel();
});
