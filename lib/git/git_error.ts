import {
  AuthenticationError,
  DiskError,
  FailedError,
  LockedError,
  type ModelSyncError,
  UnreachableError,
  UsageError,
} from "../core/errors.ts";

interface Diagnosis {
  readonly pattern: RegExp;
  /** What the other side says of itself does not count. */
  readonly isLocal?: boolean;
  readonly toError: (message: string, match: RegExpExecArray) => ModelSyncError;
}

/**
 * What git says (in English, LC_ALL=C) when something is wrong, and which error of ours that is. The first match wins:
 * a refused login also says "unable to access".
 */
const DIAGNOSES: readonly Diagnosis[] = [
  {
    pattern:
      /Authentication failed|could not read (?:Username|Password)|terminal prompts disabled|Permission denied \(|returned error: 40[13]|Host key verification failed|HTTP Basic: Access denied|Invalid username or (?:password|token)|Write access to repository not granted|Permission to \S+ denied/i,
    toError: (message) =>
      new AuthenticationError(message, {
        code: "GIT_AUTHENTICATION",
        hint:
          "set model_sync.token_env to the variable that holds a token, or set up git's own access (SSH key, credential helper)",
      }),
  },
  {
    pattern: /Unable to create '([^']+\.lock)': File exists/,
    toError: (message, match) =>
      new LockedError(message, {
        code: "GIT_LOCKED",
        hint: `another git works in the repository; if none does, a killed one left ${match[1]}: remove it`,
      }),
  },
  {
    pattern:
      // Of a reference that cannot be written git gives no reason, and of a child that cannot read only the signal.
      /No space left on device|Out of diskspace|Disk quota exceeded|Read-only file system|Input\/output error|Remote I\/O error|Structure needs cleaning|Stale file handle|File too large|couldn't (?:write|set) '[^']*refs\/|died of signal 7\b/i,
    isLocal: true,
    toError: (message) =>
      new DiskError(message, {
        code: "DISK",
        hint: "free or mend the disk and run again",
      }),
  },
  {
    pattern: /(?:File ?name|Argument list) too long/i,
    isLocal: true,
    toError: (message) =>
      new UsageError(message, {
        code: "GIT_NAME_TOO_LONG",
        hint: "use a shorter path, address or branch name",
      }),
  },
  {
    pattern:
      /insufficient permission for adding an object|(?:could not|cannot|unable to|failed to) [^\n]*: (?:Permission denied|Operation not permitted)$/mi,
    isLocal: true,
    toError: (message) =>
      new DiskError(message, {
        code: "GIT_PERMISSION",
        hint: "run as the user that owns the clone, or give this user the permission to write there",
      }),
  },
  {
    pattern:
      /git-lfs: (?:command )?not found|'lfs' is not a git command|git-lfs filter-process.*(?:failed|not found)/,
    toError: (message) =>
      new UsageError(message, {
        code: "LFS_MISSING",
        hint: "install git-lfs: apt install git-lfs, brew install git-lfs, or https://git-lfs.com",
      }),
  },
  {
    pattern:
      /'remote-[^']*' is not a git command|unable to find remote helper for|protocol '[^']*' is not supported|transport '[^']*' not allowed/i,
    isLocal: true,
    toError: (message) =>
      new UsageError(message, {
        code: "GIT_ADDRESS",
        hint: "check the remote's address (model_sync.repo_url): git has no way to speak to it",
      }),
  },
  {
    pattern: /detected dubious ownership/,
    toError: (message) =>
      new UsageError(message, {
        code: "GIT_OWNERSHIP",
        hint:
          "run as the user that owns the repository, or allow it: git config --global --add safe.directory <path>",
      }),
  },
  {
    pattern:
      /No such remote|does not appear to be a git repository|Repository not found|repository '[^']*' (?:does not exist|not found)|returned error: 404/i,
    toError: (message) =>
      new UnreachableError(message, {
        code: "GIT_REMOTE_MISSING",
        hint: "check the remote's address, and that the credentials may see it",
      }),
  },
  {
    pattern:
      /Could not resolve host|Couldn't resolve host|Connection (?:refused|reset|timed out|closed)|Failed to connect|unable to access|Network is unreachable|Operation timed out|early EOF|the remote end hung up|SSL (?:certificate|connect)|SSL_|gnutls|TLS connect|returned error: 5\d\d|No route to host|RPC failed|unexpected disconnect|kex_exchange_identification/i,
    toError: (message) =>
      new UnreachableError(message, {
        code: "GIT_UNREACHABLE",
        hint: "check the network and the remote's address, then run again",
      }),
  },
  {
    pattern:
      /bad object|bad tree|bad config|bad signature|bad index|bad shallow|bad pack|corrupt|is empty$|does not match index|is not a GIT packfile|packfile .* cannot be accessed|(?:index|pack|packfile|file) .*(?:too small|truncated|far too short)|smaller than expected|unterminated line in .*packed-refs|unexpected line in .*packed-refs|ignoring broken ref|reference broken|Failed to traverse parents|Could not read [0-9a-f]{40}|(?:failed|unable) to (?:read|find|parse|unpack|open) (?:tree|sha1|object|commit|loose|[0-9a-f]{40})|missing (?:blob|tree|commit|object)|inflate: data stream error|hash mismatch|garbage at end of|not a tree object|invalid object|error building trees|(?:Not a valid|not a valid) (?:object|commit) name (?:HEAD|refs)|invalid sha1 pointer|Expected git repo version|not a valid repository format/im,
    isLocal: true,
    toError: (message) =>
      new FailedError(message, {
        code: "GIT_DAMAGED",
        hint: "check the disk, and run git fsck in the clone",
      }),
  },
];

