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
import { quote } from "../../lib/core/quote.ts";

/** @param database `the dashboard's database`, with its place unless that is private */
type Make = (database: string, details: string) => ModelSyncError;

/**
 * Errors of the database, with a message and a hint. Deno only gives a message: a `TypeError` from an operation, an
 * `Error` from opening. The messages are those of SQLite (https://www.sqlite.org/rescode.html) and of the KV Connect
 * client.
 */
const FAILURES: readonly { readonly pattern: RegExp; readonly make: Make }[] = [
  {
    pattern: /database (?:table |schema )?is (?:locked|busy)/i,
    make: (database) =>
      new LockedError(`Cannot use ${database}: another process has locked it`, {
        code: "DATABASE_LOCKED",
        hint: "stop the process that has it open, such as a backup or sqlite3",
      }),
  },
  {
    pattern: /database or disk is full|no space left/i,
    make: (database) =>
      new DiskError(`Cannot write ${database}: the disk is full`, {
        code: "DATABASE_FULL",
        hint: "free some disk space; nodes resend what they could not report",
      }),
  },
  {
    pattern: /readonly database|read-only file system/i,
    make: (database) =>
      new DiskError(`Cannot write ${database}: the file is read-only`, {
        code: "DATABASE_READ_ONLY",
        hint: "give this user write access to the file and its folder",
      }),
  },
  {
    pattern: /file is not a database/i,
    make: (database) =>
      new DiskError(`Cannot read ${database}: the file is not a database of Deno KV`, {
        code: "DATABASE_INVALID",
        hint: "use another file, or move this one away: the dashboard creates a new one",
      }),
  },
  {
    pattern: /database disk image is malformed/i,
    make: (database) =>
      new DiskError(`Cannot read ${database}: the file is damaged`, {
        code: "DATABASE_DAMAGED",
        hint:
          "move the file away: the dashboard creates a new one, and nodes report again what they still know",
      }),
  },
  {
    pattern: /unable to open database file/i,
    make: (database) =>
      new DiskError(`Cannot open ${database} file`, {
        code: "DATABASE_NOT_OPENED",
        hint: "give this user write access to its folder",
      }),
  },
  {
    pattern: /disk I\/O error/i,
    make: (database) =>
      new DiskError(`Cannot use ${database}: the disk reports an error`, {
        code: "DATABASE_IO",
        hint: "check the disk and the system's log",
      }),
  },
  {
    pattern: /DENO_KV_ACCESS_TOKEN|unauthorized|\b40[13]\b/i,
    make: (database) =>
      new AuthenticationError(`Cannot use ${database}: its server refuses the access token`, {
        code: "DATABASE_TOKEN",
        hint: "set DENO_KV_ACCESS_TOKEN to the access token of the database",
      }),
  },
  {
    pattern: /failed to connect|error sending request|client error|connection|timed out|\b50\d\b/i,
    make: (database, details) =>
      new UnreachableError(`Cannot reach ${database}: ${details}`, {
        code: "DATABASE_UNREACHABLE",
        hint: "check its address, and that its server runs",
      }),
  },
];

/** Returns whether the database's file is locked by another process. */
export function isLocked(error: unknown): boolean {
  return error instanceof Error && FAILURES[0]?.pattern.test(error.message) === true;
}

/**
 * Returns the error of the database with a hint; `undefined` for any other error, which is a bug.
 *
 * @param place shown in the message: a path, which pages must not show
 */
export function kvFailure(error: unknown, place?: string): ModelSyncError | undefined {
  const database = place === undefined
    ? "the dashboard's database"
    : `the dashboard's database ${quote(place)}`;
  if (error instanceof ModelSyncError) return error.code.startsWith("DATABASE_") ? error : undefined;
  if (!(error instanceof Error)) return undefined;
  const details = messageOf(error);
  if (osErrorCode(error) !== undefined) {
    return new DiskError(`Cannot use ${database}: ${details}`, {
      code: "DATABASE_NOT_OPENED",
      hint: "give this user write access to the file and its folder",
    });
  }
  if (error instanceof Deno.errors.BadResource) {
    return new FailedError(`Cannot use ${database}: it is closed`, { code: "DATABASE_CLOSED" });
  }
  return FAILURES.find(({ pattern }) => pattern.test(details))?.make(database, details);
}
