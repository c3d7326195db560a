import { type ErrorDetails, EXIT, ModelSyncError } from "../core/errors.ts";
import type { RunReport } from "./run.ts";

/** A release was activated, did not prove itself, and the one before it is active again. */
export class RolledBackError extends ModelSyncError {
  readonly exitCode = EXIT.rolledBack;
  /** Which release is active now, for the history. */
  readonly report: RunReport;

  constructor(message: string, details: ErrorDetails & { readonly report: RunReport }) {
    super(message, details);
    this.report = details.report;
    const { outcome, release = null, previous = null, sequence = null } = details.report;
    this.addFields({ outcome, release, previous, sequence });
  }
}
