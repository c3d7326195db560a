import assert from "node:assert/strict";
import { addresses } from "../../../web/shared/addresses.ts";
import { keys } from "../../../web/store/keys.ts";
import { changeSettings } from "../../../web/store/settings_row.ts";
import { WITH_PASSWORD } from "../../helpers/access_world.ts";
import { type ApiWorld, apiWorld } from "../../helpers/api_world.ts";
import * as events from "../../helpers/web_events.ts";

/** Texts that the public must not see, each in its field. */
const HOST = "planted-host";
const PATH = "planted/path";
const TEXT = "planted text";
const RUN_ID = "20261129T060000Z-abcdef";

/** A fleet with these hosts, paths and texts in every field of its events. */
async function plantedWorld(): Promise<ApiWorld> {
  const world = await apiWorld({ env: WITH_PASSWORD });
  await changeSettings(world.kv, { isPublic: true });
  const common = { host: HOST, modelsDir: PATH };
  const error = { code: TEXT, message: `${TEXT} ${HOST}`, hint: TEXT };
  const release = { digest: events.digestOfRelease(1), sequence: 1, reason: TEXT, at: TEXT };
  const paused = { since: events.EVENT_TIME, until: null, host: HOST, reason: TEXT };
  await world.fill(
    events.published(`${HOST}/publisher`, 1, {
      host: HOST,
      revision: TEXT,
      signer: TEXT,
      carrier: TEXT,
      files: [{ path: PATH, size: 1, sha256: "a".repeat(64) }],
    }),
    events.activated(`${HOST}/client`, 1, {
      ...common,
      runId: RUN_ID,
      revision: TEXT,
      carrier: TEXT,
      otherWriter: { revision: TEXT, author: TEXT, subject: TEXT, described: TEXT },
      steps: [{ name: TEXT, startMs: 0, durationMs: 1 }],
    }),
    events.failed(`${HOST}/client`, {
      ...common,
      startedAt: "2026-11-29T06:30:00.000Z",
      error,
      log: [TEXT, PATH],
    }),
    events.started(`${HOST}/client`, { ...common, startedAt: "2026-11-29T06:59:00.000Z" }),
    events.pullRequest(`${HOST}/references`, { host: HOST, url: `https://${HOST}/${PATH}` }),
    events.heartbeat("bot-1", {
      host: HOST,
      time: "2026-11-29T06:59:50.000Z",
      version: TEXT,
      configFingerprint: TEXT,
      status: {
        modelsDir: PATH,
        stateDir: PATH,
        modelFolderFault: `${TEXT} ${PATH}`,
        quarantine: [release],
        canary: events.canary(1, { status: "paused", reason: TEXT, startedAt: TEXT, runId: RUN_ID }),
        schedules: { client: events.schedule({ times: [TEXT], timeZone: TEXT }) },
        running: [{ runId: RUN_ID, command: "pull", startedAt: "2026-11-29T06:59:40.000Z", step: TEXT }],
      },
    }),
    events.heartbeat("bot-2", {
      host: HOST,
      time: "2026-11-29T06:59:50.000Z",
      status: { schedules: { client: events.schedule({ paused }) }, paused: { client: paused } },
    }),
  );
  const startedAt = "2026-11-29T06:50:00.000Z";
  for (const node of [`${HOST}/client`, `${HOST}-gone/client`]) {
    const incident = {
      node,
      kind: "down",
      reason: `${TEXT} ${HOST}`,
      startedAt,
      endedAt: null,
      alertedAt: null,
    };
    await world.kv.set(keys.incident(startedAt, node), incident);
    await world.kv.set(keys.openIncident(node), incident);
  }
  return world;
}

async function publicNames(world: ApiWorld): Promise<string[]> {
  const { nodes } = await (await world.send("/api/v1/fleet")).json();
  assert.ok(Array.isArray(nodes));
  return nodes.map(({ node }) => String(node));
}

/** Every address that the public may read. */
function publicPaths(names: readonly string[]): string[] {
  const digests = [1, 2].map(events.digestOfRelease);
  return [
    "/",
    "/releases",
    "/incidents",
    "/incidents.atom",
    "/status.json",
    "/healthz",
    "/api/v1/fleet",
    "/api/v1/fleet?q=planted",
    "/api/v1/openapi.json",
    ...digests.flatMap((digest) => [`/api/v1/releases/${digest}`, `/releases/${digest}`]),
    ...names.flatMap((name) => [
      `/api/v1${addresses.node(name)}`,
      addresses.node(name),
      addresses.badge(name),
      `${addresses.badge(name)}?show=release`,
    ]),
  ];
}

Deno.test("no public answer contains a host, a path, an error, a reason or the id of a run", async () => {
  await using world = await plantedWorld();
  const names = await publicNames(world);
  assert.equal(names.length, 5);
  for (const path of publicPaths(names)) {
    const response = await world.send(path);
    const text = [await response.text(), ...response.headers.values()].join("\n");
    for (const planted of [HOST, "planted", PATH, TEXT, RUN_ID, "Could not resolve", "/srv/"]) {
      const isAsked = path.includes(planted) && response.headers.get("content-type")?.startsWith("text/html");
      assert.ok(isAsked || !text.includes(planted), `${path} holds ${planted}`);
    }
  }
});

Deno.test("the public reads states, active releases and where a release was active", async () => {
  await using world = await plantedWorld();
  const { nodes } = await (await world.send("/api/v1/fleet")).json();
  const client = nodes.find(({ node }: { node: string }) => node.startsWith("client-"));
  assert.deepEqual([client.active.sequence, client.state.kind], [1, "up"]);
  const { periods } = await (await world.send(`/api/v1/nodes/${client.node}`)).json();
  assert.equal(periods[0].node, client.node);
  const release = await (await world.send(`/api/v1/releases/${events.digestOfRelease(1)}`)).json();
  assert.ok(release.active.some(({ node }: { node: string }) => node === client.node));
  assert.deepEqual(release.files, []);
});

Deno.test("the public cannot find out whether a host has a node, nor read a run", async () => {
  await using world = await plantedWorld();
  for (const path of [`/api/v1/nodes/${HOST}/client`, `/nodes/${HOST}/client`, `/badge/${HOST}/client.svg`]) {
    const response = await world.send(path);
    assert.equal(response.status, 404, path);
    await response.body?.cancel();
  }
  const { nodes } = await (await world.send(`/api/v1/fleet?q=${HOST}`)).json();
  assert.deepEqual(nodes, []);
  for (const path of [`/api/v1/runs/${RUN_ID}`, "/metrics"]) {
    const response = await world.send(path);
    assert.equal(response.status, 401, path);
    await response.body?.cancel();
  }
});
