import { delimiter, dirname } from "node:path";
import { type Context, uninterrupted } from "../core/context.ts";
import { AuthenticationError, DiskError, ModelSyncError } from "../core/errors.ts";
import { redact, type Secret } from "../core/secret.ts";
import { type ProcessExit, type RunningProcess, runProcess } from "../core/subprocess.ts";
import { Working } from "../core/working.ts";
import { ACCESS_HINT, GIT_KILLED, gitError } from "./git_error.ts";
import { parseMoved, REFUSED_LOGIN } from "./git_words.ts";
import { HTTP_TRACE, withoutTrace } from "./http_trace.ts";

/** The oldest tested git. Version 2.31 added the options and partial clones that model-sync uses. */
export const GIT_VERSION_MIN = "2.31";

/** The exit codes of a git that a signal ended: 128 and its number. Git itself ends with 129 at most. */
const SIGNALLED = { first: 130, last: 128 + 31 };

/** The number of SIGBUS on Linux: a memory-mapped file cannot be read. */
const BUS_ERROR = 7;

/** Git gives up after one refused login. A call sends at most two such requests: a push, and its hook. */
const REFUSED_LOGINS_MAX = 3;

/** For queries of a local repository, or one round trip to a remote. Far longer than either needs. */
const QUERY_TIMEOUT_MS = 120_000;

/** Git streams files above this size, which limits its memory, and writes new ones into a pack. */
export const BIG_FILE_BYTES = 8 * 1024 * 1024;

/**
 * Options of every call. Models do not compress, so zlib and deltas are off. Large files are streamed and packs are
 * mapped in small windows, which limits memory. Git must not convert bytes (`autocrlf`), prompt, start a background
 * `gc`, or sign with a key that needs a passphrase. A call that gets less than 1000 bytes/s is aborted after
 * {@link ANSWER_SEC} or {@link PACK_SEC}.
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
  // Completed writes survive a power cut. Git before 2.36 does not know these settings: `sync_clone.ts` syncs new
  // files.
  "core.fsync=all",
  "core.fsyncMethod=batch",
  "gc.auto=0",
  "maintenance.auto=false",
  "commit.gpgSign=false",
  "submodule.recurse=false",
  "fetch.recurseSubmodules=false",
  "protocol.version=2",
  "http.lowSpeedLimit=1000",
  "advice.detachedHead=false",
  // As `git lfs install` sets them, which the user may not have run. They apply to LFS paths only.
  "filter.lfs.process=git-lfs filter-process",
  "filter.lfs.clean=git-lfs clean -- %f",
  "filter.lfs.smudge=git-lfs smudge -- %f",
  "filter.lfs.required=true",
];

/** A server that is asked for references answers at once. */
const ANSWER_SEC = 60;

/**
 * A server prepares a pack almost in silence: its signs of life are a byte a second. It looks for deltas between models
 * that it stores as loose objects, as it does after a push of fewer than 100: a gigabyte takes a minute on two idle
 * processors. It also unpacks a push in silence.
 */
const PACK_SEC = 600;

/**
 * No prompts, English messages. Git does not fetch missing objects by itself: each fetch would trigger others. Git
 * before 2.45 does not know this variable. So clones of our own are not marked as partial clones, and the history of
 * others is checked first.
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
  /** Time limit for a call that transfers data. */
  readonly transferTimeoutMs: number;
  /** Time limit for a call that waits for one answer of a remote. Default: two minutes. */
  readonly answerTimeoutMs?: number | undefined;
  /** Added to the environment: askpass variables, another object folder. */
  readonly env?: Readonly<Record<string, string>>;
  /** Configuration for every call, `name=value`. */
  readonly config?: readonly string[];
  /** Redacted in errors. */
  readonly secrets?: readonly Secret[];
  /** The hint if the remote denies access. Default: {@link ACCESS_HINT}. */
  readonly accessHint?: string | undefined;
  /** Replaces this process's umask; see `strict_umask.ts`. */
  readonly umask?: string | undefined;
  /** Whether git may fetch missing objects by itself, in a process that has to be stopped, too. */
  readonly mayFetch?: boolean;
}

export interface CallOptions {
  /** Completes "Cannot …" in the error: `read the branch main`. */
  readonly action: string;
  readonly stdin?: string | AsyncIterable<Uint8Array>;
  /** Whether the call copies files or uses the network, so that the transfer's time limit applies. */
  readonly transfer?: boolean;
  /** Whether the call waits for one answer of a remote, so that its time limit applies. */
  readonly remote?: boolean;
  /** The label of the progress display; the default is git's command. A stream is displayed only with a label. */
  readonly label?: string;
  /** Git runs a program of the user's: disk errors in its output are not errors of our disk. */
  readonly isOfUser?: boolean;
  /** Whether git starts no other program, or none that outlives it. */
  readonly isAlone?: boolean;
  /** Called with standard error as it arrives. Ends the call with the returned error. */
  readonly watch?: (text: string) => Error | undefined;
  /** Whether git prints the heads of its HTTP requests, from which the pause that a server requests is read. */
  readonly isTraced?: boolean;
}

/** How a call ended. */
export interface GitExit extends ProcessExit {
  /** The pause that a server requested, in milliseconds; of a traced call. */
  readonly retryAfterMs?: number | undefined;
}

