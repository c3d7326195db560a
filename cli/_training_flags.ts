import type { FlagParametersForType } from "@stricli/core";
import { integerFlag, switchFlag } from "./_command.ts";

/** The training options of the seeds' commands, in their spelling. */
export interface TrainingFlags {
  readonly skipTraining?: boolean;
  readonly paper?: boolean;
  readonly symbol?: readonly string[];
  readonly trainMissingOnly?: boolean;
  readonly trainAll?: boolean;
  readonly maxModelAgeHours?: number;
}

const PASSED_ON = "passed on to the training command";

export const TRAINING_FLAGS: FlagParametersForType<TrainingFlags> = {
  skipTraining: switchFlag("publish what is there"),
  paper: switchFlag(PASSED_ON),
  symbol: {
    kind: "parsed",
    parse: String,
    optional: true,
    variadic: true,
    brief: `${PASSED_ON}; may be repeated`,
  },
  trainMissingOnly: switchFlag(PASSED_ON),
  trainAll: switchFlag(PASSED_ON),
  maxModelAgeHours: integerFlag(PASSED_ON, 0),
};
