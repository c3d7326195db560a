import { refuseModelsInClone } from "../carriers/git_publish_guards.ts";
import type { ModelSync } from "../config/schema.ts";
import type { Context } from "../core/context.ts";
import { absolutePath, findEntry } from "../core/files.ts";
import { requireProgram } from "../core/require_program.ts";
import { refuseTrainingIntoRelease } from "../pipeline/publish.ts";
import { findStore, type Store, type StoreLocation } from "../store/store.ts";
import { type Check, fail, pass, tried, warn } from "./check.ts";
import type { MachineUse } from "../status/machine_use.ts";

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
    await tried("training", () => checkTraining(context, publisher, use, findStore(context.fs, location))),
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
  use: MachineUse,
  store: Store | undefined,
): Check {
  const [program, ...args] = train_command ?? [];
  if (!train_before_push) return pass("training", "off: a publish does not train");
  if (program === undefined) {
    const isMissing = "publisher.train_command is not set, and train_before_push is true";
    const toTrain = "set train_command, or train_before_push: false";
    // One configuration may serve the trainer and its clients, and this machine has shown no role yet.
    return use.roles.has("publisher")
      ? fail("training", `${isMissing}: a publish without --skip-training fails`, toTrain)
      : warn(
        "training",
        `${isMissing}: this machine can pull, but not train and publish`,
        `on the trainer, ${toTrain}; on a machine that only pulls, nothing is missing`,
      );
  }
  requireProgram(context, program);
  if (store !== undefined) refuseTrainingIntoRelease(store);
  const script = args.find((arg) => !arg.startsWith("-"));
  if (
    script !== undefined && SCRIPT.test(script) &&
    findEntry(context.fs, absolutePath(context.fs, script)) === undefined
  ) {
    return warn(
      "training",
      `${program} is installed, but its script ${script} does not exist`,
      "create it, or correct publisher.train_command",
    );
  }
  return pass("training", `${program} is installed`);
}

/** A file that an interpreter runs as its first operand. Later ones may name files of a container or another machine. */
const SCRIPT = /^\S+\.(?:py|sh|bash|js|mjs|ts|R|jl|pl|rb)$/;
