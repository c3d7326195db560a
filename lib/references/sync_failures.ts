import {
  AuthenticationError,
  EXIT,
  type ExitCode,
  FailedError,
  ModelSyncError,
  PassingError,
} from "../core/errors.ts";
import type { RepositoryReport, SyncReport } from "./sync_references.ts";

/** Returns the failures of a sync that went on to its end; a refused token first, because nothing works without it. */
export function failuresOf({ categories, repositories }: SyncReport): readonly unknown[] {
  const failures = [...categories, ...repositories].flatMap((report) =>
    "error" in report ? [report.error] : []
  );
  const isRefusal = (error: unknown) => error instanceof AuthenticationError;
  return [...failures.filter(isRefusal), ...failures.filter((error) => !isRefusal(error))];
}

/** The exit code of a sync that went on to its end: 3 where a token or a login was refused, 1 where anything else failed. */
export function exitCodeOf(report: SyncReport): ExitCode {
  const [failure] = failuresOf(report);
  if (failure === undefined) return EXIT.done;
  return failure instanceof AuthenticationError ? EXIT.authentication : EXIT.failed;
}

/** The result of a sync, for a watch. */
export type SyncResult =
  | { readonly kind: "complete" }
  /** Some parts failed; `error` is the first of the failures. */
  | { readonly kind: "incomplete"; readonly error: unknown; readonly failures: number }
  /** PRIMARY or GitHub could not be reached, or does not let us in. */
  | { readonly kind: "outage"; readonly error: unknown };

/**
 * Returns whether a sync was complete. A category that PRIMARY lacks, a refused record, or a foreign branch
 * leaves it incomplete. An outage is a server that could not be used at all: no category could be compared, or a
 * repository could not be written.
 */
export function resultOf(report: SyncReport): SyncResult {
  const { categories, repositories } = report;
  const [error, ...others] = [...failuresOf(report), ...repositories.flatMap(pendingError)];
  if (error === undefined) return { kind: "complete" };
  const isCompared = categories.some(({ status }) => status === "compared");
  const [unreachable] = repositories.flatMap((report) =>
    report.kind === "failed" && isOutage(report.error) ? [report.error] : []
  );
  if (unreachable !== undefined) return { kind: "outage", error: unreachable };
  if (!isCompared && [error, ...others].every(isOutage)) return { kind: "outage", error };
  return { kind: "incomplete", error, failures: 1 + others.length };
}

/** A pull request without its labels or reviewers fails no sync, but is not complete. */
function pendingError(report: RepositoryReport): FailedError[] {
  if (report.kind !== "proposed" || report.pending === undefined) return [];
  const { pending, pullRequest, repository } = report;
  return [
    new FailedError(`Cannot set the ${pending.join(" and ")} of ${pullRequest?.url ?? repository}`, {
      code: "PULL_REQUEST_INCOMPLETE",
      hint: "the next sync sets them",
    }),
  ];
}

/** The codes of servers that give no usable answer: of requests, and of git, which has its own words for it. */
const SILENCE: readonly string[] = [
  "UNREACHABLE",
  "TIMEOUT",
  "GIT_UNREACHABLE",
  "PROXY_REFUSED",
  "CERTIFICATE_UNTRUSTED",
  "TLS_MISSING",
];

/** Whether an error says that a server cannot be used at the moment. */
export function isOutage(error: unknown): boolean {
  if (error instanceof PassingError || error instanceof AuthenticationError) return true;
  return error instanceof ModelSyncError && SILENCE.includes(error.code);
}
