import {
  AuthenticationError,
  DiskError,
  FailedError,
  LockedError,
  messageOf,
  ModelSyncError,
  osErrorCode,
  UnreachableError,
} from "../../lib/core/errors.ts";

/**
 * What goes wrong with the database, as errors that name what to do. Deno gives a message alone: a `TypeError` of an
 * operation, an `Error` of opening. The messages are those of SQLite (https://www.sqlite.org/rescode.html) and of the
 * client of KV Connect.
 */
const FAILURES: readonly { readonly pattern: RegExp; readonly make: (details: string) => ModelSyncError }[] =
  [
    {
      pattern: /database (?:table |schema )?is (?:locked|busy)/i,
      make: () =>
        new LockedError("Cannot use the dashboard's database: another process has locked it", {
          code: "DATABASE_LOCKED",
          hint: "end the process that keeps it open, such as a backup or sqlite3",
        }),
    },
    {
      pattern: /database or disk is full|no space left/i,
      make: () =>
        new DiskError("Cannot write the dashboard's database: the disk is full", {
          code: "DATABASE_FULL",
          hint: "free some disk space; what nodes could not report, they report again",
        }),
    },
    {
      pattern: /readonly database|read-only file system/i,
      make: () =>
        new DiskError("Cannot write the dashboard's database: the file is read-only", {
          code: "DATABASE_READ_ONLY",
          hint: "let this user write to the file and its folder",
        }),
    },
    {
      pattern: /file is not a database/i,
      make: () =>
        new DiskError("Cannot read the dashboard's database: the file is not a database of Deno KV", {
          code: "DATABASE_INVALID",
          hint: "name another file, or move this one away: the dashboard creates a new one",
        }),
    },
    {
      pattern: /database disk image is malformed/i,
      make: () =>
        new DiskError("Cannot read the dashboard's database: the file is damaged", {
          code: "DATABASE_DAMAGED",
          hint:
            "move the file away: the dashboard creates a new one, and nodes report again what they still know",
        }),
    },
    {
      pattern: /unable to open database file/i,
      make: () =>
        new DiskError("Cannot open the dashboard's database file", {
          code: "DATABASE_NOT_OPENED",
          hint: "let this user write to its folder",
        }),
    },
    {
      pattern: /disk I\/O error/i,
      make: () =>
        new DiskError("Cannot use the dashboard's database: the disk reports an error", {
          code: "DATABASE_IO",
          hint: "check the disk and the system's log",
        }),
    },
    {
      pattern: /DENO_KV_ACCESS_TOKEN|unauthorized|\b40[13]\b/i,
      make: () =>
        new AuthenticationError("Cannot use the dashboard's database: its server refuses the access token", {
          code: "DATABASE_TOKEN",
          hint: "set DENO_KV_ACCESS_TOKEN to the access token of the database",
        }),
    },
    {
      pattern: /failed to connect|error sending request|client error|connection|timed out|\b50\d\b/i,
      make: (details) =>
        new UnreachableError(`Cannot reach the dashboard's database: ${details}`, {
          code: "DATABASE_UNREACHABLE",
          hint: "check its address, and that its server runs",
        }),
    },
  ];

/** Returns whether an error says that another process writes to the database's file. */
export function isLocked(error: unknown): boolean {
  return error instanceof Error && FAILURES[0]?.pattern.test(error.message) === true;
}

/** Returns what went wrong with the database; `undefined` for an error that it does not throw, which is a bug. */
export function kvFailure(error: unknown): ModelSyncError | undefined {
  if (error instanceof ModelSyncError) return error.code.startsWith("DATABASE_") ? error : undefined;
  if (!(error instanceof Error)) return undefined;
  const details = messageOf(error);
  if (osErrorCode(error) !== undefined) {
    return new DiskError(`Cannot use the dashboard's database: ${details}`, { code: "DATABASE_NOT_OPENED" });
  }
  if (error instanceof Deno.errors.BadResource) {
    return new FailedError("Cannot use the dashboard's database: it is closed", { code: "DATABASE_CLOSED" });
  }
  return FAILURES.find(({ pattern }) => pattern.test(details))?.make(details);
}
