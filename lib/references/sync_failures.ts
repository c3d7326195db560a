import {
  AuthenticationError,
  EXIT,
  type ExitCode,
  FailedError,
  ModelSyncError,
  TransientError,
} from "../core/errors.ts";
import type { RepositoryReport, SyncReport } from "./sync_references.ts";

/** Returns the failures of a completed sync. A rejected token comes first, because nothing works without it. */
export function failuresOf({ categories, repositories }: SyncReport): readonly unknown[] {
  const failures = [...categories, ...repositories].flatMap((report) =>
    "error" in report ? [report.error] : []
  );
  const isRefusal = (error: unknown) => error instanceof AuthenticationError;
  return [...failures.filter(isRefusal), ...failures.filter((error) => !isRefusal(error))];
}

/** Returns the exit code of a completed sync: 3 for a rejected token or login, 1 for other failures. */
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
  /** PRIMARY or GitHub could not be reached, or denied access. */
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

/** Missing labels or reviewers are not a failure, but the sync is incomplete. */
function pendingError(report: RepositoryReport): FailedError[] {
  if (report.kind !== "proposed" || report.pending === undefined) return [];
  const { pending, pullRequest, repository } = report;
  return [
    new FailedError(`Cannot set the ${pending.join(" and ")} of ${pullRequest?.url ?? repository}`, {
      code: "PULL_REQUEST_INCOMPLETE",
      hint: "the next sync adds them",
    }),
  ];
}

/** The error codes for servers without a usable answer: of HTTP requests and of git. */
const SILENCE: readonly string[] = [
  "UNREACHABLE",
  "TIMEOUT",
  "GIT_UNREACHABLE",
  "PROXY_REFUSED",
  "CERTIFICATE_UNTRUSTED",
  "TLS_MISSING",
];

/** Whether an error means that a server is unusable at the moment. */
export function isOutage(error: unknown): boolean {
  if (error instanceof TransientError || error instanceof AuthenticationError) return true;
  return error instanceof ModelSyncError && SILENCE.includes(error.code);
}
