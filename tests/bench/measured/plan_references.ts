/**
 * Compares a category with its files and renders the changes, as a sync does. Arguments: category, PRIMARY's records,
 * files.
 */
import { basename } from "node:path";
import { CATEGORIES } from "../../../lib/config/sections/references.ts";
import { planCategory } from "../../../lib/references/plan_category.ts";
import { readPrimaryRecords } from "../../../lib/references/read_records.ts";

const [name, primary = "", ...paths] = Deno.args;
const category = CATEGORIES.find((category) => category === name);
if (category === undefined) throw new TypeError(`no category: ${name}`);
const startedMs = performance.now();
const files = new Map(paths.map((path) => [basename(path), Deno.readTextFileSync(path)]));
const records = readPrimaryRecords(category, Deno.readTextFileSync(primary));
const plan = planCategory(category, records, files, "the benchmark", { format: "keep", keep: new Set() });
const elapsedMs = performance.now() - startedMs;
if (plan.changes.length === 0) throw new Error("nothing differs: there was nothing to render");
await new Blob([`${elapsedMs}\n`]).stream().pipeTo(Deno.stdout.writable);
