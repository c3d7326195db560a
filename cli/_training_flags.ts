import type { FlagParametersForType } from "@stricli/core";
import { UsageError } from "../lib/core/errors.ts";
import type { TrainingOptions } from "../lib/training/train.ts";
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
  skipTraining: switchFlag("publish the model folder without training"),
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

/** What the flags tell a training. @throws {UsageError} when they exclude each other */
export function trainingOptions(flags: TrainingFlags): TrainingOptions {
  if (flags.trainAll && flags.trainMissingOnly) {
    throw new UsageError(
      "Cannot train all and only what is missing: --train-all and --train-missing-only exclude each other",
      {
        code: "USAGE",
        hint: "give one of them",
      },
    );
  }
  return {
    paper: flags.paper === true,
    symbols: flags.symbol ?? [],
    scope: flags.trainAll ? "all" : flags.trainMissingOnly ? "missing-only" : "default",
    maxModelAgeHours: flags.maxModelAgeHours,
  };
}
