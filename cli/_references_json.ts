import { messageOf, ModelSyncError } from "../lib/core/errors.ts";
import { changeLines } from "../lib/references/change_lines.ts";
import { namesOf } from "../lib/references/compare_records.ts";
import { fieldChanges } from "../lib/references/field_changes.ts";
import { renderInline } from "../lib/references/json/render_json.ts";
import type { CategoryReport, SyncReport } from "../lib/references/sync_references.ts";

/** Returns the report as an object. Values are JSON text, because their numbers may exceed a double. */
export function reportJson({ categories, repositories, patchPath }: SyncReport, isDryRun: boolean): object {
  return {
    dryRun: isDryRun,
    patch: patchPath ?? null,
    categories: categories.map((report) => ({
      category: report.category,
      repository: report.repository,
      status: report.status,
      ...(report.status === "compared"
        ? {
          added: namesOf(report.plan.changes, "added"),
          removed: namesOf(report.plan.changes, "removed"),
          modified: namesOf(report.plan.changes, "modified"),
          warnings: report.plan.warnings,
          ...(isDryRun
            ? { fields: modifiedFields(report), lines: report.plan.changes.flatMap(changeLines) }
            : {}),
        }
        : {}),
      ...(report.status === "failed" ? { error: errorJson(report.error) } : {}),
    })),
    repositories: repositories.map((report) => ({
      repository: report.repository,
      outcome: report.kind === "proposed" ? report.outcome : report.kind,
      changes: report.changes,
      ...(report.kind === "proposed"
        ? {
          pullRequest: report.pullRequest === undefined
            ? null
            : { number: report.pullRequest.number, url: report.pullRequest.url },
          ...(report.kept === undefined ? {} : { kept: report.kept }),
          ...(report.pending === undefined ? {} : { pending: report.pending }),
        }
        : {}),
      ...(report.kind === "written" ? { written: report.written } : {}),
      ...(report.kind === "failed" ? { error: errorJson(report.error) } : {}),
    })),
  };
}

function modifiedFields(report: Extract<CategoryReport, { status: "compared" }>): object {
  return Object.fromEntries(
    report.plan.changes.flatMap((change) => {
      if (change.kind !== "modified") return [];
      const fields = fieldChanges(change.before, change.after).map(({ path, before, after }) => ({
        path,
        before: before === undefined ? null : renderInline(before),
        after: after === undefined ? null : renderInline(after),
      }));
      return [[change.name, fields]];
    }),
  );
}

function errorJson(error: unknown): object {
  return {
    code: error instanceof ModelSyncError ? error.code : "UNEXPECTED",
    message: messageOf(error),
    hint: error instanceof ModelSyncError ? error.hint ?? null : null,
  };
}
