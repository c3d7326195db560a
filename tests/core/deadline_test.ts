import assert from "node:assert/strict";
import { neverAborted } from "../../lib/core/context.ts";
import { withDeadline } from "../../lib/core/deadline.ts";
import { FakeClock } from "../helpers/fake_clock.ts";

const late = () => new Error("too late");

Deno.test("withDeadline() abandons work that ignores its signal, and a later failure of that work harms nothing", async () => {
  for (const why of ["the time", "the caller"]) {
    const clock = new FakeClock("2026-11-21T00:00:00Z");
    const caller = new AbortController();
    const stuck = Promise.withResolvers<never>();
    const context = { clock, signal: caller.signal };
    const running = withDeadline(context, 1000, late, () => stuck.promise, 0);
    if (why === "the time") clock.advance(1000);
    else caller.abort(new Error("stopped"));
    await assert.rejects(running, why === "the time" ? /^Error: too late$/ : /^Error: stopped$/);
    assert.deepEqual(clock.sleepsMs, []);
    stuck.reject(new Error("late failure"));
  }
});

Deno.test("withDeadline() waits for aborted work that ends, and throws the reason of the abort", async () => {
  const clock = new FakeClock("2026-11-21T00:00:00Z");
  const cleaning = Promise.withResolvers<void>();
  const steps: string[] = [];
  const running = withDeadline({ clock, signal: neverAborted() }, 1000, late, async (signal) => {
    await cleaning.promise;
    steps.push(String(signal.reason));
    signal.throwIfAborted();
  });
  const ended = running.catch((error) => steps.push(`thrown: ${error}`));
  clock.advance(1000);
  for (let turn = 0; turn < 10; turn++) await Promise.resolve();
  assert.deepEqual(steps, []);
  cleaning.resolve();
  await ended;
  assert.deepEqual(steps, ["Error: too late", "thrown: Error: too late"]);
});
