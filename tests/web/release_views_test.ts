import assert from "node:assert/strict";
import { presencePath, presenceSteps } from "../../web/charts/presence.ts";
import { diffLists, fileChanges, sumChanges } from "../../lib/release/file_changes.ts";
import { reachWords, type ReleaseReach } from "../../web/fleet/release_reach.ts";

const file = (path: string, sha256: string, size = 1) => ({ path, sha256, size });

Deno.test("of several files with the same content, each is the source of one rename; the others are added or removed", () => {
  const before = [file("a1", "x"), file("a2", "x"), file("a3", "x")];
  const after = [file("b1", "x"), file("b2", "x")];
  const changes = fileChanges(before, after);
  assert.deepEqual(changes.map(({ path, kind, from }) => [path, kind, from]), [
    ["a3", "removed", undefined],
    ["b1", "renamed", "a1"],
    ["b2", "renamed", "a2"],
  ]);
  assert.equal(sumChanges(fileChanges(after, before)).counts.added, 1);
});

Deno.test("a copy of a file that stays is added, and a file that replaces another is changed", () => {
  const changes = fileChanges([file("a", "x"), file("b", "y")], [
    file("a", "x"),
    file("b", "x"),
    file("c", "x"),
  ]);
  assert.deepEqual(changes.map(({ path, kind }) => [path, kind]), [["b", "changed"], ["c", "added"]]);
});

Deno.test("both directions of a diff have the same bytes, with added and removed swapped", () => {
  const [one, other] = [[file("a", "1", 10), file("b", "2", 20)], [
    file("b", "3", 25),
    file("c", "4", 40),
  ]] as const;
  const forwards = sumChanges(fileChanges(one, other));
  const backwards = sumChanges(fileChanges(other, one));
  assert.deepEqual([forwards.addedBytes, forwards.removedBytes, forwards.changedBytes], [40, 10, 25]);
  assert.deepEqual([backwards.addedBytes, backwards.removedBytes, backwards.changedBytes], [10, 40, 20]);
});

Deno.test("cut lists are compared up to the end of the shorter one, in the order of manifests", () => {
  // U+1F600 is after U+FF5E by bytes, and before it by JavaScript's own order.
  const cut = { files: [file("a", "1"), file("\uff5e", "2")], total: 9 };
  const whole = { files: [file("a", "1"), file("\uff5e", "2"), file("\u{1f600}", "3")], total: 3 };
  assert.deepEqual(diffLists(cut, whole), { changes: [], comparedTo: "\uff5e" });
  assert.equal(diffLists(whole, whole).comparedTo, undefined);
  assert.deepEqual(diffLists({ files: [], total: 3 }, whole), { changes: [], comparedTo: "" });
});

Deno.test("a cut list is compared with its own last file", () => {
  const cut = { files: [file("a", "1"), file("b", "2")], total: 9 };
  const whole = { files: [file("a", "1"), file("b", "3"), file("c", "4")], total: 3 };
  assert.deepEqual(diffLists(cut, whole).changes.map(({ path, kind }) => [path, kind]), [["b", "changed"]]);
});

Deno.test("a file is renamed only to a new path, and only if both digests are known", () => {
  const kinds = (...lists: Parameters<typeof fileChanges>) =>
    fileChanges(...lists).map(({ path, kind }) => [path, kind]);
  assert.deepEqual(kinds([file("a", "x"), file("b", "y")], [file("b", "x")]), [
    ["a", "removed"],
    ["b", "changed"],
  ]);
  const unknown = (path: string) => [{ path, size: undefined, sha256: undefined }];
  assert.deepEqual(kinds(unknown("a"), unknown("b")), [["a", "removed"], ["b", "added"]]);
});

const span = { from: new Date(0), to: new Date(100) };

Deno.test("presences are counted over a span: earlier ones at its start, continuing ones until its end", () => {
  const steps = presenceSteps([
    { from: new Date(-50), until: new Date(40) },
    { from: new Date(20), until: null },
    { from: new Date(20), until: new Date(20) },
    { from: new Date(150), until: null },
  ], span);
  assert.deepEqual(steps.map(({ at, count }) => [at.getTime(), count]), [[0, 1], [20, 2], [40, 1], [100, 1]]);
});

Deno.test("a release that was never active has no area, and one node of a thousand is visible", () => {
  const size = { width: 100, height: 20 };
  assert.equal(presencePath(presenceSteps([], span), span, 4, size), "");
  const steps = presenceSteps([{ from: new Date(50), until: null }], span);
  assert.match(presencePath(steps, span, 1_000, size), /^M0,20L50,20L50,17/);
});

Deno.test("a thousand nodes that change one after the other give a path of a few hundred points", () => {
  const many = Array.from({ length: 1_000 }, (_, index) => ({
    from: new Date(index / 20),
    until: new Date(50 + index / 20),
  }));
  const path = presencePath(presenceSteps(many, span), span, 1_000, { width: 200, height: 24 });
  assert.ok(path.length < 6_000, `${path.length} characters`);
  assert.match(path, /,0L/);
});

Deno.test("a reach is worded by its most urgent part", () => {
  const none: ReleaseReach = {
    active: [],
    inCanary: [],
    rolledBack: [],
    quarantined: [],
    replaced: [],
    consumers: 4,
  };
  const cases: [Partial<ReleaseReach>, boolean, string, string, string][] = [
    [{}, true, "quiet", "not active yet", ""],
    [{}, false, "quiet", "never active", ""],
    [{ active: ["a", "b", "c", "d"] }, true, "good", "active on all 4", ""],
    [{ active: ["a"], consumers: 1 }, true, "good", "active on 1", ""],
    [
      { active: ["a"], inCanary: ["a"], replaced: ["b"] },
      true,
      "calm",
      "in canary on 1 of 4",
      "previously on 1",
    ],
    [
      { active: ["a", "b"], inCanary: ["b"], rolledBack: ["c"] },
      true,
      "warn",
      "active on 2 of 4",
      "in canary on 1, rolled back on 1",
    ],
    [
      { rolledBack: ["a"], quarantined: ["b"], replaced: ["c"] },
      false,
      "bad",
      "rolled back on 1, quarantined on 1",
      "previously on 1",
    ],
    [{ quarantined: ["b"] }, true, "warn", "quarantined on 1", ""],
    [{ replaced: ["a", "b"] }, false, "quiet", "replaced", "previously on 2"],
  ];
  for (const [reach, isNewest, tone, now, rest] of cases) {
    assert.deepEqual(reachWords({ ...none, ...reach }, isNewest), { tone, now, rest });
  }
});
