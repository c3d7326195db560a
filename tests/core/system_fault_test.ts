import assert from "node:assert/strict";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import {
  DiskError,
  EXIT,
  FailedError,
  LockedError,
  ModelSyncError,
  UnreachableError,
  UsageError,
} from "../../lib/core/errors.ts";
import { systemFault } from "../../lib/core/system_fault.ts";
import { Output } from "../../cli/_output.ts";
import { processWorld } from "../../cli/_world.ts";
import { tempDir, writeFiles } from "../helpers/temp_dir.ts";
import { osError } from "../helpers/fake_fs.ts";

const KINDS = {
  EACCES: DiskError,
  EBUSY: FailedError,
  ECONNREFUSED: UnreachableError,
  EDQUOT: DiskError,
  EEXIST: UsageError,
  EFBIG: DiskError,
  EINVAL: UsageError,
  EIO: DiskError,
  EISDIR: UsageError,
  ELOOP: UsageError,
  EMFILE: FailedError,
  ENAMETOOLONG: UsageError,
  ENFILE: FailedError,
  ENODEV: DiskError,
  ENOENT: UsageError,
  ENOMEM: FailedError,
  ENOSPC: DiskError,
  ENOSYS: DiskError,
  ENOTDIR: UsageError,
  ENOTEMPTY: UsageError,
  ENXIO: UsageError,
  EPERM: DiskError,
  EROFS: DiskError,
  ESTALE: DiskError,
  ETIMEDOUT: UnreachableError,
  ETXTBSY: FailedError,
  EXDEV: DiskError,
} as const;

/** What a command prints for an error that reaches its end. */
function shownFor(error: unknown): { readonly code: number; readonly text: string } {
  let text = "";
  const stderr = {
    writeSync(bytes: Uint8Array) {
      text += new TextDecoder().decode(bytes);
      return bytes.length;
    },
    isTerminal: () => false,
  };
  const output = new Output({ json: false, logFormat: "text", level: "info" }, { ...processWorld, stderr });
  return { code: output.error(error), text };
}

for (const [name, kind] of Object.entries(KINDS)) {
  const makes = [
    (message: string) => new Error(message),
    (message: string) => new TypeError(message),
    (message: string) => new Deno.errors.NotFound(message),
  ];
  Deno.test(`${name} is ${kind.name}, whatever class the runtime gives it, without a stack trace`, () => {
    for (const make of makes) {
      const error = systemFault(osError(name, make), "continue");
      assert.ok(error instanceof kind, name);
      const { code, text } = shownFor(osError(name, make));
      assert.equal(code, error.exitCode);
      assert.match(text, new RegExp(`^error: Cannot continue: simulated ${name}\nnext: {2}[^\n]+\n$`));
    }
  });
}

Deno.test("the runtime's errors about files without a code are recognized by their class", () => {
  const { errors } = Deno;
  const expected = [
    [errors.InvalidData, EXIT.usage],
    [errors.NotCapable, EXIT.usage],
    [errors.NotFound, EXIT.usage],
    [errors.IsADirectory, EXIT.usage],
    [errors.FilesystemLoop, EXIT.usage],
    [errors.PermissionDenied, EXIT.disk],
    [errors.NotSupported, EXIT.disk],
    [errors.Busy, EXIT.failed],
    [errors.TimedOut, EXIT.unreachable],
  ] as const;
  for (const [Fault, exitCode] of expected) {
    for (const error of [new Fault("it says so"), Object.assign(new Fault("it says so"), { code: "EODD" })]) {
      const { code, text } = shownFor(error);
      assert.equal(code, exitCode, text);
      assert.match(text, /^error: Cannot continue: it says so\nnext: /);
    }
  }
});

Deno.test("a system error without an entry in the table ends in one line", () => {
  for (const error of [osError("EODD"), new Error("Odd thing (os error 26): open 'x'")]) {
    const { code, text } = shownFor(error);
    assert.equal(code, EXIT.failed);
    assert.doesNotMatch(text, /unexpected|\n {4}at /);
  }
});

Deno.test("bugs stay bugs, and errors of the program stay as they are", () => {
  for (
    const bug of [osError("EBADF"), osError("ERR_INVALID_ARG_TYPE"), new TypeError("x is no function"), "x"]
  ) {
    assert.equal(systemFault(bug, "continue"), bug);
    assert.match(shownFor(bug).text, /^error: unexpected: /);
  }
  const ours = new LockedError("Cannot lock", { code: "LOCKED" });
  assert.equal(systemFault(ours, "continue"), ours);
});

/** What real calls throw. */
const CALLS: Readonly<Record<string, (dir: string) => unknown>> = {
  "a name of 300 characters": (dir) => Deno.mkdirSync(join(dir, "x".repeat(300))),
  "a path with a NUL": (dir) => Deno.openSync(`${dir}/a\0b`),
  "a folder that is read": (dir) => Deno.readFileSync(dir),
  "a path below a file": (dir) => Deno.readFileSync(join(dir, "file", "x")),
  "a link to itself": (dir) => Deno.readFileSync(join(dir, "loop")),
  "a folder that is not empty": (dir) => Deno.removeSync(dir),
  "a file that is no link": (dir) => Deno.readLinkSync(join(dir, "file")),
  "a name that is taken": (dir) => Deno.symlinkSync("x", join(dir, "file")),
  "a socket": (dir) => {
    using _server = Deno.listen({ transport: "unix", path: join(dir, "socket") });
    return Deno.readFileSync(join(dir, "socket"));
  },
  "an executable that runs": () => Deno.openSync(Deno.execPath(), { write: true }),
  "a full device": () => Deno.writeTextFileSync("/dev/full", "x"),
};

for (const [what, call] of Object.entries(CALLS)) {
  Deno.test({
    name: `${what} ends in one line that is not reported as a bug`,
    ignore: Deno.build.os !== "linux",
    fn() {
      using dir = tempDir();
      Deno.writeTextFileSync(join(dir.path, "file"), "");
      Deno.symlinkSync("loop", join(dir.path, "loop"));
      assert.throws(() => call(dir.path), (error) => {
        const { text } = shownFor(error);
        assert.match(text, /^error: Cannot continue: [^\n]+\nnext: {2}[^\n]+\n$/);
        return systemFault(error, "continue") instanceof ModelSyncError;
      });
    },
  });
}

Deno.test("a folder that the runtime opens only to programs with every permission is reported, without the runtime's advice", () => {
  const said = 'Requires all access to "/dev/shm/models", run again with the --allow-all flag';
  const error = systemFault(new Deno.errors.NotCapable(said), "continue");
  assert.ok(error instanceof UsageError);
  assert.equal(error.message, 'Cannot continue: Requires all access to "/dev/shm/models"');
  assert.match(error.hint ?? "", /\/dev, \/proc and \/sys.*mount a tmpfs/);
});

Deno.test("a file of the program that is damaged or missing is no bug: the hint is to install again", async () => {
  using dir = tempDir();
  const files = { "zeros.js": "\0\0", "cut.js": "export const run = " };
  writeFiles(dir.path, files);
  for (const name of [...Object.keys(files), "missing.js"]) {
    const failure: unknown = await import(pathToFileURL(join(dir.path, name)).href).catch((error: unknown) =>
      error
    );
    assert.match(
      shownFor(failure).text,
      /\nnext: +a file of the program is damaged or missing: install model-sync again/,
    );
  }
});
