import { delimiter, dirname } from "node:path";
import { type Context, uninterrupted } from "../core/context.ts";
import { AuthenticationError, DiskError, type ModelSyncError } from "../core/errors.ts";
import { redact, type Secret } from "../core/secret.ts";
import { type ProcessExit, type RunningProcess, runProcess } from "../core/subprocess.ts";
import { Working } from "../core/working.ts";
import { ACCESS_HINT, gitError } from "./git_error.ts";
import { parseMoved, REFUSED_LOGIN } from "./git_words.ts";
import { longWait } from "./lfs_error.ts";

/** The oldest git that the program is tested with: 2.31 brought the partial clones and options that it relies on. */
export const GIT_VERSION_MIN = "2.31";

/** The exit code of a git that died of SIGBUS on Linux: a file that it maps cannot be read. It prints nothing then. */
const BUS_ERROR = 128 + 7;
const BUS_ERROR_TEXT = "git died of a bus error: Input/output error";

/** Git gives up after one refusal of a request, and a call makes two at most: a push, and what its hook does. */
const REFUSED_LOGINS_MAX = 3;

/** Questions to a local repository or one round trip to a remote; far beyond any that is going to be answered. */
const QUERY_TIMEOUT_MS = 120_000;

/** Git streams files above this size, so that memory stays flat, and writes new ones into a pack. */
export const BIG_FILE_BYTES = 8 * 1024 * 1024;

/**
 * Options of every call. Models do not compress, so git must not try: no zlib, no deltas; large files are streamed, and
 * packs mapped by small windows, so that memory stays flat. Nothing may rewrite bytes (`autocrlf`), ask questions, start a background `gc`, or sign with a key that
 * needs a pass phrase. A transfer under 1000 bytes/s for a minute is a dead one.
 */
const CONFIG = [
  "core.compression=0",
  "core.looseCompression=0",
  "pack.compression=0",
  "pack.window=0",
  "core.packedGitWindowSize=16m",
  "core.packedGitLimit=64m",
  `core.bigFileThreshold=${BIG_FILE_BYTES}`,
  "core.autocrlf=false",
  "core.safecrlf=false",
  "core.quotePath=false",
  "core.longPaths=true",
  // What git says is done survives a power cut. Gits before 2.36 do not know it: `sync_clone.ts` syncs what is new.
  "core.fsync=all",
  "core.fsyncMethod=batch",
  "gc.auto=0",
  "maintenance.auto=false",
  "commit.gpgSign=false",
  "submodule.recurse=false",
  "fetch.recurseSubmodules=false",
  "protocol.version=2",
  "http.lowSpeedLimit=1000",
  "http.lowSpeedTime=60",
  "advice.detachedHead=false",
  // As `git lfs install` sets them, which not everybody has run; without LFS paths they are never used.
  "filter.lfs.process=git-lfs filter-process",
  "filter.lfs.clean=git-lfs clean -- %f",
  "filter.lfs.smudge=git-lfs smudge -- %f",
  "filter.lfs.required=true",
];

/**
 * Never a prompt, always English. Git fetches what is asked for and nothing else: a fetch for each object that it
 * misses would start fetches of its own. Gits before 2.45 do not know the variable, so clones of our own are no partial
 * clones to git, and the objects of others are checked first.
 */
const ENV = {
  GIT_NO_LAZY_FETCH: "1",
  LC_ALL: "C",
  LANGUAGE: "",
  GIT_TERMINAL_PROMPT: "0",
  GIT_ASKPASS: "",
  SSH_ASKPASS: "",
  SSH_ASKPASS_REQUIRE: "never",
  GCM_INTERACTIVE: "never",
};

export interface GitOptions {
  /** The repository's folder, or any existing folder for commands that need none. */
  readonly repoDir: string;
  /** Longest time for a call that moves bytes. */
  readonly transferTimeoutMs: number;
  /** Added to the environment: askpass variables, another object folder. */
  readonly env?: Readonly<Record<string, string>>;
  /** Configuration for every call, `name=value`. */
  readonly config?: readonly string[];
  /** Blanked out of errors. */
  readonly secrets?: readonly Secret[];
  /** Instead of that of this process; see `strict_umask.ts`. */
  readonly umask?: string | undefined;
}

export interface CallOptions {
  /** Completes "Cannot …" in the error: `read the branch main`. */
  readonly action: string;
  readonly stdin?: string;
  /** The call moves files or bytes over the network, and may take the transfer's time. */
  readonly transfer?: boolean;
  /** What the display calls it while it runs; the default is git's command. A stream is only shown with one. */
  readonly label?: string;
  /** Git runs a program of the user's: what that program says about a disk is not about ours. */
  readonly isOfUser?: boolean;
}

/** A git repository as this program speaks to it: by the `git` program, with every call bounded and never asking. */
export class Git {
  readonly #context: Context;
  readonly #options: GitOptions;

  constructor(context: Context, options: GitOptions) {
    this.#context = context;
    this.#options = options;
  }

  get repoDir(): string {
    return this.#options.repoDir;
  }

