import type { IntentRun } from "../store/intent.ts";
import type { ModeChoice } from "../store/model_folder.ts";
import type { Safeguards } from "./safeguards.ts";

/** How activations are made on this machine. */
export interface SwapOptions {
  readonly run: IntentRun;
  readonly choice: ModeChoice;
  readonly safeguards: Safeguards;
}
