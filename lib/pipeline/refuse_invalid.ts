import type { ValidateSettings } from "../config/sections/validate.ts";
import { isoSeconds } from "../core/clock.ts";
import type { Context } from "../core/context.ts";
import type { ModelSet } from "../release/model_set.ts";
import { lastPublishedFiles } from "../store/published_files.ts";
import type { Store } from "../store/store.ts";
import { InvalidModelError } from "../validators/invalid_model.ts";

/**
 * Validates models before they are published, with the checks of a pull without an active release. The operator's own
 * command is left out: it belongs to the machine that activates the release.
 *
 * @param store knows the release that this machine published last, whose models are not loaded again
 * @throws {InvalidModelError} for models that every pull with these settings would refuse
 */
export async function refuseInvalid(
  context: Context,
  store: Store | undefined,
  { dir, digest, files }: ModelSet,
  settings: ValidateSettings,
): Promise<void> {
  if (!settings.enabled) return;
  const published = store === undefined ? undefined : lastPublishedFiles(store);
  const passed = published?.validated === true ? published.files : [];
  // Loaded only for changed models: an unchanged publish starts faster without it.
  const { validateRelease } = await import("../validators/validate_release.ts");
  try {
    await validateRelease(context, {
      dir,
      files,
      digest,
      createdAt: isoSeconds(context.clock.now()),
      active: undefined,
      passed: new Map(passed.map(({ path, sha256 }) => [path, sha256])),
      settings: { ...settings, validate_command: undefined },
    });
  } catch (error) {
    if (error instanceof InvalidModelError) throw error.atPublisher();
    throw error;
  }
}
