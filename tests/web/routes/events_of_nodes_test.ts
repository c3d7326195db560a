import assert from "node:assert/strict";
import { ModelSync } from "../../../lib/config/schema.ts";
import type { Context } from "../../../lib/core/context.ts";
import { VERSION } from "../../../lib/core/version.ts";
import { heartbeatLoop } from "../../../lib/reporting/heartbeat_loop.ts";
import { deliverReports, type Delivery } from "../../../lib/reporting/deliver_reports.ts";
import { reportingOf, RUN_BUDGET_MS } from "../../../lib/reporting/report_run.ts";
import { readRuns } from "../../../web/store/read_runs.ts";
import { type ApiWorld, apiWorld } from "../../helpers/api_world.ts";
import { ReportWorld } from "../../helpers/report_world.ts";
import { fixedEnvironment } from "../../helpers/test_context.ts";

/** A node's store, and the dashboard on loopback that it reports to. */
class Pair implements AsyncDisposable {
  readonly node = new ReportWorld();
  readonly world: ApiWorld;
  /** The statuses that the dashboard answered. */
  readonly statuses: number[] = [];
  readonly #server: Deno.HttpServer<Deno.NetAddr>;

  constructor(world: ApiWorld) {
    this.world = world;
    this.#server = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen: () => {} },
      async (request, info) => {
        const response = await world.app.fetch(request, info);
        this.statuses.push(response.status);
        return response;
      },
    );
  }

  settings() {
    return this.node.settings({ url: `http://127.0.0.1:${this.#server.addr.port}` });
  }

  context(token: string, replaced: Partial<Context> = {}) {
    return this.node.context({
      env: fixedEnvironment({ MODEL_SYNC_REPORT_TOKEN: token }),
      host: "bot-1",
      ...replaced,
    });
  }

  async deliver(token: string): Promise<Delivery> {
    const context = this.context(token);
    const reporting = reportingOf(context, this.node.store, this.settings());
    assert.ok(reporting !== undefined);
    return await deliverReports(context, reporting, RUN_BUDGET_MS);
  }

  async runs(): Promise<number> {
    return (await readRuns(this.world.kv, "bot-1/client", { limit: 200 })).rows.length;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
    await this.node[Symbol.asyncDispose]();
    await this.world[Symbol.asyncDispose]();
  }
}

Deno.test("a node delivers its history to the dashboard, in batches, once", async () => {
  await using pair = new Pair(await apiWorld());
  const token = await pair.world.token("bot-1");
  pair.node.recordMany(1, 150);
  assert.deepEqual(await pair.deliver(token), { delivered: 150, problem: undefined });
  assert.deepEqual(await pair.deliver(token), { delivered: 0, problem: undefined });
  assert.equal(await pair.runs(), 150);
});

Deno.test("a node with a missing, wrong or foreign token keeps its history, and names the setting", async () => {
  await using pair = new Pair(await apiWorld());
  const foreign = await pair.world.token("bot-2");
  pair.node.record(1, 2);
  for (const [token, status] of [[`${foreign}x`, 401], [foreign, 403]] as const) {
    const { delivered, problem } = await pair.deliver(token);
    assert.equal(delivered, 0);
    assert.match(problem ?? "", /check MODEL_SYNC_REPORT_TOKEN/);
    assert.match(problem ?? "", /Kept in the history and sent later: 2 runs/);
    assert.equal(pair.statuses.at(-1), status);
  }
  assert.deepEqual(await pair.deliver(await pair.world.token("bot-1")), { delivered: 2, problem: undefined });
});

Deno.test("a dashboard whose database rejects writes gets the history later, after the pause that it requests", async () => {
  using kv = await Deno.openKv(":memory:");
  await using pair = new Pair(await apiWorld({ kv }));
  const token = await pair.world.token("bot-1");
  // The use of the token is recorded once an hour.
  await pair.world.post(token, []);
  pair.node.record(1, 2, 3);

  // SQLite's message for a full disk.
  const atomic = kv.atomic.bind(kv);
  kv.atomic = () => {
    throw new TypeError("database or disk is full");
  };
  const { delivered, problem } = await pair.deliver(token);
  assert.equal(delivered, 0);
  assert.match(problem ?? "", /503.*Kept in the history and sent later: 3 runs/);
  assert.equal(pair.statuses.at(-1), 503);
  assert.match(
    pair.world.log.lines.join("\n"),
    /cannot store \d+ events: Cannot write the dashboard.s database: the disk is full/,
  );

  kv.atomic = atomic;
  const requests = pair.statuses.length;
  await pair.deliver(token);
  assert.equal(pair.statuses.length, requests, "within the pause nothing is sent");
  pair.node.clock.advance(31_000);
  assert.deepEqual(await pair.deliver(token), { delivered: 3, problem: undefined });
  assert.equal(await pair.runs(), 3);
});

Deno.test("a daemon's heartbeat makes its node appear, with its history", async () => {
  await using pair = new Pair(await apiWorld());
  const token = await pair.world.token("bot-1");
  pair.node.record(1);
  const stopping = new AbortController();
  const context = pair.context(token, { signal: stopping.signal });
  const settings = ModelSync.parse({ report: pair.settings() });
  const loop = heartbeatLoop(context, {
    store: pair.node.store,
    roles: ["client"],
    readSettings: () => Promise.resolve(settings),
  });
  await pair.node.until(() => pair.world.dashboard.counts.accepted === 2);
  stopping.abort();
  await loop;
  const { rows } = await pair.world.dashboard.fleet.read();
  assert.equal(rows.get("bot-1/client")?.report?.version, VERSION);
  assert.equal(rows.get("bot-1/client")?.last?.runId, "run-1");
});
