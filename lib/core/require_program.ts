import { delimiter, join } from "node:path";
import type { Context } from "./context.ts";
import { UsageError } from "./errors.ts";
import { type FileSystem, ifFound } from "./files.ts";
import { redactArguments } from "./redact_arguments.ts";
import { PROGRAM_HINT } from "./subprocess.ts";

/** Windows adds these when it starts a program. */
const EXTENSIONS = Deno.build.os === "windows" ? ["", ".exe", ".com"] : [""];

/**
 * Checks that a program exists, by its path or by its name on the `PATH`, without starting it.
 *
 * @throws {UsageError} code `PROGRAM_MISSING`
 */
export function requireProgram(outside: Pick<Context, "fs" | "env">, command: string): void {
  if (hasProgram(outside, command)) return;
  const isPath = hasFolder(command);
  const [program] = redactArguments([command]);
  const problem = isPath ? "it is not a program" : "no such program on the PATH";
  throw new UsageError(`Cannot run "${program}": ${problem}`, {
    code: "PROGRAM_MISSING",
    hint: isPath ? "install it, or correct the command in the configuration" : PROGRAM_HINT,
  });
}

/** Returns whether a program exists, by its path or by its name on the `PATH`. */
export function hasProgram({ fs, env }: Pick<Context, "fs" | "env">, command: string): boolean {
  const folders = hasFolder(command) ? [""] : (env.get("PATH") ?? "").split(delimiter);
  const candidates = folders.flatMap((folder) => EXTENSIONS.map((end) => join(folder, command + end)));
  return candidates.some((path) => isProgram(fs, path));
}

function hasFolder(command: string): boolean {
  return /[\\/]/.test(command);
}

/** A folder on the `PATH` may be missing or not readable. */
function isProgram(fs: FileSystem, path: string): boolean {
  try {
    const info = ifFound(() => fs.statSync(path));
    return info?.isFile === true && (info.mode === null || (info.mode & 0o111) !== 0);
  } catch (error) {
    if (error instanceof Deno.errors.PermissionDenied || error instanceof Deno.errors.NotADirectory) {
      return false;
    }
    throw error;
  }
}
