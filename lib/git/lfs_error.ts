import {
  AuthenticationError,
  FailedError,
  type ModelSyncError,
  RefusedError,
  UnreachableError,
} from "../core/errors.ts";
import { ACCESS_HINT } from "./git_error.ts";

/** An answer's status in git-lfs's trace. The message does not contain it if the server sends its own text. */
const STATUS = /\btrace git-lfs: HTTP: (\d{3})$/gm;

/** GitHub: "This repository exceeded its LFS budget". GitLab and others use the word quota. */
const USED_UP = /\bbudget\b|\bquota\b|data limit|Bandwidth limit exceeded|Insufficient server storage/i;

/**
 * Returns the error for a failed git-lfs: its message or the server's, with the status of the server's answer.
 *
 * @param error the error for the failed call, from git's output alone
 * @param path the fetched file; without it, the call pushed files
 */
export function lfsError(action: string, stderr: string, error: ModelSyncError, path?: string): Error {
  const reason = reasonOf(error.message, action);
  const status = statusIn(stderr);
  const message = `Cannot ${action}: ${reason}${status === 0 ? "" : ` (HTTP ${status})`}`;
  const known = wrongContent(path, stderr) ?? ofStatus(message, status, stderr, path);
  // A known message of git takes precedence over a status that is not mapped.
  return known ??
    (status === 0 || error.code !== "GIT_FAILED" ? error : new FailedError(message, { code: "GIT_FAILED" }));
}

/**
 * Returns the status of the last error answer; 0 without one. A 401 before other answers is a request for the login
 * that followed.
 */
function statusIn(stderr: string): number {
  const statuses = [...stderr.matchAll(STATUS)].map(([, code]) => Number(code));
  const isLoginAsked = statuses.some((status) => status < 400);
  return statuses.findLast((status, index) =>
    status >= 400 && !(status === 401 && isLoginAsked && index < statuses.length - 1)
  ) ?? 0;
}

/** Messages of a registry on this machine, and of a server about one of several objects. */
const ABSENT = /missing object|does not exist|\[404\]/i;

/** git-lfs's message for a server that rejected the login before; no request is sent. */
const NO_LOGIN = /Git credentials for .* not found/;

function ofStatus(
  message: string,
  status: number,
  stderr: string,
  path: string | undefined,
): ModelSyncError | undefined {
  const isBatch = stderr.includes("batch response:");
  if (path !== undefined && ABSENT.test(stderr) && (status === 0 || status === 404)) return absent(path);
  if (USED_UP.test(message) && status !== 429) {
    return new FailedError(message, {
      code: "LFS_QUOTA",
      hint: "the host's quota for Git LFS is used up: raise the quota there, or remove files",
    });
  }
  if (status === 401 || (status === 403 && isBatch) || (status === 0 && NO_LOGIN.test(stderr))) {
    return new AuthenticationError(message, { code: "GIT_AUTHENTICATION", hint: ACCESS_HINT });
  }
  if (status === 403) {
    return new AuthenticationError(message, {
      code: "GIT_AUTHENTICATION",
      hint:
        "the Git LFS server's storage denies access to the file: check this machine's clock and the storage's access rules",
    });
  }
  if (status === 404 && isBatch) {
    return new UnreachableError(message, {
      code: "GIT_REMOTE_MISSING",
      hint: "check that the host offers Git LFS, and that the credentials may see the repository",
    });
  }
  if (status === 404 && path !== undefined) return absent(path);
  if (status === 429) {
    return new UnreachableError(message, {
      code: "GIT_RATE_LIMITED",
      hint: "the Git LFS server limits requests; run again later",
    });
  }
  if (status >= 500) {
    return new UnreachableError(message, {
      code: "GIT_UNREACHABLE",
      hint: "the Git LFS server has an error; run again later",
    });
  }
  return undefined;
}

/** Returns the error for content that does not match its pointer. */
function wrongContent(path: string | undefined, stderr: string): RefusedError | undefined {
  // The first message is about a server, the second about a registry on this machine.
  const lies = /expected OID (?<wanted>[0-9a-f]{64}), got (?<got>[0-9a-f]{64})/.exec(stderr) ??
    /invalid hash (?<got>[0-9a-f]{64}), expected (?<wanted>[0-9a-f]{64})/.exec(stderr);
  if (path === undefined || lies?.groups === undefined) return undefined;
  const { wanted, got } = lies.groups;
  return new RefusedError(
    `Cannot accept ${path}: the content from Git LFS has SHA-256 ${got}, its pointer says ${wanted}`,
    {
      code: "DIGEST_MISMATCH",
      hint: "push the file again from the training side; the active release is untouched",
    },
  );
}

function absent(path: string): RefusedError {
  return new RefusedError(
    `Cannot pull ${path}: it is a Git LFS pointer whose content the registry does not have`,
    {
      code: "LFS_POINTER",
      hint: "push it from the training side: git lfs push --all; the active release is untouched",
    },
  );
}

/** Returns git-lfs's message without the prefixes that name the file and its digest. */
function reasonOf(message: string, action: string): string {
  return message.slice(`Cannot ${action}: `.length)
    .replace(/^.*Smudge error: Error downloading .* \([0-9a-f]{64}\): /, "")
    .replace(/^(?:batch response|LFS): /, "")
    .replace(/^panic: .*$/, "git-lfs crashed")
    .replace(/^(?:LFS|Fatal error): /, "");
}
