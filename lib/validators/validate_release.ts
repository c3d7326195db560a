import type { Context } from "../core/context.ts";
import { CHECKSUM_HINT, findWrongChecksum, isMetadata, METADATA_NAME } from "../release/metadata_checksum.ts";
import type { ValidationRequest } from "./checker.ts";
import { runCustomCommand } from "./custom_command.ts";
import { FileChecks } from "./file_checks.ts";
import { InvalidModelError } from "./invalid_model.ts";
import { applyRules } from "./release_rules.ts";

/**
 * Decides whether a verified release may be activated: by the rules, the checksums in `metadata.json`, each file's
 * format, and last the user's own command. No model code is executed in this process. Needs read permission; the run
 * permission for the command and for ONNX models.
 *
 * @param checks those of the same request, if files were checked while they were staged
 * @throws {InvalidModelError} naming the first refused file; if there are more, each is logged
 * @throws {RefusedError} for causes that may lie outside the release: its age, or a command that took too long or
 * changed the release
 */
export async function validateRelease(
  context: Context,
  request: ValidationRequest,
  checks?: FileChecks,
): Promise<void> {
  const { settings, dir, digest, active } = request;
  if (!settings.enabled) return;
  applyRules(settings, request, active, context.clock.now());
  refuseWrongMetadata(context, request);
  await (checks ?? new FileChecks(context, request)).finish();
  context.log.debug(`validated the files of ${digest}`);
  if (settings.validate_command === undefined) return;
  await runCustomCommand(context, {
    command: settings.validate_command,
    timeoutMs: settings.validate_timeout_seconds * 1000,
    dir,
    digest,
    activeDir: active?.dir,
  });
}

function refuseWrongMetadata(context: Context, request: ValidationRequest): void {
  const others = request.passed?.others ?? request.active?.others;
  const isDescribed = others === undefined
    ? request.files.some(isMetadata)
    : others.findEnding([METADATA_NAME]).some(isMetadata);
  if (!isDescribed) return;
  const { dir, files } = request;
  const measured = files.map(({ path, size, sha256 }) => ({ path, bytes: size, sha256 }));
  const wrong = findWrongChecksum(context.fs, dir, measured);
  if (wrong !== undefined) throw new InvalidModelError(wrong.path, wrong.problem, { hint: CHECKSUM_HINT });
}
