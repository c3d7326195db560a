import assert from "node:assert/strict";
import type { Trouble } from "../../../web/fleet/node_view.ts";
import { viewFleet } from "../../../web/fleet/view_fleet.ts";
import { publicRow } from "../../../web/viewer/public_view.ts";
import type { NodeRow } from "../../../web/store/rows.ts";
import { DAY_MS, HOUR_MS, laterBy, MINUTE_MS, rowOf, skewedRowOf } from "../../helpers/web_rows.ts";
import * as events from "../../helpers/web_events.ts";

const NODE = "bot-1/client";
const AT = "2026-11-29T06:00:00.000Z";
const NOW = new Date(laterBy(AT, 2 * MINUTE_MS));

function troublesOf(row: NodeRow, now = NOW, ...others: readonly NodeRow[]): readonly Trouble[] {
  return viewFleet([row, ...others], now).nodes.find((view) => view.row.node === row.node)?.troubles ?? [];
}

function texts(troubles: readonly Trouble[]): string[] {
  return troubles.map(({ title, text, command }) =>
    [title, text, command].filter((part) => part !== undefined).join(" | ")
  );
}

/** A recent heartbeat: the node is up, and nothing is due. */
function beat(changes: events.HeartbeatChanges = {}) {
  return events.heartbeat(NODE, {
    time: laterBy(AT, MINUTE_MS),
    ...changes,
    status: { next: {}, ...changes.status },
  });
}

Deno.test("a node that pulled successfully has no problem", () => {
  assert.deepEqual(troublesOf(rowOf(NODE, events.activated(NODE, 2), beat())), []);
});

Deno.test("a failed run shows the reason, and how often in a row it failed", () => {
  const fail = (hour: number) => events.failed(NODE, { startedAt: laterBy(AT, -hour * HOUR_MS) });
  const why = events.failed(NODE).data.error?.message;
  const once = rowOf(NODE, events.finished(NODE, { startedAt: laterBy(AT, -5 * HOUR_MS) }), fail(0));
  assert.deepEqual(texts(troublesOf(once)), [`failed to pull | ${why}.`]);
  const thrice = rowOf(
    NODE,
    events.finished(NODE, { startedAt: laterBy(AT, -5 * HOUR_MS) }),
    fail(0),
    fail(1),
    fail(2),
  );
  assert.deepEqual(texts(troublesOf(thrice)), [
    `failed to pull | ${why}. It is the 3rd failure in a row.`,
  ]);
});

Deno.test("failures of all commands read as sentences after the node's name", () => {
  const title = (outcome: string, command: string) =>
    troublesOf(rowOf(NODE, events.failed(NODE, { outcome, command })))[0]?.title;
  assert.equal(title("failed", "publish"), "failed to publish");
  assert.equal(title("failed", "references-sync"), "failed to run references-sync");
  assert.equal(title("refused", "hf-pull"), "refused a release");
  assert.equal(title("refused", "publish"), "refused to publish");
  assert.equal(title("interrupted", "train"), "was interrupted during train");
});

Deno.test("a killed run is a problem from the next heartbeat on; its record, which the next run writes, takes the place", () => {
  const startedAt = laterBy(AT, 30_000);
  const killed = { runId: "killed", command: "pull", startedAt, step: "stage" };
  const row = rowOf(NODE, events.activated(NODE, 2), beat({ status: { interrupted: [killed] } }));
  assert.deepEqual(texts(troublesOf(row)), [
    'was interrupted during pull | It was killed in its step "stage". The next run undoes or completes its work.',
  ]);
  assert.deepEqual(texts(troublesOf(publicRow(row, NODE))), [
    "was interrupted during pull | It was killed. The next run undoes or completes its work.",
  ]);
  const error = { code: "INTERRUPTED", message: "the run was killed" };
  const record = { ...killed, outcome: "interrupted", error };
  const known = rowOf(
    NODE,
    events.activated(NODE, 2),
    beat({ status: { interrupted: [killed] } }),
    events.failed(NODE, record),
  );
  assert.deepEqual(texts(troublesOf(known)), ["was interrupted during pull | The run was killed."]);
  assert.deepEqual(texts(troublesOf(publicRow(known, NODE))).length, 1);
});

