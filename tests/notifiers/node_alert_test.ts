import assert from "node:assert/strict";
import { channelsOf } from "../../lib/notifiers/channels.ts";
import { type NodeAlert, nodeMessage } from "../../lib/notifiers/node_alert.ts";
import { startMailServer } from "../../fakes/mail_server.ts";
import { startRecordingHost } from "../../fakes/recording_host.ts";
import { alertContext, alerts } from "../helpers/alert_world.ts";

const DOWN: NodeAlert = {
  kind: "node-down",
  incident: "20261129T060300000Z-abc",
  node: "bot-paris/client",
  reason: "No heartbeat for 3 min 10 s; expected every 1 min.",
  startedAt: "2026-11-29T06:03:00.000Z",
  endedAt: null,
};
const BACK: NodeAlert = { ...DOWN, kind: "node-recovered", endedAt: "2026-11-29T08:17:00.000Z" };

Deno.test("a webhook gets an alert that a node is down, and its recovery with the duration, each under its own id", async () => {
  await using host = startRecordingHost();
  const context = alertContext({ ALERTS_SECRET: "s3cret" });
  const [channel] = channelsOf(context.env, alerts({ webhook: { url: `${host.origin}/hook` } }));
  for (const alert of [DOWN, DOWN, BACK]) await channel?.send(context, nodeMessage(alert));
  const [down, again, back] = host.requests;
  assert.deepEqual(JSON.parse(down?.body ?? ""), {
    type: "model_sync.node-down",
    timestamp: "2026-11-21T06:00:05Z",
    data: {
      incident: DOWN.incident,
      node: DOWN.node,
      reason: DOWN.reason,
      startedAt: DOWN.startedAt,
    },
  });
  assert.match(down?.headers.get("webhook-signature") ?? "", /^v1,/);
  assert.equal(down?.headers.get("webhook-id"), `${DOWN.incident}-opened`);
  assert.equal(again?.headers.get("webhook-id"), `${DOWN.incident}-opened`);
  const { type, data } = JSON.parse(back?.body ?? "");
  assert.equal(type, "model_sync.node-recovered");
  assert.equal(data.durationMs, (2 * 60 + 14) * 60_000);
  assert.equal(back?.headers.get("webhook-id"), `${DOWN.incident}-recovered`);
});

Deno.test("a chat message and a mail name the node, the reason and the duration", async () => {
  await using host = startRecordingHost();
  await using server = await startMailServer();
  const settings = alerts({
    email: { host: "127.0.0.1", port: server.port, from: "a@example.com", to: "b@example.com" },
    chat: [{ type: "slack", url: `${host.origin}/services/s3cretS3cret` }],
  });
  const context = alertContext();
  for (const channel of channelsOf(context.env, settings)) {
    await channel.send(context, nodeMessage({ ...DOWN, kind: "node-late" }));
    await channel.send(context, nodeMessage(BACK));
  }
  const [late, back] = host.requests.map(({ body }) => JSON.parse(body).text);
  assert.equal(
    late,
    `*bot-paris/client is late*\nNode: bot-paris/client\nReason: ${DOWN.reason}\nBegan: ${DOWN.startedAt}`,
  );
  assert.match(
    back,
    /^\*bot-paris\/client recovered after 2 h 14 min\*\n[^]*\nEnded: 2026-11-29T08:17:00.000Z$/,
  );
  assert.match(server.messages[0] ?? "", /^Subject: bot-paris\/client is late\r?$/m);
  assert.match(server.messages[1] ?? "", /^Subject: bot-paris\/client recovered after 2 h 14 min\r?$/m);
});

Deno.test("a hostile name adds no line to a mail, and a clock that was set back no negative duration", () => {
  const { text, data } = nodeMessage({
    ...BACK,
    node: "bot\r\nBcc: evil@example.com\u202e",
    endedAt: "2026-11-29T05:00:00.000Z",
  });
  assert.equal(text.title, "bot Bcc: evil@example.com recovered after 0 ms");
  assert.equal(data["durationMs"], 0);
});