  /** The same repository with more environment or configuration. */
  with(more: Pick<GitOptions, "env" | "config" | "secrets" | "umask">): Git {
    return new Git(this.#context, {
      ...this.#options,
      umask: more.umask ?? this.#options.umask,
      env: { ...this.#options.env, ...more.env },
      config: [...this.#options.config ?? [], ...more.config ?? []],
      secrets: [...this.#options.secrets ?? [], ...more.secrets ?? []],
    });
  }

  /** The same repository, for cleaning up: its calls go on although the run is being stopped, within their time. */
  uninterrupted(): Git {
    return new Git(uninterrupted(this.#context), this.#options);
  }

  /** Runs git and returns its trimmed output. @throws what `gitError` makes of a non-zero exit */
  async text(args: readonly string[], call: CallOptions): Promise<string> {
    return new TextDecoder().decode(await this.bytes(args, call)).trimEnd();
  }

  /** Runs git and returns its output. @throws what `gitError` makes of a non-zero exit */
  async bytes(args: readonly string[], call: CallOptions): Promise<Uint8Array> {
    const result = await this.attempt(args, call);
    if (result.code !== 0) throw this.error(call.action, result);
    return result.stdout;
  }

  /**
   * Runs git and returns how it ended, for callers to whom a non-zero exit is an answer. A disk that fails is no answer:
   * git would seem to say that there is no such branch, or no such setting.
   *
   * @throws {DiskError} when git says that the disk failed
   */
  async attempt(
    args: readonly string[],
    call: CallOptions,
  ): Promise<ProcessExit & { readonly stdout: Uint8Array }> {
    using working = new Working(this.#context, call.label ?? titleOf(args));
    const result = await runProcess(this.#context.spawn, this.#request(args, call, working));
    if (result.code === 0 || call.isOfUser === true) return result;
    const error = this.error(call.action, result);
    if (error instanceof DiskError && error.code === "DISK") throw error;
    return result;
  }

  /** Starts git with its output as a stream. The caller reads it all and then looks at `exit`. */
  start(args: readonly string[], call: CallOptions): RunningProcess {
    const request = this.#request(args, { ...call, transfer: true });
    if (call.label === undefined) return this.#context.spawn(request);
    const working = new Working(this.#context, call.label);
    try {
      const running = this.#context.spawn(request);
      const end = () => working[Symbol.dispose]();
      running.exit.then(end, end);
      return running;
    } catch (error) {
      working[Symbol.dispose]();
      throw error;
    }
  }

  /** The error for a git that failed, without secrets. */
  error(action: string, exit: ProcessExit): ModelSyncError {
    const stderr = exit.code === BUS_ERROR ? `${exit.stderr}\nfatal: ${BUS_ERROR_TEXT}` : exit.stderr;
    return gitError(action, redact(stderr, this.#options.secrets ?? []), this.repoDir);
  }

  #request(args: readonly string[], call: CallOptions, working?: Working) {
    const refused = new AbortController();
    let refusals = 0;
    const onStderr = (text: string) => {
      const moved = parseMoved(text);
      if (moved !== undefined) working?.report(moved, undefined);
      refusals += text.split(REFUSED_LOGIN).length - 1;
      if (refusals >= REFUSED_LOGINS_MAX) refused.abort(refusedLogin(call.action));
      const wait = longWait(call.action, text);
      if (wait !== undefined) refused.abort(wait);
    };
    const config = [...CONFIG, ...this.#options.config ?? []].flatMap((setting) => ["-c", setting]);
    return {
      ...this.#commandLine(["-C", this.repoDir, ...config, ...args]),
      title: titleOf(args),
      env: { ...ENV, ...this.#ceiling(), ...this.#options.env },
      timeoutMs: call.transfer === true ? this.#options.transferTimeoutMs : QUERY_TIMEOUT_MS,
      signal: AbortSignal.any([this.#context.signal, refused.signal]),
      onStderr,
      ...(call.stdin === undefined ? {} : { stdin: call.stdin }),
    };
  }

  #commandLine(args: readonly string[]): { readonly command: string; readonly args: readonly string[] } {
    const { umask } = this.#options;
    if (umask === undefined) return { command: "git", args };
    return { command: "sh", args: ["-c", 'umask "$0" && exec git "$@"', umask, ...args] };
  }

  /**
   * A folder that is no repository must not pass for one because a folder above it is. Git splits the variable, and
   * knows no way to write a path with the separator in it: of such a path, the nearest folder above that is without.
   */
  #ceiling(): Record<string, string> {
    let ceiling = dirname(this.repoDir);
    while (ceiling.includes(delimiter)) ceiling = dirname(ceiling);
    return { GIT_CEILING_DIRECTORIES: ceiling };
  }
}

/** `git fetch` */
function titleOf(args: readonly string[]): string {
  return `git ${args.find((arg) => !arg.startsWith("-"))}`;
}

function refusedLogin(action: string): AuthenticationError {
  return new AuthenticationError(`Cannot ${action}: the server refuses the credentials`, {
    code: "GIT_AUTHENTICATION",
    hint: ACCESS_HINT,
  });
}
