import assert from "node:assert/strict";
import { loggedHttp } from "../../lib/http/logged_http.ts";
import { FakeClock } from "../helpers/fake_clock.ts";
import { recordedLog } from "../helpers/test_context.ts";

Deno.test("loggedHttp() logs method, address without credentials, status and time, of failures too", async () => {
  const clock = new FakeClock("2026-11-21T00:00:00Z");
  const log = recordedLog();
  const http = loggedHttp({
    clock,
    log,
    http: (input) => {
      clock.advance(1_500);
      if (String(input).endsWith("down")) return Promise.reject(new TypeError("connection refused"));
      return Promise.resolve(new Response(null, { status: 204 }));
    },
  });
  const answer = await http("https://ada:secret@example.org/a", { method: "PATCH" });
  assert.equal(answer.status, 204);
  await http(new Request("https://example.org/b", { method: "DELETE" }));
  await assert.rejects(http("https://example.org/down"), /connection refused/);
  assert.deepEqual(log.lines, [
    "debug PATCH https://[redacted]@example.org/a: 204 after 1.5 s",
    "debug DELETE https://example.org/b: 204 after 1.5 s",
    "debug GET https://example.org/down: connection refused after 1.5 s",
  ]);
});
