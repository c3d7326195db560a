import { PYTHON } from "../helpers/scikit_learn.ts";
import type { Workbench } from "./workbench.ts";

/** Measures one thing in an empty folder, and reports its rows. */
export type Measurement = (bench: Workbench) => Promise<void>;

export interface Scenario {
  readonly measure: Measurement;
  /** Programs that have to be installed, by the names of their commands. */
  readonly needs: readonly string[];
}

/** A scenario; Python reads the resource usage of every process, and git is what the program itself runs. */
export function scenario(measure: Measurement, ...needs: readonly string[]): Scenario {
  return { measure, needs: ["git", "python3", ...needs] };
}

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
