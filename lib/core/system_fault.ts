import {
  DiskError,
  diskError,
  FailedError,
  messageOf,
  ModelSyncError,
  osErrorCode,
  UnreachableError,
  UsageError,
} from "./errors.ts";

interface Kind {
  readonly code: string;
  readonly hint: string;
  readonly make: typeof DiskError | typeof FailedError | typeof UnreachableError | typeof UsageError;
}

/** Kinds of operating-system errors about the user's files, disks and limits, each with its exit code and hint. */
const KINDS = {
  access: {
    code: "FILE_ACCESS",
    hint: "run as the user that owns it, or give this user access to it",
    make: DiskError,
  },
  entry: {
    code: "FILE_ACCESS",
    hint: "put another file or folder in its place, or use another path",
    make: UsageError,
  },
  path: {
    code: "FILE_ACCESS",
    hint: "use another path: check the options, the configuration and the names of files",
    make: UsageError,
  },
  special: {
    code: "FILE_ACCESS",
    hint:
      "use a folder elsewhere: the runtime opens /dev, /proc and /sys only to programs with every permission; " +
      "for models in memory, mount a tmpfs of their own",
    make: UsageError,
  },
  disk: { code: "DISK", hint: "free disk space or repair the disk, then run again", make: DiskError },
  unsupported: {
    code: "FILE_SYSTEM_UNSUPPORTED",
    hint: "use a folder on another file system",
    make: DiskError,
  },
  busy: {
    code: "FILE_BUSY",
    hint: "wait until the program that uses the file has ended, and run again",
    make: FailedError,
  },
  limit: {
    code: "SYSTEM_LIMIT",
    hint: "end other programs or raise the limit (ulimit -n for open files), and run again",
    make: FailedError,
  },
  network: {
    code: "UNREACHABLE",
    hint: "check the network and the address, and run again",
    make: UnreachableError,
  },
  refused: { code: "SYSTEM_REFUSED", hint: "check the path or the limit that it names", make: FailedError },
} as const satisfies Record<string, Kind>;

/** POSIX error names and their kinds. Any other name is of the kind `refused`. */
const KIND_OF: Readonly<Record<string, keyof typeof KINDS>> = {
  EACCES: "access",
  EPERM: "access",
  EEXIST: "entry",
  EISDIR: "entry",
  ELOOP: "entry",
  ENOTDIR: "entry",
  ENOTEMPTY: "entry",
  // Opening a socket gives this error.
  ENXIO: "entry",
  EILSEQ: "path",
  // An argument of a program is longer than the system allows.
  E2BIG: "path",
  // A path with a NUL, or a name that the file system does not allow.
  EINVAL: "path",
  ENAMETOOLONG: "path",
  ENOENT: "path",
  ENODEV: "disk",
  ENOMEDIUM: "disk",
  EREMOTEIO: "disk",
  ESTALE: "disk",
  EUCLEAN: "disk",
  ENOSYS: "unsupported",
  ENOTSUP: "unsupported",
  EOPNOTSUPP: "unsupported",
  EXDEV: "unsupported",
  EBUSY: "busy",
  ETXTBSY: "busy",
  EAGAIN: "limit",
  EMFILE: "limit",
  EMLINK: "limit",
  ENFILE: "limit",
  ENOMEM: "limit",
  ENOLCK: "limit",
  EADDRNOTAVAIL: "network",
  EAI_AGAIN: "network",
  ECONNABORTED: "network",
  ECONNREFUSED: "network",
  ECONNRESET: "network",
  EHOSTUNREACH: "network",
  ENETDOWN: "network",
  ENETUNREACH: "network",
  ENOTFOUND: "network",
  ETIMEDOUT: "network",
};

/** Bugs: a file that was closed too early, a wrong memory address, Node's `ERR_…`. */
const BUGS = /^(?:ERR_|EBADF$|EFAULT$)/;

/** The runtime's errors about files that have no error name. */
const NAMELESS: ReadonlyArray<readonly [new (message: string) => Error, keyof typeof KINDS]> = [
  [Deno.errors.PermissionDenied, "access"],
  [Deno.errors.IsADirectory, "entry"],
  [Deno.errors.NotADirectory, "entry"],
  [Deno.errors.FilesystemLoop, "entry"],
  [Deno.errors.AlreadyExists, "entry"],
  [Deno.errors.InvalidData, "entry"],
  [Deno.errors.UnexpectedEof, "entry"],
  [Deno.errors.NotFound, "path"],
  [Deno.errors.NotCapable, "path"],
  [Deno.errors.WriteZero, "disk"],
  [Deno.errors.NotSupported, "unsupported"],
  [Deno.errors.Busy, "busy"],
  [Deno.errors.WouldBlock, "limit"],
  [Deno.errors.TimedOut, "network"],
  [Deno.errors.Http, "network"],
];

/**
 * Returns the error that a user reads for an error of the operating system or the runtime. Its message repeats the
 * system's words, which name the path. Returns every other value unchanged.
 *
 * @param action completes "Cannot …"
 */
export function systemFault(error: unknown, action: string): unknown {
  if (error instanceof ModelSyncError || !(error instanceof Error)) return error;
  const kind = kindOf(error);
  if (kind === undefined) return error;
  const { code, hint, make: Fault } = KINDS[kind];
  // The runtime's advice would grant more permissions than the command may have.
  const words = messageOf(error).replace(/, run again with the --allow-\S+ flag$/, "");
  return new Fault(`Cannot ${action}: ${words}`, { code, hint, cause: error });
}

function kindOf(error: Error): keyof typeof KINDS | undefined {
  const code = osErrorCode(error) ?? "";
  if (BUGS.test(code)) return undefined;
  if (diskError(error, "") !== error) return "disk";
  const kind = Object.hasOwn(KIND_OF, code) ? KIND_OF[code] : undefined;
  if (kind !== undefined) return kind;
  if (error instanceof Deno.errors.NotCapable && error.message.startsWith("Requires all access")) {
    return "special";
  }
  const nameless = NAMELESS.find(([fault]) => error instanceof fault);
  if (nameless !== undefined) return nameless[1];
  // For some errors, such as ETXTBSY, the runtime writes only the number.
  return /^E[A-Z0-9_]+$/.test(code) || /\(os error \d+\)/.test(error.message) ? "refused" : undefined;
}
