import { createHash } from "node:crypto";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FailedError } from "../../lib/core/errors.ts";
import { findEntry } from "../../lib/core/files.ts";

/** A Python, with the versions of the libraries that scripts use. */
export interface Python {
  readonly command: string;
  readonly versions: string;
}

const VERSIONS = `
import sys
from importlib.metadata import version
print(sys.version, *(version(name) for name in ("joblib", "numpy", "scikit-learn", "scipy")))
`;

/** Returns the first Python with scikit-learn. Querying versions takes a tenth of the time of an import. */
export function findPython(commands: readonly string[]): Python | undefined {
  for (const command of commands) {
    try {
      return { command, versions: runPython(command, VERSIONS) };
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound || error instanceof FailedError)) throw error;
    }
  }
  return undefined;
}

/** Runs a script. @returns its output */
export function runPython(command: string, script: string, cwd?: string): string {
  const { success, stdout, stderr } = new Deno.Command(command, {
    args: ["-c", script],
    ...(cwd === undefined ? {} : { cwd }),
  }).outputSync();
  if (!success) throw new FailedError(new TextDecoder().decode(stderr), { code: "PYTHON" });
  return new TextDecoder().decode(stdout).trim();
}

/**
 * Returns a folder that a script filled; tests only read it. The script runs once for all tests of this user, because
 * training takes seconds. Its output is in the file {@link SAID}.
 */
export function madeByPython({ command, versions }: Python, script: string): string {
  const root = ownFolder();
  const made = join(root, createHash("sha256").update(`${versions}\n${script}`).digest("hex").slice(0, 24));
  // Another process may be creating the folder: waits for it.
  using lock = Deno.openSync(`${made}.lock`, { write: true, create: true });
  lock.lockSync(true);
  if (findEntry(Deno, made) !== undefined) return made;
  const making = Deno.makeTempDirSync({ dir: root });
  Deno.writeTextFileSync(join(making, SAID), runPython(command, script, making));
  for (const { name } of Deno.readDirSync(making)) Deno.chmodSync(join(making, name), 0o444);
  Deno.renameSync(making, made);
  return made;
}

export const SAID = "said.txt";

/** Other users cannot put pickles there for our Python to load. */
function ownFolder(): string {
  const uid = Deno.uid();
  const path = join(tmpdir(), `model-sync-test-fixtures-${uid ?? "user"}`);
  Deno.mkdirSync(path, { recursive: true, mode: 0o700 });
  const found = Deno.lstatSync(path);
  if (!found.isDirectory || found.uid !== uid) throw new Error(`${path} is somebody else's`);
  return path;
}
