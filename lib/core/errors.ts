import { cleanLine } from "./clean_text.ts";

/** Process exit codes, frozen: scripts and monitors depend on them (.github/guides/troubleshooting.md). */
export const EXIT = {
  done: 0,
  failed: 1,
  usage: 2,
  authentication: 3,
  unreachable: 4,
  refused: 5,
  locked: 6,
  disk: 7,
  rolledBack: 8,
  interrupted: 130,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** The parts of every {@link ModelSyncError} besides its message. */
export interface ErrorDetails {
  /** Stable, upper-case name of the condition, for scripts: `DIGEST_MISMATCH`. */
  readonly code: string;
  /** The next step for the user, in one sentence. */
  readonly hint?: string | undefined;
  readonly cause?: unknown;
}

/** Further members of the error object that `--json` prints: `outcome`, `release`. */
export type ErrorFields = Readonly<Record<string, string | number | null>>;

/**
 * Base class of every error that a user reads. Its message says what could not be done and why. Message and hint are
 * cleaned, so they can be printed, stored and sent unchanged. Bugs stay `TypeError` and `RangeError` and are shown with
 * a stack trace.
 */
export abstract class ModelSyncError extends Error {
  abstract readonly exitCode: ExitCode;
  readonly code: string;
  #hint: string | undefined;
  #fields: ErrorFields = {};
  /** Whether the same call may succeed later without a change. */
  readonly retryable: boolean = false;

  constructor(message: string, details: ErrorDetails) {
    super(cleanLine(message), details.cause === undefined ? {} : { cause: details.cause });
    this.name = new.target.name;
    this.code = details.code;
    this.#hint = details.hint === undefined ? undefined : cleanLine(details.hint);
  }

  /** The next step for the user, in one sentence. */
  get hint(): string | undefined {
    return this.#hint;
  }

  /** Members that `--json` adds to the error object. */
  get fields(): ErrorFields {
    return this.#fields;
  }

  /** Adds members to the error object, for example the outcome of the run. */
  addFields(fields: ErrorFields): void {
    this.#fields = { ...this.#fields, ...fields };
  }

  /** Appends advice to the hint. */
  addHint(more: string): void {
    this.reviseHint(this.hint === undefined ? more : `${this.hint}; ${more}`);
  }

  /** Replaces the hint, for example after the clean-up of the failed run. */
  reviseHint(hint: string): void {
    this.#hint = cleanLine(hint);
  }
}

/** The work itself failed, for example a training command, a push after all retries, or a broken store. */
export class FailedError extends ModelSyncError {
  readonly exitCode = EXIT.failed;
}

/** The user has to change the command line, the configuration or the repository first. */
export class UsageError extends ModelSyncError {
  readonly exitCode = EXIT.usage;
}

/** The server rejects the credentials or denies access. */
export class AuthenticationError extends ModelSyncError {
  readonly exitCode = EXIT.authentication;
}

/** The server did not answer, or does not have what was requested. */
export class UnreachableError extends ModelSyncError {
  readonly exitCode = EXIT.unreachable;
  override readonly retryable = true;
}

/** The server is down, overloaded or unreachable for now. The same request may succeed in a moment. */
export class TransientError extends UnreachableError {
  /** The pause that the server requests, in milliseconds. */
  readonly retryAfterMs: number | undefined;

  constructor(message: string, details: ErrorDetails & { readonly retryAfterMs?: number | undefined }) {
    super(message, details);
    this.retryAfterMs = details.retryAfterMs;
  }
}

/** The received or outgoing files are not safe to use. Nothing was activated or published. */
export class RefusedError extends ModelSyncError {
  readonly exitCode = EXIT.refused;
}

/** Another run holds the store or the repository. */
export class LockedError extends ModelSyncError {
  readonly exitCode = EXIT.locked;
  override readonly retryable = true;
}

/** The disk is full, read-only or broken, or its file system lacks what the store needs. */
export class DiskError extends ModelSyncError {
  readonly exitCode = EXIT.disk;
}

/** A signal stopped the run. */
export class InterruptedError extends ModelSyncError {
  readonly exitCode = EXIT.interrupted;
}

/** Returns the operating system's error name (`ENOSPC`), if the error has one. */
export function osErrorCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !("code" in error)) return undefined;
  return typeof error.code === "string" ? error.code : undefined;
}

/** Returns whether the disk or the user's quota is full. The error may also be the cause of a {@link DiskError}. */
export function isDiskFull(error: unknown): boolean {
  const causes = [error, error instanceof Error ? error.cause : undefined];
  return causes.some((one) => ["ENOSPC", "EDQUOT"].includes(osErrorCode(one) ?? ""));
}

const DISK_FAULTS: Readonly<Record<string, string>> = {
  ENOSPC: "the disk is full",
  EDQUOT: "the disk quota is used up",
  EROFS: "the file system is read-only",
  EIO: "the disk reports an input/output error",
  EFBIG: "the file is larger than the file system allows",
};

/** Returns the message of any thrown value, as a clean line. */
export function messageOf(error: unknown): string {
  return cleanLine(error instanceof Error ? error.message : String(error));
}

/** Returns the message with its hint, for logs. */
export function messageAndHint(error: unknown): string {
  const hint = error instanceof ModelSyncError && error.hint !== undefined ? `; ${error.hint}` : "";
  return messageOf(error) + hint;
}

/** Returns the first failure, if the clean-up after it failed as well (`await using` throws both as one error). */
export function firstFailure(error: unknown): unknown {
  return error instanceof SuppressedError ? firstFailure(error.suppressed) : error;
}

/**
 * Returns a {@link DiskError} for an operating-system error about the disk, and every other value unchanged, so that
 * callers can write `throw diskError(error, "write models")`.
 */
export function diskError(error: unknown, action: string): unknown {
  const fault = DISK_FAULTS[osErrorCode(error) ?? ""];
  if (fault === undefined) return error;
  return new DiskError(`Cannot ${action}: ${fault}`, {
    code: "DISK",
    cause: error,
    hint: "free disk space or repair the disk, then run again",
  });
}

/** Writes what only saves time later: a failure of the disk is ignored. */
export function ifDiskTakes(write: () => void): void {
  try {
    write();
  } catch (error) {
    ignoreDiskError(error);
  }
}

/** Throws every error but those of the disk. */
export function ignoreDiskError(error: unknown): void {
  if (!(diskError(error, "write") instanceof DiskError)) throw error;
}
