import assert from "node:assert/strict";
import { Budget, Pool } from "../../lib/core/concurrency.ts";

Deno.test("Pool runs all tasks, and never more at once than its limit", async () => {
  const pool = new Pool(3);
  let running = 0;
  let most = 0;
  let done = 0;
  const full = Promise.withResolvers<void>();
  for (let count = 0; count < 20; count++) {
    await pool.add(async () => {
      most = Math.max(most, ++running);
      if (running === 3) full.resolve();
      await full.promise;
      running--;
      done++;
    });
  }
  await pool.drain();
  assert.deepEqual([most, done], [3, 20]);
});

Deno.test("Pool throws the first failure to its callers, after the other tasks have ended", async () => {
  const pool = new Pool(3);
  const gate = Promise.withResolvers<void>();
  let ended = 0;
  await pool.add(async () => {
    await gate.promise;
    ended++;
  });
  await pool.add(() => Promise.reject(new Error("first")));
  gate.resolve();
  await assert.rejects(pool.drain(), /first/);
  assert.equal(ended, 1);
  await assert.rejects(pool.add(() => Promise.resolve()), /first/);
});

Deno.test("Budget starts tasks in the order of their calls as soon as their amounts are free, and after failures, too", async () => {
  const budget = new Budget(4);
  const order: string[] = [];
  let spent = 0;
  const task = (name: string, amount: number) =>
    budget.spend(amount, async () => {
      spent += Math.min(amount, 4);
      assert.ok(spent <= 4);
      order.push(name);
      await Promise.resolve();
      spent -= Math.min(amount, 4);
      if (name === "fails") throw new Error(name);
    });
  const ended = await Promise.allSettled([task("fails", 1), task("b", 3), task("huge", 9), task("d", 1)]);
  assert.deepEqual(order, ["fails", "b", "huge", "d"]);
  assert.deepEqual(ended.map(({ status }) => status), ["rejected", "fulfilled", "fulfilled", "fulfilled"]);
});
