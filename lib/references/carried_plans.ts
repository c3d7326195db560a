import type { Category } from "../config/sections/references.ts";
import { placeOf } from "./categories.ts";
import { compareRecords, type ModelChange } from "./compare_records.ts";
import type { OwnCommit } from "./git/proposed_branch.ts";
import type { TargetRepository } from "./git/target_repository.ts";
import { fullName } from "./git/repository_address.ts";
import type { JsonObject } from "./json/json_value.ts";
import type { CategoryPlan, FileFormat, FileTexts } from "./plan.ts";
import { planCategory } from "./plan_category.ts";
import { readRecords } from "./read_records.ts";

/**
 * Returns plans for the categories of an open pull request that this run did not compare, so that a run for one
 * category keeps the others in the pull request. They contain the same changes, applied to the current files.
 */
export async function carriedPlans(
  repository: TargetRepository,
  last: OwnCommit,
  looked: readonly Category[],
  format: FileFormat,
): Promise<CategoryPlan[]> {
  const plans: CategoryPlan[] = [];
  for (const category of last.categories.filter((category) => !looked.includes(category))) {
    const changes = compareRecords(
      await recordsAt(repository, last.base, category),
      await recordsAt(repository, last.id, category),
    );
    const { paths } = placeOf(category);
    const where = fullName(repository.address);
    const now = await repository.read(repository.base, paths);
    const wanted = applyChanges(recordsIn(now, category, where), changes);
    plans.push(planCategory(category, wanted, now, where, { format, keep: new Set() }));
  }
  return plans;
}

async function recordsAt(
  repository: TargetRepository,
  commit: string,
  category: Category,
): Promise<JsonObject> {
  const [path = ""] = placeOf(category).paths;
  return recordsIn(await repository.read(commit, [path]), category, fullName(repository.address));
}

function recordsIn(texts: FileTexts, category: Category, where: string): JsonObject {
  const [path = ""] = placeOf(category).paths;
  return readRecords(path, texts.get(path) ?? "{}", where);
}

function applyChanges(records: JsonObject, changes: readonly ModelChange[]): JsonObject {
  const result = new Map(records);
  for (const change of changes) {
    if (change.kind === "removed") result.delete(change.name);
    else result.set(change.name, change.after);
  }
  return result;
}
