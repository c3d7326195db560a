import type { ValidateSettings } from "../config/sections/validate.ts";
import { isoSeconds } from "../core/clock.ts";
import { changedFile, isGone } from "../core/changed_file.ts";
import type { Context } from "../core/context.ts";
import { findEntry } from "../core/files.ts";
import type { ModelSet } from "../release/model_set.ts";
import { findPassedModels, rememberPassedModels } from "../store/passed_models.ts";
import { findPassedRules, rememberPassed } from "../store/passed_releases.ts";
import type { Store } from "../store/store.ts";
import type { PassedFiles } from "../validators/checker.ts";
import { InvalidModelError } from "../validators/invalid_model.ts";
import { comparePassed, rulesNameOf } from "../validators/rules_name.ts";

/**
 * Validates models before they are published, with the checks of a pull without an active release. The operator's own
 * command is left out: it belongs to the machine that activates the release.
 *
 * @param store knows the models that passed before, which are not checked again under the same rules
 * @throws {InvalidModelError} for models that every pull with these settings would refuse
 */
export async function refuseInvalid(
  context: Context,
  store: Store | undefined,
  set: ModelSet,
  settings: ValidateSettings,
): Promise<void> {
  if (settings.enabled) await check(context, store, set, { settings, rules: await rulesNameOf(settings) });
}

/** As {@link refuseInvalid}. Remembers the models, so that the next publish checks only those that changed. */
export async function refuseInvalidOnce(
  context: Context,
  store: Store,
  set: ModelSet,
  settings: ValidateSettings,
): Promise<void> {
  if (!settings.enabled) return;
  const rules = await rulesNameOf(settings);
  await check(context, store, set, { settings, rules });
  // The list of all models remains true, and a new one would cost more time than it saves.
  if (findPassedBefore(store, set, rules) === undefined) rememberPassedModels(store, rules, set.files);
  rememberPassed(store, set.digest, rules);
}

/** @param rules the name of the rules in the settings */
async function check(
  context: Context,
  store: Store | undefined,
  set: ModelSet,
  { settings, rules }: { readonly settings: ValidateSettings; readonly rules: string },
): Promise<void> {
  const { dir, digest } = set;
  // Loaded only for changed models: an unchanged publish starts faster without it.
  const { validateRelease } = await import("../validators/validate_release.ts");
  try {
    await validateRelease(context, {
      dir,
      get files() {
        return set.files;
      },
      digest,
      createdAt: isoSeconds(context.clock.now()),
      active: undefined,
      passed: store && (findPassedBefore(store, set, rules) ?? findPassedList(store, rules)),
      settings: { ...settings, validate_command: undefined },
    });
  } catch (error) {
    if (error instanceof InvalidModelError) throw error.atPublisher();
    if (!isGone(error)) throw error;
    const gone = set.files.find(({ location }) => findEntry(context.fs, location)?.isFile !== true);
    throw changedFile(gone?.path ?? dir);
  }
}

/** Returns the models that did not change since a set that passed; `undefined` if no such set is known. */
function findPassedBefore(store: Store, { since }: ModelSet, rules: string): PassedFiles | undefined {
  if (since === undefined) return undefined;
  const passed = passedFiles(
    findPassedRules(store, since.digest),
    rules,
    ({ path }) => !since.changed.has(path),
  );
  const files = since.seen.filter(({ path }) => since.changed.has(path));
  return passed && { ...passed, others: { files, findEnding: since.findEnding } };
}

function findPassedList(store: Store, rules: string): PassedFiles | undefined {
  const passed = findPassedModels(store);
  return passedFiles(passed?.rules, rules, ({ path, sha256 }) => passed?.files.get(path) === sha256);
}

function passedFiles(
  passed: string | undefined,
  present: string,
  has: PassedFiles["has"],
): PassedFiles | undefined {
  const compared = comparePassed(passed, present);
  return compared === "unknown" ? undefined : { has, hasSameRules: compared === "same-rules" };
}
