import assert from "node:assert/strict";
import type { Log } from "../../lib/core/log.ts";
import { roleLog } from "../../lib/daemon/role_log.ts";

Deno.test("a role's log names the role in each line, for machines in a field, and in the progress bar", () => {
  const calls: unknown[] = [];
  const note = (level: string) => (...args: unknown[]) => void calls.push([level, ...args]);
  const log: Log = {
    debug: note("debug"),
    info: note("info"),
    warn: note("warn"),
    error: note("error"),
    progress: note("progress"),
  };
  const named = roleLog(log, "client");
  named.debug("a", { bytes: 5 });
  named.info("b");
  named.warn("c");
  named.error("d", { role: "other" });
  named.progress("copying", 1, undefined);
  assert.deepEqual(calls, [
    ["debug", "client: a", { bytes: 5, role: "client" }],
    ["info", "client: b", { role: "client" }],
    ["warn", "client: c", { role: "client" }],
    ["error", "client: d", { role: "client" }],
    ["progress", "client: copying", 1, undefined],
  ]);
});
