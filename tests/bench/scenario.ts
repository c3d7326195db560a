import type { Workbench } from "./workbench.ts";

/** One row of the table. */
export interface Result {
  readonly what: string;
  readonly ours: string;
  readonly theirs: string;
  /** How the two compare, in the terms of the promise. */
  readonly ratio: string;
  readonly wanted: string;
  /** Whether the promise holds; missing where nothing is promised. */
  readonly kept?: boolean;
}

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
