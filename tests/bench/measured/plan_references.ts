/**
 * Compares a category with its files and writes the changed ones beside them, as a sync does. Arguments: category,
 * PRIMARY's records, files.
 */
import { planCategory } from "../../../lib/references/plan_category.ts";
import { readPrimaryRecords } from "../../../lib/references/read_records.ts";

const [category, primary = "", ...paths] = Deno.args;
// The list of categories comes with the schema of the configuration, which takes longer to load than all the rest.
if (category !== "image_generation" && category !== "text_generation") {
  throw new TypeError(`no category of the benchmark: ${category}`);
}
const startedMs = performance.now();
const files = new Map(paths.map((path) => [path, Deno.readTextFileSync(path)]));
const records = readPrimaryRecords(category, Deno.readTextFileSync(primary));
const plan = planCategory(category, records, files, "the benchmark", { format: "keep", keep: new Set() });
for (const [path, text] of plan.files) Deno.writeTextFileSync(`planned-${path}`, text);
const elapsedMs = performance.now() - startedMs;
if (plan.changes.length === 0) throw new Error("nothing differs: there was nothing to render");
await Deno.stdout.write(new TextEncoder().encode(`${elapsedMs}\n`));
// As commands end: the engine does not first finish what it compiles in the background.
Deno.exit();
