import { EXECUTABLE } from "../helpers/executable.ts";
import { PYTHON } from "../helpers/scikit_learn.ts";
import type { Workbench } from "./workbench.ts";

/** Measures one thing in an empty folder, and reports its rows. */
export type Measurement = (bench: Workbench) => Promise<void>;

export interface Scenario {
  readonly measure: Measurement;
  /** The required programs, by the names of their commands. */
  readonly needs: readonly string[];
  /** Whether it is run only if it is named, and may take longer than others: it compares costs over many sizes. */
  readonly isGrowth?: boolean;
}

/** Returns a scenario. Every scenario needs git, and Python, which measures the resource usage of processes. */
export function scenario(measure: Measurement, ...needs: readonly string[]): Scenario {
  return { measure, needs: ["git", "python3", ...needs] };
}

/** As {@link scenario}, for one that is run only if it is named. */
export function growth(measure: Measurement, ...needs: readonly string[]): Scenario {
  return { ...scenario(measure, ...needs), isGrowth: true };
}

/** Python's library to compare the inspection of pickles with. It is not a command. */
const JOBLIB = "joblib";

/** The system whose `/proc` shows a running process's usage. It is not a command. */
const LINUX = "linux";

/** The executable, which `MODEL_SYNC_TEST_EXECUTABLE` names. It is not a command. */
const COMPILED = "executable";

/** Returns the first missing program. */
export function missingProgram(needs: readonly string[]): string | undefined {
  return needs.find((program) => {
    if (program === COMPILED) return EXECUTABLE.missing !== undefined;
    if (program === LINUX) return Deno.build.os !== LINUX;
    return program === JOBLIB ? PYTHON === undefined : !isCommand(program);
  });
}

function isCommand(program: string): boolean {
  const command = new Deno.Command("sh", { args: ["-c", 'command -v "$1"', "sh", program], stdout: "null" });
  return command.outputSync().success;
}
