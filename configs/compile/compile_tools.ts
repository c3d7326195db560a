/** Runs a program and returns what it printed, without colours. It does not inherit the dropped variables. */
export type RunProgram = (
  program: string,
  args: readonly string[],
  dropped?: readonly string[],
) => Promise<ProgramResult>;

export interface ProgramResult {
  readonly success: boolean;
  readonly stdout: string;
  readonly stderr: string;
}

/** What a compile needs from outside. */
export interface CompileTools {
  /** The folder of the clone. */
  readonly project: string;
  /** The path of the Deno that runs. It has the packages. */
  readonly deno: string;
  /** The path of the Deno that compiles. */
  readonly compiler: string;
  readonly run: RunProgram;
}
