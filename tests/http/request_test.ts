import assert from "node:assert/strict";
import * as z from "zod";
import { AuthenticationError, TransientError } from "../../lib/core/errors.ts";
import { bearer, exchange, readText, requestJson } from "../../lib/http/request.ts";
import type { HttpRequest } from "../../lib/http/request_types.ts";
import { statusError } from "../../lib/http/status_error.ts";
import { Secret } from "../../lib/core/secret.ts";
import { FakeClock } from "../helpers/fake_clock.ts";
import { testContext } from "../helpers/test_context.ts";

interface Seen {
  readonly method: string;
  readonly path: string;
  readonly body: string;
}

/** A server whose `/from` redirects to `/to`, and that says what it got. */
function startRedirecting(status: number) {
  const seen: Seen[] = [];
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, async (request) => {
    const { pathname: path } = new URL(request.url);
    seen.push({ method: request.method, path, body: await request.text() });
    if (path === "/to") return new Response("done");
    return new Response(null, { status, headers: { location: "/to" } });
  });
  return {
    seen,
    url: `http://127.0.0.1:${server.addr.port}/from`,
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

async function send(url: string, method: NonNullable<HttpRequest["method"]>): Promise<string> {
  const request = { url, method, body: "content", what: "the answer", timeoutMs: 10_000 } as const;
  return await exchange(testContext({ http: fetch }), request, (response) => readText(response, request));
}

Deno.test("a redirect changes a request as in the Fetch standard: PUT is repeated, POST becomes GET", async () => {
  for (
    const [status, method, then, body] of [
      [301, "PUT", "PUT", "content"],
      [302, "PUT", "PUT", "content"],
      [308, "PUT", "PUT", "content"],
      [303, "PUT", "GET", ""],
      [301, "POST", "GET", ""],
      [302, "POST", "GET", ""],
      [303, "POST", "GET", ""],
      [307, "POST", "POST", "content"],
    ] as const
  ) {
    await using server = startRedirecting(status);
    assert.equal(await send(server.url, method), "done");
    assert.deepEqual(server.seen, [
      { method, path: "/from", body: "content" },
      { method: then, path: "/to", body },
    ], `${status} ${method}`);
  }
});

Deno.test("a redirect to another host does not receive the request's content", async () => {
  await using other = startRedirecting(200);
  for (const status of [301, 302, 307]) {
    const http = (input: string | URL | Request) =>
      Promise.resolve(
        String(input).startsWith("http://first.example")
          ? new Response(null, { status, headers: { location: other.url } })
          : new Response("other"),
      );
    const request = {
      url: "http://first.example/",
      method: "PUT",
      body: "x",
      what: "it",
      timeoutMs: 10_000,
    } as const;
    await assert.rejects(
      exchange(testContext({ http }), request, (response) => readText(response, request)),
      { code: "REDIRECT_REFUSED" },
    );
  }
  assert.deepEqual(other.seen, []);
});

Deno.test("a token that a server repeats, with its scheme or without, is redacted from the error", async () => {
  const url = "http://api.example/x";
  const http = () =>
    Promise.resolve(new Response("Bearer k3y-of-mine; key k3y-of-mine is bad", { status: 401 }));
  const credentials = bearer(url, new Secret("k3y-of-mine"));
  const request = { url, credentials, what: "it", timeoutMs: 10_000 };
  await assert.rejects(requestJson(testContext({ http }), request, z.object({})), (error: Error) => {
    assert.match(error.message, /answered 401: \[redacted\]; key \[redacted\] is bad$/);
    return true;
  });
});

Deno.test("a token with characters that no header allows is reported without its value", async () => {
  const url = "http://api.example/x";
  const credentials = bearer(url, new Secret("k3y\nof-mine"));
  const http = () => Promise.resolve(new Response("sent"));
  const request = { url, credentials, what: "it", timeoutMs: 10_000 };
  await assert.rejects(requestJson(testContext({ http }), request, z.object({})), (error: Error) => {
    assert.ok(error instanceof AuthenticationError);
    assert.equal(error.code, "TOKEN_INVALID");
    assert.doesNotMatch(`${error.stack} ${error.cause}`, /k3y|of-mine/);
    return true;
  });
});

Deno.test("an answer that is not JSON is reported as not JSON", async () => {
  const http = () => Promise.resolve(new Response("<html>"));
  const request = { url: "http://api.example/x", what: "it", timeoutMs: 10_000 };
  await assert.rejects(requestJson(testContext({ http }), request, z.looseObject({})), {
    message: "Cannot read it: api.example sent an unexpected answer (not JSON)",
  });
});

Deno.test("an error after a redirect names the host that answered, without the query of its address", async () => {
  const answers = [
    { make: () => new Response("gone", { status: 404 }), said: "answered 404: gone" },
    { make: () => new Response("busy", { status: 503 }), said: "answered 503: busy" },
    { make: () => new Response(null, { status: 407 }), said: "asks for a user and a password (407)" },
    { make: () => new Response("<html>"), said: "sent an unexpected answer (not JSON)" },
    { make: () => new Response(brokenOff()), said: "did not answer (" },
  ];
  let answer: (typeof answers)[number] | undefined;
  const listen = { hostname: "127.0.0.1", port: 0, onListen: () => {}, onError: () => new Response() };
  await using storage = Deno.serve(listen, () => answer?.make() ?? new Response());
  const signed = `http://localhost:${storage.addr.port}/object?X-Amz-Signature=5ec4e7`;
  await using hub = Deno.serve(listen, () => Response.redirect(signed, 302));
  const request = { url: `http://127.0.0.1:${hub.addr.port}/file`, what: "it", timeoutMs: 10_000 };
  for (answer of answers) {
    await assert.rejects(requestJson(testContext({ http: fetch }), request, z.looseObject({})), (error) => {
      assert.ok(error instanceof Error);
      assert.ok(error.message.includes(`localhost:${storage.addr.port} ${answer?.said}`), error.message);
      assert.ok(!/127\.0\.0\.1|5ec4e7/.test(error.message), error.message);
      return true;
    });
  }
});

/** A body whose connection breaks after the first bytes. */
function brokenOff(): ReadableStream<Uint8Array<ArrayBuffer>> {
  let isBegun = false;
  return new ReadableStream({
    pull(controller) {
      if (isBegun) return controller.error(new Error("broken off"));
      isBegun = true;
      controller.enqueue(new TextEncoder().encode("{"));
    },
  });
}

Deno.test("an address that is none is named without its credentials", async () => {
  const signed = "htp://storage.example/m.zip?X-Amz-Signature=5ec3e7&part=1";
  await assert.rejects(send(signed, "POST"), {
    code: "ADDRESS_INVALID",
    message:
      /"htp:\/\/storage\.example\/m\.zip\?X-Amz-Signature=\[redacted\]&part=1" is not an http address$/,
  });
});

Deno.test("the pause of a rate limit is respected in every notation", async () => {
  const now = new Date("2026-11-21T00:00:00Z");
  const resetSec = String(now.getTime() / 1000 + 30);
  for (
    const [status, headers, body, waitsMs] of [
      [429, { "retry-after": "7" }, "", 7_000],
      [403, { "retry-after": "7", ratelimit: '"api";r=0;t=45' }, "", 7_000],
      [429, { ratelimit: '"api";r=0;t=45' }, "", 46_000],
      [503, { RateLimit: "default;r=0;t=45" }, "", 46_000],
      [429, { ratelimit: '"burst, short";r=0;t=2, "day";r=0;t=90;pk=:cHJv:, "week";r=5;t=900' }, "", 91_000],
      [429, { ratelimit: "limit=100, remaining=0, reset=50" }, "", 51_000],
      [429, { "ratelimit-remaining": "0", "ratelimit-reset": "50" }, "", 50_000],
      [403, { "x-ratelimit-remaining": "0", "x-ratelimit-reset": resetSec }, "", 30_000],
      [403, {}, "You have exceeded a secondary rate limit.", 60_000],
      [429, { ratelimit: '"api";r=3;t=45' }, "", undefined],
      [429, { ratelimit: '"r=0;t=9";r=3' }, "", undefined],
      [429, { ratelimit: "r=0;t=soon" }, "", undefined],
    ] as const
  ) {
    const response = new Response(body, { status, headers });
    const error = await statusError({ clock: new FakeClock(now.toISOString()) }, LISTING, response);
    assert.ok(error instanceof TransientError, error.message);
    assert.equal(error.retryAfterMs, waitsMs, JSON.stringify(headers));
  }
  const forbidden = new Response("no", { status: 403, headers: { ratelimit: '"api";r=3;t=45' } });
  const error = await statusError({ clock: new FakeClock(now.toISOString()) }, LISTING, forbidden);
  assert.ok(error instanceof AuthenticationError);
});

const LISTING: HttpRequest = { url: "https://a.example/", what: "the list" };
