import assert from "node:assert/strict";
import fc from "fast-check";
import { filterAddress } from "../../../web/islands/filter.ts";
import { longestRise } from "../../../web/islands/morph.ts";
import { changedNodes, concernsPage } from "../../../web/islands/live_message.ts";
import { refreshDelay, retryDelay } from "../../../web/islands/pace.ts";

Deno.test("a message about other nodes does not concern a page; one about any node does", () => {
  const shown = JSON.stringify(["bot-paris", "bot-1/2"]);
  assert.equal(concernsPage(changedNodes('{"version":"2","nodes":["bot-1/2"]}'), shown), true);
  assert.equal(concernsPage(changedNodes('{"version":"2","nodes":["bot-1"]}'), shown), false);
  assert.equal(concernsPage(changedNodes('{"version":"2","nodes":[]}'), shown), false);
  assert.equal(concernsPage(changedNodes('{"version":"2","nodes":["bot-1"]}'), undefined), true);
  assert.equal(concernsPage(changedNodes('{"version":"2","nodes":null}'), shown), true);
});

Deno.test("a message that a page does not understand refreshes it", () => {
  for (const text of ["", "{", "null", "7", "[]", "{}", '{"nodes":"bot-paris"}', '{"nodes":[7]}']) {
    assert.deepEqual(changedNodes(text), undefined, text);
    assert.equal(concernsPage(changedNodes(text), '["bot-paris"]'), true, text);
  }
  assert.equal(concernsPage(changedNodes('{"version":"2","nodes":["a"]}'), "no JSON"), true);
});

Deno.test("a page is fetched at most once a second, and not by all readers at once", () => {
  assert.equal(refreshDelay(Infinity, 0), 0);
  assert.equal(refreshDelay(400, 0), 600);
  assert.equal(refreshDelay(400, 0.999), 899);
  assert.equal(refreshDelay(60_000, 0.999), 299);
});

Deno.test("after failures a page doubles its delay, up to half a minute", () => {
  assert.deepEqual([1, 2, 3, 4, 5, 6, 7].map((failures) => retryDelay(failures, 1)), [
    1_000,
    2_000,
    4_000,
    8_000,
    16_000,
    30_000,
    30_000,
  ]);
  assert.equal(retryDelay(1, 0), 750);
  assert.equal(retryDelay(100_000, 1), 30_000);
});

Deno.test("a filter's address has only the parameters that are set", () => {
  const entries: [string, unknown][] = [["q", "  "], ["state", "late"], ["label", "a&b=ü"], [
    "file",
    new Blob(),
  ]];
  assert.equal(
    filterAddress("https://fleet.test/?old=1", entries),
    "https://fleet.test/?state=late&label=a%26b%3D%C3%BC",
  );
  assert.equal(filterAddress("https://fleet.test/?old=1", []), "https://fleet.test/");
});

Deno.test("when the order changes, as many elements as possible stay in place", () => {
  assert.deepEqual(longestRise([]), new Set());
  assert.deepEqual(longestRise([0, 1, 2, 3]), new Set([0, 1, 2, 3]));
  // Only the last one moves, to the top.
  assert.deepEqual(longestRise([3, 0, 1, 2]), new Set([1, 2, 3]));
  assert.deepEqual(longestRise([1, 2, 3, 0]), new Set([0, 1, 2]));
  assert.equal(longestRise([4, 3, 2, 1]).size, 1);
  fc.assert(fc.property(fc.uniqueArray(fc.nat(30), { maxLength: 9 }), (numbers) => {
    const rise = Array.from(longestRise(numbers)).sort((a, b) => a - b).map((place) => numbers[place] ?? 0);
    assert.ok(rise.every((number, index) => index === 0 || (rise[index - 1] ?? 0) < number));
    assert.equal(rise.length, longestByTrying(numbers));
  }));
});

/** Returns the length of the longest increasing subsequence by brute force. */
function longestByTrying([first, ...rest]: readonly number[], above = -1): number {
  if (first === undefined) return 0;
  const without = longestByTrying(rest, above);
  return first > above ? Math.max(without, 1 + longestByTrying(rest, first)) : without;
}
