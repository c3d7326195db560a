import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { startRecordingHost } from "../../fakes/recording_host.ts";
import { alertContext, alertOf, alerts, eventOf } from "../helpers/alert_world.ts";
import { NEW_DIGEST } from "../helpers/reload_world.ts";
import { tempDir } from "../helpers/temp_dir.ts";

function webhook(origin: string) {
  return alerts({ webhook: { url: `${origin}/hook`, secret_env: "ALERTS_SECRET" } });
}

Deno.test("an alert is posted as JSON, signed over id, timestamp and body", async () => {
  using dir = tempDir();
  await using host = startRecordingHost();
  const event = eventOf({ outcome: "rolled-back", release: NEW_DIGEST });
  const context = alertContext({ ALERTS_SECRET: "s3cret" });
  await alertOf(context, webhook(host.origin), `${dir.path}/alerts`, event);
  assert.deepEqual(context.log.lines, []);
  const [request] = host.requests;
  assert.ok(request !== undefined);
  assert.equal(`${request.method} ${request.path}`, "POST /hook");
  assert.deepEqual(JSON.parse(request.body), {
    type: "model_sync.rolled-back",
    timestamp: "2026-11-21T06:00:05Z",
    data: event,
  });
  const id = "20261121T060000Z-abc123-rolled-back";
  const seconds = Date.parse("2026-11-21T06:00:05Z") / 1000;
  const expected = createHmac("sha256", "s3cret").update(`${id}.${seconds}.${request.body}`).digest("base64");
  assert.equal(request.headers.get("webhook-id"), id);
  assert.equal(request.headers.get("webhook-timestamp"), String(seconds));
  assert.equal(request.headers.get("webhook-signature"), `v1,${expected}`);
});

Deno.test("a passing fault of a webhook is retried, a refusal is a warning without secrets", async () => {
  using dir = tempDir();
  await using busy = startRecordingHost(
    () => new Response("busy", { status: 503 }),
    () => new Response(null, { status: 429, headers: { "retry-after": "3" } }),
    () => new Response(null, { status: 204 }),
  );
  const context = alertContext({ ALERTS_SECRET: "s3cret" });
  await alertOf(context, webhook(busy.origin), `${dir.path}/1`, eventOf());
  assert.equal(busy.requests.length, 3);
  assert.equal(new Set(busy.requests.map(({ headers }) => headers.get("webhook-id"))).size, 1);
  await using refusing = startRecordingHost(() => new Response("not by s3cret", { status: 403 }));
  const refused = alertContext({ ALERTS_SECRET: "s3cret" });
  await alertOf(refused, webhook(refusing.origin), `${dir.path}/2`, eventOf());
  assert.equal(refusing.requests.length, 1);
  assert.match(
    refused.log.lines.join("\n"),
    /^warn cannot send the alert by webhook: .* answered 403: not by \[redacted\]$/,
  );
});

Deno.test("a webhook without its secret is not called", async () => {
  using dir = tempDir();
  await using host = startRecordingHost();
  const context = alertContext();
  await alertOf(context, webhook(host.origin), `${dir.path}/alerts`, eventOf());
  assert.equal(host.requests.length, 0);
  assert.deepEqual(context.log.lines, [
    "warn cannot send the alert by webhook: the variable ALERTS_SECRET is not set",
  ]);
});

Deno.test("a token in an error is not passed on", async () => {
  using dir = tempDir();
  await using host = startRecordingHost();
  const token = `ghp_${"a".repeat(36)}`;
  const error = { code: "X", message: `no access with ${token}` };
  await alertOf(
    alertContext({ ALERTS_SECRET: "s" }),
    webhook(host.origin),
    `${dir.path}/alerts`,
    eventOf({ error }),
  );
  assert.match(host.requests[0]?.body ?? "", /no access with \[redacted\]/);
});
