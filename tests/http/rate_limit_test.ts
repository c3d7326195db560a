import assert from "node:assert/strict";
import { RateLimit } from "../../lib/http/rate_limit.ts";
import { StallWatch } from "../../lib/http/stall_watch.ts";
import { FakeClock } from "../helpers/fake_clock.ts";

Deno.test("a rate limit so low that a piece takes longer than the stall limit is not a stall", async () => {
  const clock = new FakeClock("2026-11-21T00:00:00Z");
  const context = { clock, signal: new AbortController().signal };
  using watch = new StallWatch(context, 30_000, () => new RangeError("stalled"));
  const passing = new RateLimit(context, 1024).pass(64 * 1024, () => watch.beat());
  for (let second = 0; second < 64; second++) {
    clock.advance(1_000);
    // What woke up has its turn before the next second.
    for (let turn = 0; turn < 10; turn++) await Promise.resolve();
  }
  await passing;
  assert.equal(watch.signal.aborted, false);
});
