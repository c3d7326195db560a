import { refuseModelsInClone } from "../carriers/git_publish_guards.ts";
import type { ModelSync } from "../config/schema.ts";
import type { Context } from "../core/context.ts";
import { requireProgram } from "../core/require_program.ts";
import { refuseTrainingIntoRelease } from "../pipeline/publish.ts";
import { findStore, type Store, type StoreLocation } from "../store/store.ts";
import { type Check, fail, pass, tried } from "./check.ts";
import type { MachineUse } from "./machine_use.ts";

/**
 * Checks that a scheduled publish of this machine could start. A machine that never trains gets no checks.
 *
 * @param isConfigured whether the configuration has a section `publisher`
 * @param use the use of this machine
 * @param location the model folder that is trained into, and its store
 */
export async function checkPublisher(
  context: Context,
  { publisher, models_dir, repo_dir }: ModelSync,
  isConfigured: boolean,
  use: MachineUse,
  location: StoreLocation,
): Promise<Check[]> {
  if (use.neverTrains || (!isConfigured && !use.roles.has("publisher"))) return [];
  return [
    await tried("training", () => checkTraining(context, publisher, findStore(context.fs, location))),
    ...(repo_dir === undefined ? [] : [
      await tried("published models", () => {
        refuseModelsInClone(context.fs, models_dir, repo_dir);
        return pass("published models", `${models_dir} is outside of the clone`);
      }),
    ]),
  ];
}

function checkTraining(
  context: Context,
  { train_before_push, train_command }: ModelSync["publisher"],
  store: Store | undefined,
): Check {
  const [program] = train_command ?? [];
  if (!train_before_push) return pass("training", "off: a publish does not train");
  if (program === undefined) {
    return fail(
      "training",
      "publisher.train_command is not set, and train_before_push is true: a publish without --skip-training fails",
      "set train_command, or train_before_push: false; on a machine that only pulls, run doctor --role client",
    );
  }
  requireProgram(context, program);
  if (store !== undefined) refuseTrainingIntoRelease(store);
  return pass("training", `${program} is installed`);
}
