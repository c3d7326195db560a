/** Ends so many runs, one after the other, as a process of its own: `deliver_runs.ts FOLDER METRICS_FILE COUNT`. */
import { join } from "node:path";
import { metricsSink } from "../../lib/metrics/metrics_sink.ts";
import { appendHistory } from "../../lib/store/history.ts";
import { openStore } from "../../lib/store/store.ts";
import { IDLE_STATUS, pull } from "../helpers/metrics_world.ts";
import { testContext } from "../helpers/test_context.ts";

const [folder = "", file = "", count = ""] = Deno.args;
const store = openStore(Deno, { modelsDir: join(folder, "models") });
const sink = metricsSink(file, {
  store,
  build: { version: "1.2.3", deno: "2.9.6" },
  readStatus: () => Promise.resolve(IDLE_STATUS),
});
const context = testContext();
for (let run = 0; run < Number(count); run++) {
  appendHistory(store, pull());
  await sink.deliver(context, []);
}
if (context.log.lines.length > 0) throw new Error(context.log.lines.join("\n"));
