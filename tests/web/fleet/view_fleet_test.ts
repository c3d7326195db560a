import assert from "node:assert/strict";
import { summarize } from "../../../web/fleet/summary.ts";
import { byUrgency, viewFleet } from "../../../web/fleet/view_fleet.ts";
import { unreportedNode } from "../../../web/store/reduce_node.ts";
import type { NodeRow } from "../../../web/store/rows.ts";
import { laterBy, MINUTE_MS, rowOf } from "../../helpers/web_rows.ts";
import * as events from "../../helpers/web_events.ts";

const AT = "2026-11-29T06:00:00.000Z";
const NOW = new Date(laterBy(AT, MINUTE_MS));

const well = (node: string) => rowOf(node, events.finished(node));
const ill = (node: string) => rowOf(node, events.failed(node));
const tired = (node: string) => rowOf(node, events.failed(node, { outcome: "interrupted" }));

function said(...rows: readonly NodeRow[]): string {
  const { tone, troubled, rest } = summarize(viewFleet(rows, NOW).nodes);
  return `${tone}: ${troubled} ${rest}`;
}

Deno.test("one sentence gives the state of the fleet", () => {
  assert.equal(said(), "empty:  No node has reported yet.");
  assert.equal(said(well("a")), "good:  The node is healthy.");
  assert.equal(said(well("a"), well("b")), "good:  Both nodes are healthy.");
  assert.equal(said(well("a"), well("b"), well("c")), "good:  All 3 nodes are healthy.");
  assert.equal(said(ill("a")), "bad: The node needs attention.");
  assert.equal(said(ill("a"), well("b")), "bad: 1 of 2 nodes needs attention. The other one is healthy.");
  assert.equal(
    said(tired("a"), tired("b"), well("c"), well("d")),
    "warn: 2 of 4 nodes need attention. The other 2 are healthy.",
  );
  assert.equal(
    said(well("a"), unreportedNode("b")),
    "good:  The node is healthy. 1 has not reported yet.",
  );
  assert.equal(said(unreportedNode("a")), "empty:  No node has reported yet.");
});

Deno.test("problems come first, the worst at the top, then states, then names with their numbers in order", () => {
  const canary = rowOf(
    "z",
    events.heartbeat("z", { time: AT, status: { canary: events.canary(2), next: {} } }),
  );
  const rows = [well("bot-10"), well("bot-2"), unreportedNode("new"), canary, tired("x"), ill("y")];
  const names = [...viewFleet(rows, NOW).nodes].sort(byUrgency).map(({ row }) => row.node);
  assert.deepEqual(names, ["y", "x", "z", "new", "bot-2", "bot-10"]);
});

Deno.test("nodes are grouped by their roles, names and runs", () => {
  const groupOf = (row: NodeRow) => viewFleet([row], NOW).nodes[0]?.group;
  const ofRoles = (...roles: readonly string[]) =>
    rowOf(
      "n",
      events.heartbeat("n", {
        status: { schedules: Object.fromEntries(roles.map((role) => [role, events.schedule()])) },
      }),
    );
  assert.equal(groupOf(ofRoles("publisher", "huggingface_client")), "consumers");
  assert.equal(groupOf(ofRoles("publisher")), "publishers");
  assert.equal(groupOf(ofRoles("references")), "references");
  assert.equal(groupOf(unreportedNode("bot-1/publisher")), "publishers");
  assert.equal(groupOf(unreportedNode("bot-1/references")), "references");
  assert.equal(groupOf(unreportedNode("bot-1")), "consumers");
  assert.equal(groupOf(rowOf("n", events.published("n", 1))), "publishers");
  assert.equal(groupOf(rowOf("n", events.finished("n", { command: "train" }))), "publishers");
  assert.equal(groupOf(rowOf("n", events.finished("n", { command: "references-sync" }))), "references");
  assert.equal(groupOf(rowOf("n", events.finished("n", { command: "hf-pull" }))), "consumers");
  assert.equal(groupOf(rowOf("n", events.failed("n", { command: "rollback" }))), "consumers");
});

Deno.test("only consumers are behind", () => {
  const rows = [
    rowOf("trainer", events.published("trainer", 1), events.published("trainer", 2, { time: AT })),
    rowOf("bot", events.activated("bot", 1)),
  ];
  const lags = viewFleet(rows, NOW).nodes.map(({ row, lag }) => [row.node, lag?.releases ?? null]);
  assert.deepEqual(lags, [["trainer", null], ["bot", 1]]);
});

Deno.test("a role that is named like an inherited property does not break the fleet", () => {
  const status = { schedules: { constructor: events.schedule() }, next: { constructor: AT } };
  const row = rowOf("n", events.finished("n"), events.heartbeat("n", { time: AT, status }));
  assert.equal(viewFleet([row], NOW).nodes.length, 1);
});
