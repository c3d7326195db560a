import assert from "node:assert/strict";
import { Lineages } from "../../../web/fleet/lag.ts";
import { laterBy, MINUTE_MS, rowOf } from "../../helpers/web_rows.ts";
import * as events from "../../helpers/web_events.ts";

const BEGIN = "2026-11-01T00:00:00.000Z";

function publisher(node: string, from: number, to: number) {
  const releases = Array.from(
    { length: to - from + 1 },
    (_, index) => events.published(node, from + index, { time: laterBy(BEGIN, (from + index) * MINUTE_MS) }),
  );
  return rowOf(node, ...releases);
}

function consumer(number: number, changes: Parameters<typeof events.activated>[2] = {}) {
  return rowOf("bot-1", events.activated("bot-1", number, changes));
}

Deno.test("a consumer is as far behind as releases were published after its own", () => {
  const lineages = new Lineages([publisher("trainer", 1, 5)]);
  assert.deepEqual(lineages.lagOf(consumer(3)), {
    newest: { digest: events.digestOfRelease(5), sequence: 5 },
    publisher: "trainer",
    releases: 2,
    isAtLeast: false,
    since: laterBy(BEGIN, 4 * MINUTE_MS),
  });
  const newest = lineages.lagOf(consumer(5));
  assert.deepEqual([newest?.releases, newest?.since], [0, null]);
});

Deno.test("of several publishers, the one that published the consumer's release counts", () => {
  const lineages = new Lineages([publisher("alpha", 1, 3), publisher("beta", 11, 14)]);
  assert.deepEqual(
    [lineages.lagOf(consumer(12))?.publisher, lineages.lagOf(consumer(12))?.releases],
    ["beta", 2],
  );
  assert.deepEqual(
    [lineages.lagOf(consumer(3))?.publisher, lineages.lagOf(consumer(3))?.releases],
    ["alpha", 0],
  );
});

Deno.test("with one publisher, an unknown release is behind by its sequence", () => {
  const unknown = consumer(99, { sequence: 2 });
  assert.equal(new Lineages([publisher("trainer", 3, 5)]).lagOf(unknown)?.releases, 3);
  const two = new Lineages([publisher("alpha", 1, 3), publisher("beta", 11, 14)]);
  assert.equal(two.lagOf(unknown), null);
  assert.equal(new Lineages([]).lagOf(unknown), null);
});

Deno.test("without a sequence, the distance of an unknown release is unknown", () => {
  const lag = new Lineages([publisher("trainer", 3, 5)]).lagOf(consumer(99, { sequence: undefined }));
  assert.deepEqual([lag?.releases, lag?.since], [null, null]);
});

Deno.test("a consumer that is further behind than the dashboard keeps is at least 50 releases behind", () => {
  const lag = new Lineages([publisher("trainer", 1, 60)]).lagOf(consumer(3));
  assert.deepEqual([lag?.releases, lag?.isAtLeast], [50, true]);
  const known = new Lineages([publisher("trainer", 1, 60)]).lagOf(consumer(11));
  assert.deepEqual([known?.releases, known?.isAtLeast], [49, false]);
});

Deno.test("a consumer that pulled before its publisher reported is not behind", () => {
  assert.equal(new Lineages([publisher("trainer", 1, 5)]).lagOf(consumer(6))?.releases, 0);
});

Deno.test("a node without an active release is not behind", () => {
  const row = rowOf("bot-1", events.failed("bot-1"));
  assert.equal(new Lineages([publisher("trainer", 1, 5)]).lagOf(row), null);
});

Deno.test("a release that was published again after a rollback at the publisher is the newest", () => {
  const row = rowOf(
    "trainer",
    events.published("trainer", 1, { time: laterBy(BEGIN, MINUTE_MS) }),
    events.published("trainer", 2, { time: laterBy(BEGIN, 2 * MINUTE_MS) }),
    events.published("trainer", 1, { time: laterBy(BEGIN, 3 * MINUTE_MS), sequence: 3 }),
  );
  const lineages = new Lineages([row]);
  assert.equal(lineages.lagOf(consumer(1))?.releases, 0);
  assert.equal(lineages.lagOf(consumer(2))?.releases, 1);
});
