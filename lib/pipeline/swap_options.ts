import type { ModeChoice } from "../store/model_folder.ts";
import type { CurrentRun } from "./current_run.ts";
import type { Safeguards } from "./safeguards.ts";

/** How activations are made on this machine. */
export interface SwapOptions {
  readonly run: CurrentRun;
  readonly choice: ModeChoice;
  readonly safeguards: Safeguards;
}
