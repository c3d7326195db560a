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

/** What every error of the family carries besides its message. */
export interface ErrorDetails {
  /** Stable, upper-case name of the condition, for scripts: `DIGEST_MISMATCH`. */
  readonly code: string;
  /** What to do next, in one sentence. */
  readonly hint?: string | undefined;
  readonly cause?: unknown;
}

/** Further members of the error object of `--json`: `outcome`, `release`. */
export type ErrorFields = Readonly<Record<string, string | number | null>>;

/**
 * Base of every error that a user is meant to read: what could not be done, on what, what is and what was wanted. Its
 * message and hint are clean lines, whatever they quote: they can be printed, stored and sent as they are.
 * Programmer mistakes stay `TypeError` and `RangeError` and are shown as bugs.
 */
export abstract class ModelSyncError extends Error {
  abstract readonly exitCode: ExitCode;
  readonly code: string;
  #hint: string | undefined;
  #fields: ErrorFields = {};
  /** Whether the same call may succeed later without anybody changing anything. */
  readonly retryable: boolean = false;

  constructor(message: string, details: ErrorDetails) {
    super(cleanLine(message), details.cause === undefined ? {} : { cause: details.cause });
    this.name = new.target.name;
    this.code = details.code;
    this.#hint = details.hint === undefined ? undefined : cleanLine(details.hint);
  }

  /** What to do next, in one sentence. */
  get hint(): string | undefined {
    return this.#hint;
  }

  /** Members that `--json` adds to the error object. */
  get fields(): ErrorFields {
    return this.#fields;
  }

  /** Adds to the error object, once it is known how the run ended. */
  addFields(fields: ErrorFields): void {
    this.#fields = { ...this.#fields, ...fields };
  }

  /** Adds another advice to the hint. */
  addHint(more: string): void {
    this.reviseHint(this.hint === undefined ? more : `${this.hint}; ${more}`);
  }

  /** Replaces what to do next, once it is known what the failed run left. */
  reviseHint(hint: string): void {
    this.#hint = cleanLine(hint);
  }
}

/** The work itself failed: a training command, a push that kept losing, a broken store. */
export class FailedError extends ModelSyncError {
  readonly exitCode = EXIT.failed;
}

/** The command line, the configuration or the state of the user's own repository has to change first. */
export class UsageError extends ModelSyncError {
  readonly exitCode = EXIT.usage;
}

/** The other side knows us not, or forbids it. */
export class AuthenticationError extends ModelSyncError {
  readonly exitCode = EXIT.authentication;
}

/** The other side did not answer, or has not what it should have. */
export class UnreachableError extends ModelSyncError {
  readonly exitCode = EXIT.unreachable;
  override readonly retryable = true;
}

/** The other side is down, overloaded or cut off for now: the same request may succeed in a moment. */
export class PassingError extends UnreachableError {
  /** What the other side asks to wait, in milliseconds. */
  readonly retryAfterMs: number | undefined;

  constructor(message: string, details: ErrorDetails & { readonly retryAfterMs?: number | undefined }) {
    super(message, details);
    this.retryAfterMs = details.retryAfterMs;
  }
}

/** What arrived, or was about to be sent, is not safe to use. Nothing was activated or published. */
export class RefusedError extends ModelSyncError {
  readonly exitCode = EXIT.refused;
}

/** Another run holds the store or the repository. */
export class LockedError extends ModelSyncError {
  readonly exitCode = EXIT.locked;
  override readonly retryable = true;
}

/** The disk is full, read-only, broken, or not the file system that the store needs. */
export class DiskError extends ModelSyncError {
  readonly exitCode = EXIT.disk;
}

/** A signal asked the run to stop. */
export class InterruptedError extends ModelSyncError {
  readonly exitCode = EXIT.interrupted;
}

/** The operating system's error name (`ENOSPC`), where the error has one. */
export function osErrorCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !("code" in error)) return undefined;
  return typeof error.code === "string" ? error.code : undefined;
}

/** Whether the disk, or the user's share of it, has no room left; also where the error is the cause of a {@link DiskError}. */
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

/** The message of whatever was thrown, as a clean line. */
export function messageOf(error: unknown): string {
  return cleanLine(error instanceof Error ? error.message : String(error));
}

/** As {@link messageOf}, with what to do about it: for a log, which may be all that an operator has. */
export function messageAndHint(error: unknown): string {
  const hint = error instanceof ModelSyncError && error.hint !== undefined ? `; ${error.hint}` : "";
  return messageOf(error) + hint;
}

/** What went wrong first, when the clean-up that followed failed too (`await using` throws both as one). */
export function firstFailure(error: unknown): unknown {
  return error instanceof SuppressedError ? firstFailure(error.suppressed) : error;
}

/**
 * Turns an operating-system error that means "the disk" into a {@link DiskError}; every other value is returned as
 * it is, so that callers can write `throw diskError(error, "write models")`.
 */
export function diskError(error: unknown, action: string): unknown {
  const fault = DISK_FAULTS[osErrorCode(error) ?? ""];
  if (fault === undefined) return error;
  return new DiskError(`Cannot ${action}: ${fault}`, {
    code: "DISK",
    cause: error,
    hint: "free or mend the disk and run again",
  });
}
