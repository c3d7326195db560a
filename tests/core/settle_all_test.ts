import assert from "node:assert/strict";
import { settleAll } from "../../lib/core/concurrency.ts";

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
