import { type CommandUnknownOpts, Option } from "@commander-js/extra-typings";
import { integerFrom, repeatable } from "./_command.ts";

/** The training options of the seeds' commands, in their spelling. */
export interface TrainingFlags {
  readonly skipTraining?: boolean | undefined;
  readonly paper?: boolean | undefined;
  readonly symbol?: readonly string[] | undefined;
  readonly trainMissingOnly?: boolean | undefined;
  readonly trainAll?: boolean | undefined;
  readonly maxModelAgeHours?: number | undefined;
}

/** Adds {@link TrainingFlags} to a command. */
export function withTrainingOptions<C extends CommandUnknownOpts>(command: C): C {
  const passedOn = "passed on to the training command";
  command
    .option("--skip-training", "publish what is there")
    .option("--paper", passedOn)
    .option("--symbol <symbol>", `${passedOn}; may be repeated`, repeatable)
    .addOption(new Option("--train-missing-only", passedOn).conflicts("trainAll"))
    .addOption(new Option("--train-all", passedOn).conflicts("trainMissingOnly"))
    .option("--max-model-age-hours <hours>", passedOn, integerFrom(0));
  return command;
}
