import assert from "node:assert/strict";
import * as z from "zod";
import { Alerts } from "../../lib/config/sections/alerts.ts";
import { startRecordingHost } from "../../fakes/recording_host.ts";
import { alertContext, alertOf, alerts, eventOf } from "../helpers/alert_world.ts";
import { tempDir } from "../helpers/temp_dir.ts";

const SECRET_PATH = "/services/T00000000/B00000000/s3cretS3cretS3cret";

function chat(...channels: object[]) {
  return alerts({ chat: channels });
}

Deno.test("Slack gets one text, with what it would take for links and mentions escaped", async () => {
  using dir = tempDir();
  await using host = startRecordingHost(() => new Response("ok"));
  const context = alertContext({ SLACK_WEBHOOK: host.origin + SECRET_PATH });
  const event = eventOf({ error: { code: "X", message: "<!channel> a & b <https://evil.example|ok>" } });
  await alertOf(context, chat({ type: "slack", url_env: "SLACK_WEBHOOK" }), `${dir.path}/alerts`, event);
  assert.deepEqual(context.log.lines, []);
  const [request] = host.requests;
  assert.ok(request !== undefined);
  assert.equal(`${request.method} ${request.path}`, `POST ${SECRET_PATH}`);
  const { text } = z.strictObject({ text: z.string() }).parse(JSON.parse(request.body));
  assert.match(text, /^\*Model sync failed on bot-1 \(pull\): X\*\nHost: bot-1\nCommand: pull \(git\)\n/);
  assert.match(text, /\nReason: &lt;!channel&gt; a &amp; b &lt;https:\/\/evil\.example\|ok&gt; \(X\)\n/);
});

const DiscordMessage = z.strictObject({
  content: z.string(),
  allowed_mentions: z.strictObject({ parse: z.array(z.string()) }),
});

Deno.test("Discord gets a content without mentions, within its length limit", async () => {
  using dir = tempDir();
  await using host = startRecordingHost();
  const event = eventOf({ error: { code: "X", message: `@everyone **big** ${"*".repeat(5_000)}` } });
  await alertOf(
    alertContext(),
    chat({ type: "discord", url: `${host.origin}/api/webhooks/1/s3cretS3cret` }),
    `${dir.path}/alerts`,
    event,
  );
  const message = DiscordMessage.parse(JSON.parse(host.requests[0]?.body ?? ""));
  assert.deepEqual(message.allowed_mentions, { parse: [] });
  assert.ok(message.content.length <= 2_000);
  assert.match(message.content, /^\*\*Model sync failed on bot-1 \\\(pull\\\): X\*\*\n/);
  assert.match(message.content, /\nRun: 20261121T060000Z-abc123$/);
  const short = eventOf({ runId: "second", error: { code: "Y", message: "@everyone **big**" } });
  await alertOf(
    alertContext(),
    chat({ type: "discord", url: `${host.origin}/api/webhooks/1/s3cretS3cret` }),
    `${dir.path}/alerts`,
    short,
  );
  const second = DiscordMessage.parse(JSON.parse(host.requests[1]?.body ?? ""));
  assert.match(second.content, /\nReason: @everyone \\\*\\\*big\\\*\\\* \\\(Y\\\)\n/);
});

Deno.test("no warning shows a part of a channel's address, whatever its server answers", async () => {
  using dir = tempDir();
  await using host = startRecordingHost(
    () => new Response(`no_service for ${SECRET_PATH} s3cretS3cretS3cret`, { status: 404 }),
  );
  const context = alertContext({ SLACK_WEBHOOK: host.origin + SECRET_PATH, OTHER: "s3cret but no address" });
  await alertOf(
    context,
    chat({ type: "slack", url_env: "SLACK_WEBHOOK" }, { type: "discord", url_env: "OTHER" }),
    `${dir.path}/alerts`,
    eventOf(),
  );
  assert.deepEqual(context.log.lines.map((line) => line.replace(/127\.0\.0\.1:\d+/, "host")).sort(), [
    "warn cannot send the alert to discord: the value of OTHER is not an http address",
    "warn cannot send the alert to slack: Cannot call the slack webhook: host answered 404: " +
    "no_service for [redacted] [redacted]",
  ]);
});

Deno.test("a busy channel is retried, but not after a pause longer than the time of alerts", async () => {
  using dir = tempDir();
  await using busy = startRecordingHost(
    () => new Response("slow down", { status: 429, headers: { "retry-after": "2" } }),
    () => new Response("ok"),
  );
  await using shut = startRecordingHost(
    () => new Response("slow down", { status: 429, headers: { "retry-after": "3600" } }),
  );
  const context = alertContext();
  await alertOf(
    context,
    chat({ type: "slack", url: `${busy.origin}/x` }, { type: "slack", url: `${shut.origin}/x` }),
    `${dir.path}/alerts`,
    eventOf(),
  );
  assert.deepEqual([busy.requests.length, shut.requests.length], [2, 1]);
  assert.match(context.log.lines.at(-1) ?? "", /trying again|answered 429/);
});

Deno.test("a channel's address comes from one setting", () => {
  assert.ok(!Alerts.safeParse({ chat: [{ type: "slack" }] }).success);
  assert.ok(!Alerts.safeParse({ chat: [{ type: "slack", url: "https://a.example", url_env: "X" }] }).success);
  assert.ok(!Alerts.safeParse({ chat: [{ type: "irc", url_env: "X" }] }).success);
});