/** Runs the `git` program in a repository. Every call has a time limit and never prompts. */
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

  /** Returns the same repository with additional options. */
  with(more: Pick<GitOptions, "env" | "config" | "secrets" | "accessHint" | "umask" | "mayFetch">): Git {
    return new Git(this.#context, {
      ...this.#options,
      umask: more.umask ?? this.#options.umask,
      mayFetch: more.mayFetch ?? this.#options.mayFetch ?? false,
      accessHint: more.accessHint ?? this.#options.accessHint,
      env: { ...this.#options.env, ...more.env },
      config: [...this.#options.config ?? [], ...more.config ?? []],
      secrets: [...this.#options.secrets ?? [], ...more.secrets ?? []],
    });
  }

  /** Returns the same repository for clean-up: calls continue when the run is interrupted, within their time limits. */
  uninterrupted(): Git {
    return new Git(uninterrupted(this.#context), this.#options);
  }

  /** Runs git and returns its trimmed output. @throws {@link Git.error} for a non-zero exit */
  async text(args: readonly string[], call: CallOptions): Promise<string> {
    return new TextDecoder().decode(await this.bytes(args, call)).trimEnd();
  }

  /** Runs git and returns its output. @throws {@link Git.error} for a non-zero exit */
  async bytes(args: readonly string[], call: CallOptions): Promise<Uint8Array> {
    const result = await this.attempt(args, call);
    if (result.code !== 0) throw this.error(call.action, result);
    return result.stdout;
  }

  /**
   * Runs git and returns its exit, for callers that expect a non-zero exit. A failing disk and a killed git are thrown:
   * otherwise git would seem to say that a branch or setting does not exist.
   *
   * @throws {DiskError} when git reports a failing disk
   * @throws {FailedError} `GIT_KILLED`
   */
  async attempt(
    args: readonly string[],
    call: CallOptions,
  ): Promise<GitExit & { readonly stdout: Uint8Array }> {
    using working = new Working(this.#context, call.label ?? titleOf(args));
    const ended = await runProcess(this.#context.spawn, this.#request(args, call, working));
    const result = call.isTraced === true
      ? { ...ended, ...withoutTrace(ended.stderr, this.#context.clock.now()) }
      : ended;
    if (result.code === 0 || call.isOfUser === true) return result;
    const error = this.error(call.action, result);
    if (error.code === GIT_KILLED || (error instanceof DiskError && error.code === "DISK")) throw error;
    return result;
  }

  /** Starts git with its output as a stream. The caller reads all output, then checks `exit`. */
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

  /** Returns the error for a failed call, without secrets. */
  error(action: string, exit: GitExit): ModelSyncError {
    const isSignalled = exit.code >= SIGNALLED.first && exit.code <= SIGNALLED.last;
    const stderr = isSignalled ? `${exit.stderr}\nfatal: ${deathBy(exit.code - 128)}` : exit.stderr;
    const said = redact(stderr, this.#options.secrets ?? []);
    return this.explain(gitError(action, said, this.repoDir, exit.retryAfterMs));
  }

  /** Replaces the general hint about access by the one for the credentials that this repository uses. */
  explain<Failure extends Error>(error: Failure): Failure {
    const { accessHint } = this.#options;
    if (accessHint !== undefined && error instanceof ModelSyncError && error.hint === ACCESS_HINT) {
      error.reviseHint(accessHint);
    }
    return error;
  }

  #request(args: readonly string[], call: CallOptions, working?: Working) {
    const refused = new AbortController();
    let refusals = 0;
    const onStderr = (text: string) => {
      const moved = parseMoved(text);
      if (moved !== undefined) working?.report(moved, undefined);
      refusals += text.split(REFUSED_LOGIN).length - 1;
      if (refusals >= REFUSED_LOGINS_MAX) refused.abort(this.explain(refusedLogin(call.action)));
      const failure = call.watch?.(text);
      if (failure !== undefined) refused.abort(failure);
    };
    const patience = `http.lowSpeedTime=${call.transfer === true ? PACK_SEC : ANSWER_SEC}`;
    const config = [...CONFIG, patience, ...this.#options.config ?? []].flatMap((setting) => ["-c", setting]);
    return {
      ...this.#commandLine(["-C", this.repoDir, ...config, ...args]),
      title: titleOf(args),
      env: {
        ...ENV,
        ...this.#ceiling(),
        ...this.#trace(call),
        ...this.#options.env,
      },
      timeoutMs: this.#timeoutOf(call),
      signal: AbortSignal.any([this.#context.signal, refused.signal]),
      onStderr,
      isAlone: call.isAlone === true && this.#options.mayFetch !== true,
      ...(call.stdin === undefined ? {} : { stdin: call.stdin }),
    };
  }

  /** Returns the variables for git's HTTP trace; none if the user has set one. */
  #trace({ isTraced }: CallOptions): Record<string, string> {
    return isTraced === true && this.#context.env.get("GIT_TRACE_CURL") === undefined ? HTTP_TRACE : {};
  }

  #timeoutOf({ transfer, remote }: CallOptions): number {
    if (transfer === true) return this.#options.transferTimeoutMs;
    return remote === true ? this.#options.answerTimeoutMs ?? QUERY_TIMEOUT_MS : QUERY_TIMEOUT_MS;
  }

  #commandLine(args: readonly string[]): { readonly command: string; readonly args: readonly string[] } {
    const { umask } = this.#options;
    if (umask === undefined) return { command: "git", args };
    return { command: "sh", args: ["-c", 'umask "$0" && exec git "$@"', umask, ...args] };
  }

  /**
   * Keeps git from finding a repository in a folder above `repoDir`. Git splits the variable at a separator that cannot
   * be escaped, so for a path that contains it, this is the nearest folder above without it.
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
  return new AuthenticationError(`Cannot ${action}: the server rejects the credentials`, {
    code: "GIT_AUTHENTICATION",
    hint: ACCESS_HINT,
  });
}

/** Git prints nothing when a signal ends it. */
function deathBy(signal: number): string {
  return signal === BUS_ERROR
    ? "git died of a bus error: Input/output error"
    : `git died of signal ${signal}`;
}
