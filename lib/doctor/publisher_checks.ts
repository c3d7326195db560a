import { refuseModelsInClone } from "../carriers/git_publish_guards.ts";
import type { ModelSync } from "../config/schema.ts";
import type { Context } from "../core/context.ts";
import { requireProgram } from "../core/require_program.ts";
import type { Role } from "../schedule/roles.ts";
import { type Check, fail, pass, tried } from "./check.ts";

/** Roles of a machine that pulls models. */
const PULLING: readonly Role[] = ["client", "runpod_client", "artifact_client", "huggingface_client"];

/**
 * Whether a scheduled publish of this machine could begin. One configuration file may serve the trainer and its
 * clients: a machine that has only pulled so far is not asked for a training.
 *
 * @param isConfigured whether the configuration has a section `publisher`
 * @param used the roles that this machine has in fact
 */
export async function checkPublisher(
  context: Context,
  { publisher, models_dir, repo_dir }: ModelSync,
  isConfigured: boolean,
  used: ReadonlySet<Role>,
): Promise<Check[]> {
  const isClient = !used.has("publisher") && PULLING.some((role) => used.has(role));
  if (isClient || (!isConfigured && !used.has("publisher"))) return [];
  return [
    await tried("training", () => checkTraining(context, publisher)),
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
): Check {
  const [program] = train_command ?? [];
  if (!train_before_push) return pass("training", "off: a publish does not train");
  if (program === undefined) {
    return fail(
      "training",
      "publisher.train_command is not set, and train_before_push is true: a publish without --skip-training fails",
      "set train_command, or train_before_push: false; on a machine that only pulls, remove the section publisher",
    );
  }
  requireProgram(context, program);
  return pass("training", `${program} is there`);
}
