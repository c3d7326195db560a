import assert from "node:assert/strict";
import { settleAll, together } from "../../lib/core/concurrency.ts";

Deno.test("settleAll() throws the first error after everything has ended", async () => {
  const slow = Promise.withResolvers<string>();
  let isOver = false;
  const all = settleAll([Promise.reject(new Error("refused")), slow.promise]).finally(() => isOver = true);
  const failed = assert.rejects(all, { message: "refused" });
  await new Promise((resolve) => setTimeout(resolve, 0));
  assert.equal(isOver, false);
  slow.resolve("done");
  await failed;
});

Deno.test("together() aborts the others after the first failure, and throws it once they have ended", async () => {
  let isOver = false;
  const waits = async (signal: AbortSignal) => {
    await new Promise((resolve) => signal.addEventListener("abort", resolve));
    isOver = true;
    throw new Error("stopped");
  };
  const works = [waits, () => Promise.reject(new Error("refused"))];
  await assert.rejects(together(new AbortController().signal, works), { message: "refused" });
  assert.equal(isOver, true);
});
