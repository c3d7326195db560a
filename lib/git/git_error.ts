import {
  AuthenticationError,
  DiskError,
  FailedError,
  LockedError,
  type ModelSyncError,
  TransientError,
  UnreachableError,
  UsageError,
} from "../core/errors.ts";
import { ownerHint } from "../core/file_owner.ts";
import { oneLine, shellWord } from "../core/quote.ts";
import { PATH_HINT } from "../core/subprocess.ts";
import { declinedPush } from "./declined_push.ts";
import { readGitWords } from "./git_words.ts";

/** Error code: git-lfs is needed and not on the PATH. */
export const LFS_MISSING = "LFS_MISSING";

/** Error code: the repository is archived and accepts no pushes. */
export const REPOSITORY_ARCHIVED = "REPOSITORY_ARCHIVED";

/** Error code: a setting of git or ssh outside the clone makes git fail. */
const GIT_CONFIG = "GIT_CONFIG";

/** Error code: git refuses a repository because another user owns it. */
export const GIT_OWNERSHIP = "GIT_OWNERSHIP";

/** Error code: a signal ended git or one of its processes. */
export const GIT_KILLED = "GIT_KILLED";

const LFS_HINT =
  "install it: apt install git-lfs, brew install git-lfs, or https://git-lfs.com; where it is installed, add its " +
  `folder ${PATH_HINT}`;

const CERTIFICATE_HINT =
  "if your own certificate authority signed it, name the authority's PEM file in GIT_SSL_CAINFO or in git's " +
  "http.sslCAInfo; otherwise the connection may be intercepted";

/** The hint for a registry that denies access. */
export const ACCESS_HINT =
  "set model_sync.token_env to the variable that holds a token, or set up git's own access (SSH key, credential helper)";

/**
 * Messages of curl: a proxy's answer, an unresolvable proxy, a connection to another host than the address has (before
 * curl 8.8), or one "via" a proxy.
 */