Deno.test("a rollback shows the release, the reason, and how to activate the replaced release anyway", () => {
  const row = rowOf(
    NODE,
    events.finished(NODE, {
      outcome: "rolled-back",
      release: events.digestOfRelease(1),
      previous: events.digestOfRelease(2),
      error: { code: "CANARY_FAILED", message: "the canary failed: win_rate 0.41" },
    }),
    beat(),
  );
  assert.deepEqual(texts(troublesOf(row)), [
    "rolled back to release 1 | The canary failed: win_rate 0.41. The replaced release is quarantined there. " +
    "To activate it anyway, run: | model-sync rollback --to 0000a0020000",
  ]);
});

Deno.test("a rollback by an operator is not a problem", () => {
  const row = rowOf(NODE, events.finished(NODE, { outcome: "rolled-back", command: "rollback" }));
  assert.deepEqual(troublesOf(row), []);
});

Deno.test("a quarantined newest release is still a problem after the next pull", () => {
  const trainer = rowOf(
    "trainer",
    events.published("trainer", 1, { time: laterBy(AT, -2 * DAY_MS) }),
    events.published("trainer", 2, { time: laterBy(AT, -HOUR_MS) }),
  );
  const quarantine = [{ digest: events.digestOfRelease(2), sequence: 2, reason: "worse", at: AT }];
  const row = rowOf(NODE, events.finished(NODE), beat({ status: { quarantine } }));
  assert.deepEqual(texts(troublesOf(row, NOW, trainer)), [
    "keeps release 2 in quarantine | It is the newest release of trainer. Release 1 stays active until a newer " +
    "one is published. To release it from quarantine, run: | model-sync quarantine lift 0000a0020000",
  ]);
});

Deno.test("an active release that its publisher withdrew is a problem; a withdrawn newest release is none", () => {
  const trainer = rowOf(
    "trainer",
    events.published("trainer", 1, { time: laterBy(AT, -5 * DAY_MS) }),
    events.published("trainer", 2, { time: laterBy(AT, -4 * DAY_MS) }),
  );
  const known = (number: number) => ({
    status: { withdrawn: [{ digest: events.digestOfRelease(number), state: "withdrawn", at: AT }] },
  });
  assert.deepEqual(texts(troublesOf(rowOf(NODE, events.finished(NODE), beat(known(2))), NOW, trainer)), []);
  const [first] = texts(troublesOf(rowOf(NODE, events.finished(NODE), beat(known(1))), NOW, trainer));
  assert.match(first ?? "", /^has the withdrawn release 1 active \| .*model-sync pull$/);
});

Deno.test("a node is behind after a day, not before", () => {
  const trainer = (hours: number) =>
    rowOf(
      "trainer",
      events.published("trainer", 1, { time: laterBy(AT, -9 * DAY_MS) }),
      events.published("trainer", 2, { time: laterBy(NOW.toISOString(), -hours * HOUR_MS) }),
      events.published("trainer", 3, { time: AT }),
    );
  const row = rowOf(NODE, events.finished(NODE), beat());
  assert.deepEqual(troublesOf(row, NOW, trainer(25)), []);
  assert.deepEqual(texts(troublesOf(row, NOW, trainer(26))), [
    "is 2 releases behind | trainer published a newer release 26 h ago; the newest is 3.",
  ]);
});

Deno.test("faults of the store and a nearly full disk show a command", () => {
  const row = rowOf(
    NODE,
    beat({ status: { modelFolderFault: "the model folder is a copy", freeBytes: 200 * 1024 ** 2 } }),
  );
  assert.deepEqual(texts(troublesOf(row)), [
    "has a fault in its store | The model folder is a copy. | model-sync doctor",
    "has a nearly full disk | 200.0 MiB are free. | model-sync prune",
  ]);
});

Deno.test("a wrong clock is a problem of its own, and does not make the node down", () => {
  const row = skewedRowOf(NODE, DAY_MS, beat());
  const now = new Date(laterBy(AT, -DAY_MS + 2 * MINUTE_MS));
  assert.deepEqual(texts(troublesOf(row, now)), [
    "has a clock that is 24 h ahead | Its schedule and the times of its runs are off by the same amount. Set the " +
    "clock and enable NTP.",
  ]);
});

Deno.test("last run and release of a paused node are no problems; of a down node, down is shown first", () => {
  const pause = { since: AT, until: null, host: "bot-1" };
  const schedules = { client: events.schedule({ paused: pause }) };
  const failedThen = events.failed(NODE);
  assert.deepEqual(troublesOf(rowOf(NODE, failedThen, beat({ status: { schedules } }))), []);
  const down = troublesOf(rowOf(NODE, failedThen, beat()), new Date(laterBy(AT, HOUR_MS)));
  assert.deepEqual(down.map(({ kind }) => kind), ["down", "failed"]);
});
