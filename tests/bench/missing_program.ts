import { PYTHON } from "../helpers/scikit_learn.ts";

/** The library of Python that walking pickles is compared with; it is not a command. */
const JOBLIB = "joblib";

/** The system whose `/proc` says what a process that runs has used so far; it is not a command either. */
const LINUX = "linux";

/** Returns the first of these programs that is not installed. */
export function missingProgram(needs: readonly string[]): string | undefined {
  return needs.find((program) => {
    if (program === LINUX) return Deno.build.os !== LINUX;
    return program === JOBLIB ? PYTHON === undefined : !isCommand(program);
  });
}

function isCommand(program: string): boolean {
  const command = new Deno.Command("sh", { args: ["-c", 'command -v "$1"', "sh", program], stdout: "null" });
  return command.outputSync().success;
}
