import assert from "node:assert/strict";
import { join } from "node:path";
import { metricsText } from "../../lib/metrics/metrics_text.ts";
import { SOURCE } from "./metrics_source.ts";
import { parseMetrics } from "../helpers/parse_metrics.ts";
import { HAS_PROMTOOL, WITHOUT_PROMTOOL } from "../helpers/promtool.ts";
import { guide } from "../helpers/pages.ts";
import { tempDir } from "../helpers/temp_dir.ts";

const GUIDE = guide("monitoring.md");

Deno.test("the monitoring guide lists every metric with its labels", () => {
  const rows = GUIDE.tableBelow("Prometheus metrics").map((cells) =>
    cells.slice(0, 2).map((cell) => Array.from(cell.matchAll(/`([^`]+)`/g), ([, name = ""]) => name))
  );
  const named = Object.fromEntries(rows.map(([[name = ""] = [], labels = []]) => [name, labels.sort()]));
  const exposed = Array.from(parseMetrics(metricsText(SOURCE)), ([name, { samples }]) => {
    const labels = new Set(samples.flatMap(({ labels }) => Object.keys(labels)));
    // Every series has the first; the other is how a histogram is written.
    for (const label of ["store", "le"]) labels.delete(label);
    return [name, [...labels].sort()];
  });
  assert.deepEqual(named, Object.fromEntries(exposed));
});

Deno.test({
  name: `promtool accepts the guide's alerting rules, and their metrics and labels exist${WITHOUT_PROMTOOL}`,
  ignore: !HAS_PROMTOOL,
  fn() {
    using dir = tempDir();
    const rules = GUIDE.block("yaml prometheus");
    const path = join(dir.path, "rules.yml");
    Deno.writeTextFileSync(path, rules);
    const { success, stdout, stderr } = new Deno.Command("promtool", { args: ["check", "rules", path] })
      .outputSync();
    assert.ok(success, new TextDecoder().decode(stderr));
    assert.match(new TextDecoder().decode(stdout), /2 rules found/);
    const families = parseMetrics(metricsText(SOURCE));
    for (const [, name = "", label = ""] of rules.matchAll(/(model_sync_\w+)\{(\w+)/g)) {
      assert.ok(Object.hasOwn(families.get(name)?.samples[0]?.labels ?? {}, label), `${name}{${label}}`);
    }
  },
});
