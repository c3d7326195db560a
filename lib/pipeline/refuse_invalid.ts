import type { ValidateSettings } from "../config/sections/validate.ts";
import { isoSeconds } from "../core/clock.ts";
import type { Context } from "../core/context.ts";
import type { ModelSet } from "../release/model_set.ts";
import { findPassedModels, rememberPassedModels } from "../store/passed_models.ts";
import type { Store } from "../store/store.ts";
import { InvalidModelError } from "../validators/invalid_model.ts";
import { rulesNameOf } from "../validators/rules_name.ts";

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
  rememberPassedModels(store, rules, set.files);
}

/** @param rules the name of the rules in the settings */
async function check(
  context: Context,
  store: Store | undefined,
  { dir, digest, files }: ModelSet,
  { settings, rules }: { readonly settings: ValidateSettings; readonly rules: string },
): Promise<void> {
  const passed = store === undefined ? undefined : findPassedModels(store);
  // Loaded only for changed models: an unchanged publish starts faster without it.
  const { validateRelease } = await import("../validators/validate_release.ts");
  try {
    await validateRelease(context, {
      dir,
      files,
      digest,
      createdAt: isoSeconds(context.clock.now()),
      active: undefined,
      passed: passed === undefined
        ? undefined
        : { files: passed.files, hasSameRules: passed.rules === rules },
      settings: { ...settings, validate_command: undefined },
    });
  } catch (error) {
    if (error instanceof InvalidModelError) throw error.atPublisher();
    throw error;
  }
}
