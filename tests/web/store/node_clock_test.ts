import assert from "node:assert/strict";
import type { ReportEvent } from "../../../lib/wire/schema.ts";
import { nodeState } from "../../../web/fleet/node_state.ts";
import { ingest } from "../../../web/store/ingest.ts";
import { keys } from "../../../web/store/keys.ts";
import { CanaryCourse, NodeRow } from "../../../web/store/rows.ts";
import { FakeClock } from "../../helpers/fake_clock.ts";
import { memoryKv } from "./kv_tools.ts";
import { DAY_MS, HOUR_MS, laterBy, MINUTE_MS } from "../../helpers/web_rows.ts";
import * as events from "../../helpers/web_events.ts";

const NODE = "bot-1";
const NOON = "2026-11-29T12:00:00.000Z";

/** A node with a wrong clock, and a dashboard with a right one. */
class SkewedNode implements Disposable {
  readonly #kv: Deno.Kv;
  readonly #clock = new FakeClock(NOON);
  offMs = 0;

  constructor(kv: Deno.Kv) {
    this.#kv = kv;
  }

  /** The time by the node's clock. */
  get time(): string {
    return laterBy(this.#clock.now().toISOString(), this.offMs);
  }

  async send(...events: readonly ReportEvent[]): Promise<void> {
    this.#clock.advance(1_000);
    await ingest({ kv: this.#kv, clock: this.#clock }, events);
  }

  wait(ms: number): void {
    this.#clock.advance(ms);
  }

  /** A heartbeat with the active release. */
  async beat(release: number, status: Parameters<typeof events.heartbeat>[1] = {}): Promise<void> {
    const { time } = this;
    await this.send(events.heartbeat(NODE, {
      time,
      status: { current: events.statusRelease(release), activatedAt: NOON, next: {}, ...status.status },
    }));
  }

  async row(): Promise<NodeRow> {
    return NodeRow.parse((await this.#kv.get(keys.node(NODE))).value);
  }

  async course(release: number): Promise<CanaryCourse> {
    return CanaryCourse.parse((await this.#kv.get(keys.canary(events.digestOfRelease(release), NODE))).value);
  }

  async state(): Promise<string> {
    return nodeState(await this.row(), this.#clock.now()).kind;
  }

  [Symbol.dispose](): void {
    this.#kv.close();
  }
}

async function nodeWith(offMs: number): Promise<SkewedNode> {
  const node = new SkewedNode(await memoryKv());
  node.offMs = offMs;
  return node;
}

for (const [name, offMs] of [["ahead", DAY_MS], ["behind", -DAY_MS]] as const) {
  Deno.test(`a clock that was a day ${name} and is corrected is forgotten with the next heartbeat`, async () => {
    using node = await nodeWith(offMs);
    await node.beat(1);
    await node.send(events.activated(NODE, 2, { startedAt: node.time }));
    await node.send(events.failed(NODE, { startedAt: node.time, command: "prune" }));
    node.wait(MINUTE_MS);
    await node.beat(2);
    assert.equal((await node.row()).active?.sequence, 2);

    node.offMs = 0;
    node.wait(MINUTE_MS);
    await node.beat(3);
    const row = await node.row();
    assert.equal(row.active?.sequence, 3);
    assert.equal(row.report?.at, laterBy(node.time, -1_000));
    assert.ok((row.last?.startedAt ?? "") <= node.time, "no run is dated later than now");
    assert.ok(row.strip.every(({ startedAt }) => startedAt <= node.time));
    assert.equal(row.last?.outcome, "failed", "the failure is not forgotten");
    assert.equal(await node.state(), "up");

    await node.send(events.finished(NODE, { startedAt: node.time, release: events.digestOfRelease(3) }));
    assert.equal((await node.row()).last?.outcome, "unchanged", "a run after it is the newest");
  });
}

Deno.test("a clock that is set back by a day takes effect with the next heartbeat, but not with a delayed one", async () => {
  using node = await nodeWith(0);
  await node.beat(1);
  node.wait(MINUTE_MS);
  await node.beat(2);
  const held = events.heartbeat(NODE, {
    time: laterBy(node.time, -MINUTE_MS - 30_000),
    status: { current: events.statusRelease(1), next: {} },
  });
  await node.send(held);
  assert.equal((await node.row()).active?.sequence, 2);
  node.offMs = -DAY_MS;
  node.wait(MINUTE_MS);
  await node.beat(3);
  const row = await node.row();
  assert.equal(row.active?.sequence, 3);
  assert.equal(row.report?.at, laterBy(node.time, -1_000));
  assert.equal(await node.state(), "up");
});

Deno.test("the course of a canary continues after a clock was corrected", async () => {
  using node = await nodeWith(DAY_MS);
  const withSample = (value: number) => ({
    status: {
      canary: events.canary(2, {
        metrics: events.canary(2).metrics.map((metric) => ({ ...metric, last: value, lastAt: node.time })),
      }),
    },
  });
  await node.beat(2, withSample(0.5));
  node.offMs = 0;
  node.wait(MINUTE_MS);
  await node.beat(2, withSample(0.4));
  const course = await node.course(2);
  assert.deepEqual(course.metrics[0]?.samples.map(({ value }) => value), [0.5, 0.4]);
});

Deno.test("a machine without heartbeats whose clock was ahead shows its next run", async () => {
  using node = await nodeWith(DAY_MS);
  await node.send(events.failed(NODE, { startedAt: node.time }));
  assert.equal((await node.row()).last?.outcome, "failed");
  node.offMs = 0;
  node.wait(HOUR_MS);
  await node.send(events.activated(NODE, 2, { startedAt: laterBy(node.time, -10_000) }));
  const row = await node.row();
  assert.equal(row.last?.outcome, "activated");
  assert.equal(row.active?.sequence, 2);
  assert.deepEqual(row.strip.map(({ outcome }) => outcome), ["failed", "activated"]);
});
