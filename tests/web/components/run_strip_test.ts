import assert from "node:assert/strict";
import { stripPaths, stripWords } from "../../../web/components/RunStrip.tsx";
import { toneOfOutcome } from "../../../web/fleet/tone.ts";
import { runsOf } from "../gallery_data.ts";

Deno.test("a strip has one path for each tone, for any number of runs", () => {
  const paths = stripPaths(runsOf("gqgqgqbb"));
  assert.deepEqual([...paths.keys()].sort(), ["bad", "good", "quiet"]);
  assert.equal(paths.get("good")?.split("M").length, 4);
});

Deno.test("the newest run is at the right end, and only the last 30 runs are shown", () => {
  assert.equal(stripPaths(runsOf("g")).get("good"), "M174 9h4v13h-4z");
  const paths = stripPaths(runsOf(`b${"q".repeat(29)}g`));
  assert.equal(paths.has("bad"), false);
  assert.ok(paths.get("quiet")?.startsWith("M0 "));
});

Deno.test("the bar of a failed run is the tallest, so that it is visible without colours", () => {
  const tall = (letter: string, tone: "bad" | "good" | "warn" | "quiet") =>
    Number(/v(\d+)/.exec(stripPaths(runsOf(letter)).get(tone) ?? "")?.[1]);
  assert.ok(tall("b", "bad") > tall("w", "warn"));
  assert.ok(tall("w", "warn") > tall("g", "good"));
  assert.ok(tall("g", "good") > tall("q", "quiet"));
});

Deno.test("a strip has a text alternative", () => {
  assert.equal(stripWords([]), "No runs yet");
  assert.equal(stripWords(runsOf("b")), "Last run: 1 failed");
  assert.equal(stripWords(runsOf(`${"g".repeat(28)}bw`)), "Last 30 runs: 28 good, 1 failed, 1 rolled back");
  assert.equal(stripWords(runsOf("gqq")), "Last 3 runs: 2 unchanged, 1 good");
});

Deno.test("an unknown outcome is quiet, even one named like an inherited property", () => {
  assert.equal(toneOfOutcome("teleported"), "quiet");
  assert.equal(toneOfOutcome("constructor"), "quiet");
  assert.equal(toneOfOutcome("__proto__"), "quiet");
  assert.equal(toneOfOutcome("failed"), "bad");
});