/** A remote's complaint begins with what it is about, and goes on about how to mend it. */
const DECLINE_LINES_MAX = 6;

/** Turns what a failed git said into an error of ours. `action` completes "Cannot …". */
export function gitError(action: string, stderr: string): ModelSyncError {
  // Git lists the files in lines of their own, below the one that says what is wrong.
  const overwritten = /would be overwritten by [\w-]+:\n((?:\t.+\n?)+)/.exec(stderr)?.[1];
  if (overwritten !== undefined) {
    const files = overwritten.trim().split(/\n\t/);
    const some = files.slice(0, 3).join(", ") + (files.length > 3 ? ` and ${files.length - 3} more` : "");
    return new UsageError(`Cannot ${action}: local changes to ${some} would be overwritten`, {
      code: "WORKTREE_DIRTY",
      hint: "commit, stash or remove them first",
    });
  }
  if (/\[remote rejected\]/.test(stderr)) return declined(action, stderr);
  const message = `Cannot ${action}: ${summarize(stderr)}`;
  const local = stderr.split(/[\r\n]+/).filter((line) => !line.startsWith("remote:")).join("\n");
  for (const { pattern, isLocal, toError } of DIAGNOSES) {
    const match = pattern.exec(isLocal === true ? local : stderr);
    if (match !== null) return toError(message, match);
  }
  return new FailedError(message, { code: "GIT_FAILED" });
}

/** What a hook or a rule of the remote's says no to: only its own words tell why. */
function declined(action: string, stderr: string): FailedError {
  const words = stderr.split(/[\r\n]+/).filter((line) => line.startsWith("remote:"))
    .map((line) => line.slice("remote:".length).trim()).filter((line) => line !== "");
  const reason = words.length > 0 ? words.slice(0, DECLINE_LINES_MAX).join("; ") : summarize(stderr);
  return new FailedError(`Cannot ${action}: the remote declines it: ${reason}`, {
    code: "PUSH_DECLINED",
    hint: "mend what it complains about and publish again; nothing was published",
  });
}

/** The lines that say what went wrong, without git's advice, in one line. */
export function summarize(stderr: string): string {
  const lines = stderr.split(/[\r\n]+/).map((line) => line.trim()).filter((line) =>
    line !== "" && !line.startsWith("hint:")
  );
  const telling = lines.filter((line) => /^(fatal|error|remote|batch response|LFS)\b|!\s+\[/.test(line));
  const chosen = [...new Set(telling.length > 0 ? telling : lines)].slice(-3);
  return chosen.map((line) => line.replace(/^(fatal|error): /, "")).join("; ") || "git gave no reason";
}