const PROXY_FAILED =
  /CONNECT tunnel failed|from proxy after CONNECT|Proxy CONNECT aborted|Could(?:n't| not) resolve proxy|'https?:\/\/(?:[^'/]*@)?([^'/:@]+)(?=[:/'])[^']*': Failed to connect to (?:(?!\1 )\S+ port \d+|\S+ port \d+ via )/i;

interface Diagnosis {
  readonly pattern: RegExp;
  /** Ignores lines from the remote: they describe the remote's machine. */
  readonly isLocal?: boolean;
  readonly toError: (
    message: string,
    match: RegExpExecArray,
    repoDir: string | undefined,
    retryAfterMs: number | undefined,
  ) => ModelSyncError;
}

/**
 * Git's messages (in English, LC_ALL=C) and the error for each. The first match wins: a rejected login also prints
 * "unable to access".
 */
const DIAGNOSES: readonly Diagnosis[] = [
  {
    // Git prints the clone's own files as relative paths.
    pattern: /bad config [^\n]* in file '?((?:\/|[A-Za-z]:)[^'\n]*?)'?(?: at line \d+)?$/m,
    isLocal: true,
    toError: (message, match) =>
      new UsageError(message, { code: GIT_CONFIG, hint: `fix this setting of git in ${match[1]}` }),
  },
  {
    pattern: /Bad configuration option|Bad owner or permissions on |\d+ bad configuration options/,
    isLocal: true,
    toError: (message) =>
      new UsageError(message, { code: GIT_CONFIG, hint: "fix the configuration of ssh for this user" }),
  },
  {
    pattern: /cannot run \S*ssh\b[^\n]*: No such file|\bssh: (?:command )?not found/,
    isLocal: true,
    toError: (message) =>
      new UsageError(message, {
        code: "SSH_MISSING",
        hint: `install OpenSSH's client; where it is installed, add its folder ${PATH_HINT}`,
      }),
  },
  {
    // GitHub answers 403 as well.
    pattern: /^(?:remote|ERROR): .*\barchived\b/m,
    toError: (message) =>
      new FailedError(message, {
        code: REPOSITORY_ARCHIVED,
        hint: "unarchive the repository on its host, or use another one",
      }),
  },
  {
    pattern: /REMOTE HOST IDENTIFICATION HAS CHANGED|Host key .*verification failed|host key .*has changed/i,
    toError: (message) =>
      new AuthenticationError(message, {
        code: "GIT_AUTHENTICATION",
        hint: "connect once by hand as the same user (ssh <host>), compare the host's key, and accept it",
      }),
  },
  {
    pattern: /Permission denied \((?:publickey|password|keyboard|gssapi|hostbased)/i,
    toError: (message) =>
      new AuthenticationError(message, {
        code: "GIT_AUTHENTICATION",
        hint:
          "check as the same user that ssh <host> works without a prompt; cron and systemd have no SSH agent",
      }),
  },
  {
    pattern: PROXY_FAILED,
    isLocal: true,
    toError: (message) =>
      new UnreachableError(`${message} (at the proxy)`, {
        code: "GIT_UNREACHABLE",
        hint:
          "git connects through a proxy: check HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and git's http.proxy, with the " +
          "user and the password that it may want, or add the host to NO_PROXY if it can be reached without",
      }),
  },
  {
    pattern:
      /certificate verif(?:y|ication) failed|SSL certificate problem|self[- ]signed certificate|unable to get local issuer/i,
    isLocal: true,
    toError: (message) => new UnreachableError(message, { code: "GIT_UNREACHABLE", hint: CERTIFICATE_HINT }),
  },
  {
    pattern:
      /does not support --signed push|failed to sign|user\.signingkey|ssh fingerprint for key|couldn't find public key/i,
    isLocal: true,
    toError: (message) =>
      new FailedError(message, {
        code: "GIT_SIGNING",
        hint: "push.gpgSign is set in git's configuration: set up the key for this user, or set it to false",
      }),
  },
  {
    pattern:
      /Authentication failed|could not read (?:Username|Password)|terminal prompts disabled|Permission denied \(|returned error: 40[13]|Authorization error: |Authentication required: |Git credentials for .* not found|HTTP Basic: Access denied|Invalid username or (?:password|token)|Write access to repository not granted|Permission to \S+ denied|marked as read only|not allowed to push|SAML SSO/i,
    toError: (message) =>
      new AuthenticationError(message, {
        code: "GIT_AUTHENTICATION",
        hint: ACCESS_HINT,
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
      // Git gives no reason for a reference that cannot be written, a wrong one for its log, and only the signal for a
      // child process that cannot read.
      /No space left on device|Out of diskspace|Disk quota exceeded|Read-only file system|Input\/output error|Remote I\/O error|Structure needs cleaning|Stale file handle|File too large|couldn't (?:write|set) '[^']*refs\/|unable to create directory for '[^'\n]*logs\/refs\/[^'\n]*': No such file|died of signal 7\b/i,
    isLocal: true,
    toError: (message) =>
      new DiskError(message, {
        code: "DISK",
        hint: "free disk space or repair the disk, then run again",
      }),
  },
  {
    pattern: /died of signal \d+/,
    isLocal: true,
    toError: (message) =>
      new FailedError(message, {
        code: GIT_KILLED,
        hint: "check the system's log for the cause: out of memory, a restart, kill; then run again",
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
    toError: (message, _match, repoDir) =>
      new DiskError(message, { code: "GIT_PERMISSION", hint: chownHint(repoDir) }),
  },
  {
    pattern:
      /git-lfs'?: (?:command )?not found|command not found: git-lfs|'?git-lfs'? was not found on your path|'lfs' is not a git command|git-lfs (?:filter-process|clean|smudge).*(?:failed 127|not found|No such file)/,
    toError: (message) => new UsageError(message, { code: LFS_MISSING, hint: LFS_HINT }),
  },
  {
    pattern:
      /'remote-[^']*' is not a git command|unable to find remote helper for|protocol '[^']*' is not supported|transport '[^']*' not allowed/i,
    isLocal: true,
    toError: (message) =>
      new UsageError(message, {
        code: "GIT_ADDRESS",
        hint: "check the remote's address (model_sync.repo_url): git supports no such protocol",
      }),
  },
  {
    // The repository at fault is often the remote, and not the clone.
    pattern: /detected dubious ownership in repository at '([^\n]+)'$/m,
    toError: (message, [, path = ""]) =>
      new UsageError(message, {
        code: GIT_OWNERSHIP,
        hint: `${ownerHint(path)}; or allow it: git config --global --add safe.directory ${
          shellWord(oneLine(path))
        }`,
      }),
  },
  {
    pattern:
      /No such remote|does not appear to be a git repository|Repository not found|repository '[^']*' (?:does not exist|not found)|returned error: 404|project you were looking for could not be found/i,
    toError: (message) =>
      new UnreachableError(message, {
        code: "GIT_REMOTE_MISSING",
        hint: "check the remote's address, and that the credentials may see it",
      }),
  },
  {
    pattern: /not valid: is this a git repository|invalid server response|bad line length/i,
    toError: (message) =>
      new UnreachableError(message, {
        code: "GIT_UNREACHABLE",
        hint:
          "the answer is not a git server's: check the remote's address, and whether a proxy or the login page of " +
          "the network answers in its place; over ssh, a start-up file of the shell must not print anything",
      }),
  },
  {
    pattern: /returned error: 429|too many requests/i,
    toError: (message, _match, _repoDir, retryAfterMs) =>
      new TransientError(message, {
        code: "GIT_RATE_LIMITED",
        retryAfterMs,
        hint: "the git server limits requests; run again later",
      }),
  },
  {
    pattern: /returned error: 5\d\d/,
    toError: (message, _match, _repoDir, retryAfterMs) =>
      new TransientError(message, {
        retryAfterMs,
        code: "GIT_UNREACHABLE",
        hint: "the git server has an error; run again later",
      }),
  },
  {
    pattern:
      /Could not resolve host|Couldn't resolve host|Connection (?:refused|reset|timed out|closed)|Failed to connect|unable to access|Network is unreachable|Operation timed out|early EOF|the remote end hung up|SSL (?:certificate|connect)|SSL_|gnutls|TLS connect|No route to host|Could not read from remote repository|Rate limit exceeded|RPC failed|unexpected disconnect|kex_exchange_identification/i,
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

/**
 * Returns the error for a failed git. `action` completes "Cannot …".
 *
 * @param repoDir the clone, for hints
 * @param retryAfterMs the pause that the server requested
 */
export function gitError(
  action: string,
  stderr: string,
  repoDir?: string,
  retryAfterMs?: number,
): ModelSyncError {
  // Git lists the files on separate lines, after the message.
  const overwritten = /would be overwritten by [\w-]+:\n((?:\t.+\n?)+)/.exec(stderr)?.[1];
  if (overwritten !== undefined) {
    const files = overwritten.trim().split(/\n\t/);
    const some = files.slice(0, 3).join(", ") + (files.length > 3 ? ` and ${files.length - 3} more` : "");
    return new UsageError(`Cannot ${action}: local changes to ${some} would be overwritten`, {
      code: "WORKTREE_DIRTY",
      hint: "commit, stash or remove them first",
    });
  }
  if (/\[remote rejected\]/.test(stderr)) return declinedPush(action, stderr);
  const { reason, text, isNamed } = readGitWords(stderr);
  const message = `Cannot ${action}: ${reason}`;
  // If git only reports that the remote hung up, that is the diagnosis.
  return diagnose(message, text, repoDir, retryAfterMs) ??
    (isNamed ? undefined : diagnose(message, stderr, repoDir, retryAfterMs)) ??
    new FailedError(message, { code: "GIT_FAILED" });
}

function diagnose(
  message: string,
  text: string,
  repoDir: string | undefined,
  retryAfterMs: number | undefined,
): ModelSyncError | undefined {
  const local = text.split(/[\r\n]+/).filter((line) => !line.startsWith("remote:")).join("\n");
  for (const { pattern, isLocal, toError } of DIAGNOSES) {
    const match = pattern.exec(isLocal === true ? local : text);
    if (match !== null) return toError(message, match, repoDir, retryAfterMs);
  }
  return undefined;
}

/** Returns the error for work that needs git-lfs. */
export function lfsMissing(reason: string): UsageError {
  return new UsageError(`Cannot continue without git-lfs: ${reason}`, { code: LFS_MISSING, hint: LFS_HINT });
}

/** The hint for files that a run under `sudo` left to root. */
function chownHint(repoDir: string | undefined): string {
  return repoDir === undefined ? "run as the user that owns the clone" : ownerHint(repoDir);
}
