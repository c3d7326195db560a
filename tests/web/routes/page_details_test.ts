import assert from "node:assert/strict";
import type { ReportEvent } from "../../../lib/wire/schema.ts";
import { runPoints } from "../../../web/charts/run_points.ts";
import { apiWorld } from "../../helpers/api_world.ts";
import { runRows } from "../gallery_charts.tsx";
import {
  activated,
  digestOfRelease,
  finished,
  heartbeat,
  runIdOf,
  started,
} from "../../helpers/web_events.ts";
import { WITH_PASSWORD } from "../../helpers/access_world.ts";

async function pageOf(path: string, ...events: readonly ReportEvent[]): Promise<string> {
  await using world = await apiWorld();
  await world.fill(...events);
  return await (await world.send(path)).text();
}

Deno.test("for a node whose clock is ahead, the time since the activation is not shown", async () => {
  const ahead = "2026-11-30T09:00:00.000Z";
  const release = { startedAt: ahead };
  const page = await pageOf("/", activated("bot-1", 1, release), activated("bot-2", 1));
  assert.equal(page.match(/active for /g)?.length, 1);
});

Deno.test("the page of a node lists the releases that their publisher withdrew, with the reason", async () => {
  const withdrawal = { state: "withdrawn", at: "2026-11-29T05:00:00.000Z" } as const;
  const page = await pageOf(
    "/nodes/bot-1",
    heartbeat("bot-1", {
      status: {
        withdrawn: [
          { ...withdrawal, digest: digestOfRelease(3), reason: "wrong <labels>" },
          { ...withdrawal, digest: digestOfRelease(4), isOverridden: true },
        ],
      },
    }),
  );
  assert.match(page, /Withdrawn by their publisher[^]*2 releases/);
  assert.match(page, /wrong &lt;labels>[^]*activated here by force/);
});

Deno.test("the page of a run in progress says what will appear there", async () => {
  const path = `/runs/${runIdOf()}?node=bot-1`;
  assert.match(await pageOf(path, started("bot-1")), /This run is in progress/);
  assert.doesNotMatch(await pageOf(path, started("bot-1"), finished("bot-1")), /This run is in progress/);
});

Deno.test("a run shows its host only if the node has another name, and shortens keys and revisions", async () => {
  const signer = "4d9dd5f1032a88f1".repeat(4);
  const revision = "461b376a30f8cde588d5a9cf98369cf91e177dd7";
  const page = await pageOf(`/runs/${runIdOf()}?node=bot-1`, finished("bot-1", { signer, revision }));
  assert.match(page, new RegExp(`title="${signer}">4d9dd5f1032a88f1</code>`));
  assert.match(page, new RegExp(`title="${revision}">461b376a30f8</code>`));
  assert.doesNotMatch(page, /<small>bot-1<\/small>/);
  const side = await pageOf(`/runs/${runIdOf()}?node=bot-1/client`, finished("bot-1/client"));
  assert.match(side, /<small>bot-1<\/small>/);
});

Deno.test("the sign-in page has no links to pages that need a sign-in", async () => {
  await using world = await apiWorld({ env: WITH_PASSWORD });
  const page = await (await world.send("/sign-in")).text();
  assert.match(page, /name="password"/);
  assert.doesNotMatch(page, /aria-label="Main"|role="search"|href="\/status\.json"/);
});

Deno.test("a node's problem begins with a capital letter on the node's page, and its runs come last", async () => {
  const page = await pageOf(
    "/nodes/bot-1",
    heartbeat("bot-1", { status: { freeBytes: 1_000_000 } }),
    finished("bot-1"),
  );
  assert.match(page, /class="trouble-title">[A-Z]/);
  const [schedule, runs] = [page.indexOf(">Schedule<"), page.indexOf('id="runs"')];
  assert.ok(schedule !== -1 && schedule < runs);
});

Deno.test("the scale of a chart fits the runs that changed something, however many had nothing to do", () => {
  const unchanged = Array.from({ length: 40 }, () => 300);
  const { median, limit } = runPoints(runRows([...unchanged, 10_000, 12_000]), "duration");
  assert.equal(median, 11_000);
  assert.equal(limit, 12_000);
});
