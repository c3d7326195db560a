import assert from "node:assert/strict";
import { describeAlert } from "../../lib/notifiers/alert_text.ts";
import { durationText } from "../../lib/store/run_duration.ts";
import { apiWorld } from "../helpers/api_world.ts";
import * as events from "../helpers/web_events.ts";

const KILLED = { code: "KILLED", message: "the run was killed" };

Deno.test("durationText() shows a duration only if it is known", () => {
  assert.equal(durationText({ outcome: "activated", durationMs: 0 }), "0 ms");
  assert.equal(durationText({ outcome: "failed", durationMs: 0, error: { code: "DISK" } }), "0 ms");
  assert.equal(
    durationText({ outcome: "interrupted", durationMs: 1500, error: { code: "INTERRUPTED" } }),
    "1.5 s",
  );
  assert.equal(durationText({ outcome: "interrupted", durationMs: 0, error: KILLED }), "unknown");
  assert.equal(durationText({ outcome: "activated", durationMs: 0, error: KILLED }), "unknown");
  assert.equal(durationText({ outcome: "interrupted", durationMs: 0 }), "unknown");
  assert.equal(
    durationText({ outcome: "interrupted", durationMs: 90_000, error: KILLED }),
    "at least 1 min 30 s",
  );
});

Deno.test("an alert of a killed run does not say that it took no time", () => {
  const { facts } = describeAlert({
    kind: "interrupted",
    downForMs: undefined,
    event: {
      outcome: "interrupted",
      command: "git-pull",
      runId: "20261129T060000Z-abcdef",
      host: "bot-1",
      modelsDir: "/srv/models",
      startedAt: "2026-11-29T06:00:00Z",
      durationMs: 0,
      error: KILLED,
    },
  });
  assert.deepEqual(facts.find(([label]) => label === "Took"), ["Took", "unknown"]);
});

Deno.test("the pages of a killed run do not say that it took no time", async () => {
  await using world = await apiWorld();
  await world.fill(
    events.finished("bot-1", { outcome: "interrupted", durationMs: 0, error: { ...KILLED, hint: "look" } }),
  );
  const { runId } = [...(await world.dashboard.fleet.read()).rows.values()][0]?.last ?? {};
  for (const path of ["/", `/runs/${runId}?node=bot-1`]) {
    const html = await (await world.send(path)).text();
    assert.match(html, /unknown/, path);
    assert.doesNotMatch(html.replaceAll(/<[^>]*>/g, " "), /\b0 ms\b/, path);
  }
});
