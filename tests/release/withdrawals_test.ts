import assert from "node:assert/strict";
import type { Digest, Withdrawal } from "../../lib/release/manifest.ts";
import {
  findWithdrawn,
  isSameList,
  mergeWithdrawals,
  refuseWithdrawnModels,
  withWithdrawal,
} from "../../lib/release/withdrawals.ts";

function digestOf(number: number): Digest {
  return `sha256:${String(number).padStart(64, "0")}`;
}

function entry(number: number, state: string, day: number): Withdrawal {
  return { digest: digestOf(number), state, at: `2026-01-${String(day).padStart(2, "0")}T00:00:00Z` };
}

Deno.test("of two entries of a release the later counts, and of two at the same time the withdrawal, in any order", () => {
  const withdrawn = entry(1, "withdrawn", 2);
  for (
    const [other, wanted] of [
      [entry(1, "reinstated", 1), withdrawn],
      [entry(1, "reinstated", 2), withdrawn],
      [entry(1, "reinstated", 3), entry(1, "reinstated", 3)],
      [entry(1, "of a later version", 2), withdrawn],
    ] as const
  ) {
    assert.deepEqual(mergeWithdrawals([withdrawn], [other]), [wanted]);
    assert.deepEqual(mergeWithdrawals([other], [withdrawn]), [wanted]);
  }
  const known = { ...withdrawn, reason: "known first" };
  assert.deepEqual(mergeWithdrawals([known], [withdrawn]), [known]);
});

Deno.test("a list that is too long keeps the newest withdrawals, and drops reinstated releases first", () => {
  const list = [
    entry(1, "withdrawn", 1),
    entry(2, "withdrawn", 2),
    entry(3, "reinstated", 3),
    entry(4, "withdrawn", 4),
  ];
  assert.deepEqual(mergeWithdrawals(list, [], 4), list);
  assert.deepEqual(mergeWithdrawals(list, [], 3), [list[0], list[1], list[3]]);
  assert.deepEqual(mergeWithdrawals(list, [], 2), [list[1], list[3]]);
  const undone = [entry(1, "reinstated", 1), entry(2, "reinstated", 2), entry(3, "withdrawn", 3)];
  assert.deepEqual(mergeWithdrawals(undone, [], 2), undone.slice(1));
});

Deno.test("a change is later than the entry before it, even if the clock is set back", () => {
  const list = [entry(1, "withdrawn", 20)];
  const now = new Date("2026-01-01T00:00:00Z");
  const undone = withWithdrawal(list, { digest: digestOf(1), state: "reinstated", reason: undefined }, now);
  assert.deepEqual(undone, [{ digest: digestOf(1), state: "reinstated", at: "2026-01-20T00:00:01Z" }]);
  assert.equal(findWithdrawn(undone, digestOf(1)), undefined);
  const same = { digest: digestOf(1), state: "withdrawn", reason: undefined } as const;
  assert.equal(withWithdrawal(list, same, now), undefined);
});

Deno.test("another reason is a change, and no reason keeps the one before", () => {
  const at = "2026-01-20T00:00:00Z";
  const list = [{ ...entry(1, "withdrawn", 1), reason: "wrong labels" }];
  const change = (reason: string | undefined) =>
    withWithdrawal(list, { digest: digestOf(1), state: "withdrawn", reason }, new Date(at));
  assert.deepEqual(change("wrong prices"), [{ ...list[0], at, reason: "wrong prices" }]);
  assert.equal(change("wrong labels"), undefined);
  assert.equal(change(undefined), undefined);
});

Deno.test("two lists of the same entries say the same in any order, and not with another state, time or reason", () => {
  const [a, b] = [entry(1, "withdrawn", 1), entry(2, "withdrawn", 2)];
  assert.ok(isSameList([a, b], [b, a]));
  for (const other of [entry(1, "reinstated", 1), entry(1, "withdrawn", 2), { ...a, reason: "labels" }, b]) {
    assert.ok(!isSameList([a], [other]));
  }
});

Deno.test("the refusal of withdrawn models has the time, and the reason if there is one", () => {
  const at = "2026-01-01T00:00:00Z";
  const refuse = (list: readonly Withdrawal[]) => refuseWithdrawnModels(list, digestOf(1), "models");
  const withdrawn = entry(1, "withdrawn", 1);
  assert.throws(() => refuse([withdrawn]), { code: "WITHDRAWN", message: new RegExp(`withdrawn at ${at}$`) });
  assert.throws(() => refuse([{ ...withdrawn, reason: "wrong labels" }]), {
    message: new RegExp(`withdrawn at ${at} \\(wrong labels\\)$`),
  });
  refuse([entry(2, "withdrawn", 1), entry(1, "reinstated", 1)]);
});
