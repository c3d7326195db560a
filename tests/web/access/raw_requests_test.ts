import assert from "node:assert/strict";
import { Hono } from "hono";
import { Access } from "../../../web/access/access.ts";
import type { AccessEnv } from "../../../web/access/visit.ts";
import { FakeClock } from "../../helpers/fake_clock.ts";
import { fixedEnvironment, recordedLog } from "../../helpers/test_context.ts";

/** A guarded app behind Deno's server that gets raw requests. */
async function withServer(use: (raw: (text: string) => Promise<string>) => Promise<void>): Promise<void> {
  const kv = await Deno.openKv(":memory:");
  const web = { kv, clock: new FakeClock("2026-11-29T12:00:00Z"), log: recordedLog() };
  const access = new Access(web, { env: fixedEnvironment({}), isLoopback: true, isDeploy: false });
  const app = new Hono<AccessEnv>();
  app.use(access.guard);
  app.all("*", (c) => c.json({ viewer: c.get("viewer"), visit: c.get("visit") }));
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, app.fetch);
  try {
    await use(async (text) => {
      using connection = await Deno.connect({ hostname: "127.0.0.1", port: server.addr.port });
      await connection.write(new TextEncoder().encode(text.replaceAll("\n", "\r\n")));
      let answer = "";
      for await (const piece of connection.readable.pipeThrough(new TextDecoderStream())) answer += piece;
      return answer;
    });
  } finally {
    await server.shutdown();
    kv.close();
  }
}

const END = "\nConnection: close\n\n";

Deno.test("the server's own view of a request counts: the address of the connection and the Host header as sent", () =>
  withServer(async (raw) => {
    const own = await raw(`GET / HTTP/1.1\nHost: localhost:8080${END}`);
    assert.match(own, /^HTTP\/1\.1 200 /);
    assert.match(own, /"address":"127\.0\.0\.1"/);
    assert.match(own, /"host":"localhost:8080"/);
    const statuses = [
      ["GET / HTTP/1.1\nHost: evil.example", 403],
      ["GET http://localhost/ HTTP/1.1\nHost: evil.example", 400],
      ["GET http://evil.example/ HTTP/1.1\nHost: localhost", 400],
      ["GET / HTTP/1.1\nHost: a b", 400],
      ["GET / HTTP/1.1\nHost: localhost@evil.example", 400],
      ["GET / HTTP/1.1\nHost: evil.example/../localhost", 400],
      ["GET / HTTP/1.1\nHost: localhost\nHost: evil.example", 400],
      ["TRACE / HTTP/1.1\nHost: localhost", 405],
      ["OPTIONS * HTTP/1.1\nHost: localhost", 405],
    ] as const;
    for (const [request, status] of statuses) {
      const answer = await raw(request + END);
      assert.match(answer, new RegExp(`^HTTP/1\\.1 ${status} `), request);
    }
  }));

Deno.test("a chunked body is cut at its limit", () =>
  withServer(async (raw) => {
    const chunk = `1000\n${"x".repeat(4_096)}\n`;
    const head =
      "POST /settings HTTP/1.1\nHost: localhost\nOrigin: http://localhost\nTransfer-Encoding: chunked";
    const answerTo = (count: number) => raw(`${head}${END}${chunk.repeat(count)}0\n\n`);
    assert.match(await answerTo(4), /^HTTP\/1\.1 200 /);
    assert.match(await answerTo(5), /^HTTP\/1\.1 413 /);
  }));
