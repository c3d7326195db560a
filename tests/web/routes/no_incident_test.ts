import assert from "node:assert/strict";
import { changeSettings } from "../../../web/store/settings_row.ts";
import { alertContext, alerts } from "../../helpers/alert_world.ts";
import { type ApiWorld, apiWorld } from "../../helpers/api_world.ts";
import { fillIncidents, incidentRow } from "../../helpers/web_rows.ts";
import * as events from "../../helpers/web_events.ts";

const PASSWORD = { MODEL_SYNC_DASHBOARD_PASSWORD: "correct horse battery staple" };

function alertingBy(written: object) {
  return { context: alertContext(), settings: alerts(written) };
}

async function wordsOf(world: ApiWorld): Promise<string> {
  const html = await (await world.send("/incidents")).text();
  return html.replace(/<[^>]*>/g, " ").replaceAll(/\s+/g, " ");
}

Deno.test("without incidents, the page says how alerts are sent, without addresses", async () => {
  const alerting = alertingBy({
    email: { host: "mail.example.com", from: "bot@example.com", to: ["ops@example.com"] },
    webhook: { url: "https://hooks.example.com/secret-path" },
    chat: [
      { type: "slack", url: "https://chat.example.com/secret-path" },
      { type: "slack", url: "https://chat.example.com/other-path" },
    ],
  });
  await using world = await apiWorld({ alerting });
  const text = await wordsOf(world);
  assert.match(text, /When an incident opens, an alert is sent by e-mail, by webhook,? and to slack\./);
  assert.doesNotMatch(text, /model_sync\.alerts|No channel|example\.com|secret-path/);
  assert.match(text, /model-sync doctor/);
});

Deno.test("without a channel, the page says how to configure one", async () => {
  for (const alerting of [undefined, alertingBy({})]) {
    await using world = await apiWorld(alerting === undefined ? {} : { alerting });
    assert.match(await wordsOf(world), /No alert channel is configured\. .* model_sync\.alerts/);
  }
});

Deno.test("the public does not see whether alerts are sent", async () => {
  const alerting = alertingBy({ webhook: { url: "https://hooks.example.com/x" } });
  for (const choice of [{ env: PASSWORD }, { env: PASSWORD, alerting }]) {
    await using world = await apiWorld(choice);
    await changeSettings(world.kv, { isPublic: true });
    const text = await wordsOf(world);
    assert.match(text, /No incidents so far/);
    assert.doesNotMatch(text, /webhook|channel|model_sync\.alerts|doctor/);
  }
});

Deno.test("a feed without incidents has the time when the first node reported", async () => {
  await using world = await apiWorld();
  world.clock.advance(20 * 60_000);
  const updated = async () =>
    /<updated>(.*)<\/updated>/.exec(await (await world.send("/incidents.atom")).text())?.[1];
  assert.equal(await updated(), "2026-11-29T07:00:00.000Z");
  const { clock } = world;
  await world.fill(events.heartbeat("bot-1", { time: clock.now().toISOString() }));
  clock.advance(26 * 3_600_000);
  await world.fill(events.heartbeat("bot-2", { time: clock.now().toISOString() }));
  assert.equal(await updated(), "2026-11-29T07:20:00.000Z");
});

Deno.test("an open incident shows the current reason, as the page of its node does", async () => {
  await using world = await apiWorld();
  const at = world.clock.now().toISOString();
  await world.fill(events.heartbeat("bot-1", { time: at }));
  await fillIncidents(world.kv, incidentRow("bot-1", { startedAt: at, endedAt: null }));
  world.clock.advance(9 * 3_600_000);
  assert.match(await wordsOf(world), /bot-1 down No heartbeat for 9 h; .* today 07:00 9 h so far/);
});
