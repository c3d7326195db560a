import assert from "node:assert/strict";
import { createToken } from "../../../web/access/tokens.ts";
import { apiWorld } from "../../helpers/api_world.ts";
import { fillIncidents, incidentRow } from "../../helpers/web_rows.ts";

/** The elements of a document as `name=text`; throws where tags do not match. */
function elementsOf(xml: string): string[] {
  const open: { name: string; text: string }[] = [];
  const elements: string[] = [];
  for (const [, end, name = "", rest = "", text = ""] of xml.matchAll(/<(\/)?([a-z]+)([^>]*)>([^<]*)/g)) {
    assert.match(text, /^(?:[^&]|&(?:amp|lt|gt|quot|#39);)*$/);
    assert.match(rest, /^(?: [a-z]+="(?:[^"<&]|&#39;|&amp;)*")*\/?$/);
    if (end === undefined && !rest.endsWith("/")) open.push({ name, text });
    if (end === undefined) continue;
    const last = open.pop();
    assert.equal(last?.name, name);
    elements.push(`${name}=${last?.text.trim()}`);
  }
  assert.deepEqual(open, []);
  return elements;
}

async function feedOf(
  world: Awaited<ReturnType<typeof apiWorld>>,
  host = "dash.example.com",
): Promise<string> {
  const response = await world.send("/incidents.atom", { headers: { host } });
  assert.equal(response.status, 200);
  assert.equal(response.headers.get("content-type"), "application/atom+xml; charset=utf-8");
  return await response.text();
}

Deno.test("the feed has an entry for the start and one for the end of an incident, newest first, with stable ids", async () => {
  await using world = await apiWorld();
  await fillIncidents(
    world.kv,
    incidentRow("bot-1"),
    incidentRow("bot-2", { startedAt: "2026-11-28T07:00:00.000Z", endedAt: null, kind: "late" }),
    incidentRow("bot-3", {
      startedAt: "2026-11-27T07:00:00.000Z",
      endedAt: "2026-11-27T08:00:00.000Z",
      ending: "paused",
    }),
  );
  const feed = await feedOf(world, "localhost:8080");
  const elements = elementsOf(feed.replace(/^<\?xml[^>]*>/, ""));
  assert.deepEqual(elements.filter((element) => element.startsWith("title=")).slice(1), [
    "title=bot-1 recovered after 2 h 14 min",
    "title=bot-2 is late",
    "title=bot-1 is down",
    "title=bot-3 is paused by an operator",
    "title=bot-3 is down",
  ]);
  assert.equal(
    elements.filter((element) => element.startsWith("updated="))[0],
    "updated=2026-11-28T08:17:00.000Z",
  );
  const ids = elements.filter((element) => element.startsWith("id="));
  assert.equal(new Set(ids).size, 6);
  for (const id of ids) {
    assert.match(id, /^id=urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  }
  assert.equal(await feedOf(world, "localhost:8080"), feed);
  assert.match(feed, /<link rel="self" [^>]*href="http:\/\/localhost:8080\/incidents\.atom"\/>/);
  assert.match(feed, /href="http:\/\/localhost:8080\/incidents\?node=bot-2"/);
});

Deno.test("an empty feed is valid, and never contains the token of its address", async () => {
  await using world = await apiWorld();
  const response = await world.send("/incidents.atom?token=msr_secret");
  const feed = await response.text();
  const elements = elementsOf(feed.replace(/^<\?xml[^>]*>/, ""));
  assert.ok(elements.includes("updated=2026-11-29T07:00:00.000Z"));
  assert.doesNotMatch(feed, /msr_secret/);
});

Deno.test("a feed reader reads the feed with a read token in its address, and no other page", async () => {
  await using world = await apiWorld({
    env: { MODEL_SYNC_DASHBOARD_PASSWORD: "correct horse battery staple" },
  });
  const { secret } = await createToken(world.dashboard, "read", "feed reader");
  const status = async (path: string) => (await world.send(path)).status;
  assert.equal(await status(`/incidents.atom?token=${secret}`), 200);
  assert.equal(await status("/incidents.atom"), 401);
  assert.equal(await status("/incidents.atom?token="), 401);
  assert.equal(await status(`/incidents.atom?token=${await world.token("bot-1")}`), 401);
  assert.equal(await status(`/incidents.atom?token=${secret}%0d%0a`), 401);
  assert.equal(await status(`/metrics?token=${secret}`), 401);
  assert.equal(await status(`/incidents?token=${secret}`), 303);
  assert.doesNotMatch(world.log.lines.join("\n"), new RegExp(secret));
});

Deno.test("hostile names and reasons are shown as text in a feed", async () => {
  await using world = await apiWorld();
  await fillIncidents(
    world.kv,
    incidentRow(`a"'><entry>\u0000\ud800\uffff\u202e&amp;`, { reason: `]]></summary><id>x</id>\u0008` }),
  );
  const feed = await feedOf(world, "localhost:8080");
  const elements = elementsOf(feed.replace(/^<\?xml[^>]*>/, ""));
  assert.equal(elements.filter((element) => element.startsWith("entry=")).length, 2);
  for (const char of ["\u0000", "\u0008", "\u202e", "\uffff"]) assert.ok(!feed.includes(char));
  assert.ok(feed.isWellFormed());
});
