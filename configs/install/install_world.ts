import type { Environment } from "../../lib/core/context.ts";

/** The end of a program that the installer ran. */
export interface RunResult {
  readonly success: boolean;
  readonly stdout: string;
  readonly stderr: string;
}

/** What the installer needs from outside. Files are written through Deno itself. */
export interface InstallWorld {
  readonly env: Environment;
  /** The folder of the clone. */
  readonly clone: string;
  /** The Deno that runs the installer, and its version. */
  readonly execPath: string;
  readonly denoVersion: string;
  readonly os: typeof Deno.build.os;
  /** Prints a line of the result. */
  readonly print: (line: string) => void;
  /** Runs a program with further variables, and returns when it has ended. */
  readonly run: (
    command: string,
    args: readonly string[],
    options: { readonly cwd: string; readonly env: Readonly<Record<string, string>> },
  ) => Promise<RunResult>;
}
