import { type ErrorDetails, EXIT, ModelSyncError } from "../core/errors.ts";
import type { RunRecord } from "../store/history.ts";

/** A command's report of its work: its line in the history and, in part, its `--json` output. */
export type RunReport = Pick<
  RunRecord,
  | "outcome"
  | "carrier"
  | "revision"
  | "release"
  | "previous"
  | "otherWriter"
  | "sequence"
  | "files"
  | "bytes"
  | "writtenBytes"
  | "changed"
  | "signer"
  | "withdrawal"
  | "pullRequests"
  | "activated"
  | "error"
>;

/** A run's report with the run's id and duration. */
export type Timed<Report> = Report & { readonly runId: string; readonly durationMs: number };

/**
 * A release was activated and rolled back automatically: its consumers could not load it, or it failed its canary. The
 * release before it is active again.
 */
export class RolledBackError extends ModelSyncError {
  readonly exitCode = EXIT.rolledBack;
  /** The release that is active now, for the run's record. */
  readonly report: RunReport;

  constructor(message: string, details: ErrorDetails & { readonly report: RunReport }) {
    super(message, details);
    this.report = details.report;
  }
}
