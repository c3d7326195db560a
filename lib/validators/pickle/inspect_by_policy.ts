import type { Context } from "../../core/context.ts";
import { readAt } from "../../core/read_at.ts";
import type { PickleSetting } from "../../config/choices.ts";
import { InvalidModelError } from "../invalid_model.ts";
import type { ModelFile } from "../checker.ts";
import { inspectPickle } from "./inspect_pickle.ts";
import { HEAD_BYTES, recognisePickle } from "./unpack/recognise_pickle.ts";

/** What is done about pickles: `activation.validate.pickle`. */
export interface PickleSettings {
  readonly policy: PickleSetting;
  readonly allow: readonly string[];
}

/**
 * Looks into a file that may hold a pickle, as the configuration wants it. Where pickles are refused, files that may hold
 * other things are looked into.
 *
 * @throws {InvalidModelError}
 */
export async function inspectByPolicy(
  context: Context,
  file: ModelFile,
  { policy, allow }: PickleSettings,
): Promise<void> {
  if (policy === "ignore") return;
  const isRefused = policy === "refuse";
  if (isRefused && isPickle(context, file)) throw refusal(file);
  const hasPickle = await inspectPickle(context, file, { patterns: allow });
  if (isRefused && hasPickle) throw refusal(file);
}

/** Whether the first bytes are enough to say so. */
function isPickle(context: Context, { location, path }: ModelFile): boolean {
  using file = context.fs.openSync(location, { read: true });
  const suspicion = recognisePickle(readAt(file, 0, HEAD_BYTES), path);
  return suspicion?.kind === "pickle" && suspicion.isCertain;
}

function refusal({ path }: ModelFile): InvalidModelError {
  return new InvalidModelError(
    path,
    "it is a pickle or has one in it, and activation.validate.pickle.policy refuses them all",
  );
}
