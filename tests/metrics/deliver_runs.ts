/** Ends so many runs, one after the other, as a process of its own: `deliver_runs.ts FOLDER METRICS_FILE COUNT`. */
import { join } from "node:path";
import { MetricsSink } from "../../lib/metrics/metrics_sink.ts";
import { appendHistory } from "../../lib/store/history.ts";
import { openStore } from "../../lib/store/store.ts";
import { pull, SETTINGS } from "./metrics_world.ts";
import { testContext } from "../helpers/test_context.ts";

const [folder = "", file = "", count = ""] = Deno.args;
const store = openStore(Deno, { modelsDir: join(folder, "models") });
const sink = new MetricsSink(file, SETTINGS, store);
const context = testContext();
for (let run = 0; run < Number(count); run++) {
  appendHistory(store, pull());
  await sink.deliver(context, []);
}
if (context.log.lines.length > 0) throw new Error(context.log.lines.join("\n"));
