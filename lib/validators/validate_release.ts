import type { Context } from "../core/context.ts";
import { Turns } from "../core/turns.ts";
import { Pool } from "../core/concurrency.ts";
import { plural } from "../core/format.ts";
import { readAt } from "../core/read_at.ts";
import { Working } from "../core/working.ts";
import { CHECKSUM_HINT, findWrongChecksum } from "../release/metadata_checksum.ts";
import {
  type Checker,
  type CheckJob,
  HEAD_BYTES,
  type ModelFile,
  type ValidationRequest,
} from "./checker.ts";
import { CHECKERS } from "./checkers.ts";
import { runCustomCommand } from "./custom_command.ts";
import { InvalidModelError } from "./invalid_model.ts";
import { TrialMemory } from "./onnx/trial_memory.ts";
import { adviseImports } from "./pickle/refusals.ts";
import { applyRules } from "./release_rules.ts";

/** Each check may load a model in a process of its own. More of them than this are short of memory, whatever the cores. */
const SIDE_BY_SIDE_MAX = 16;

/** More names make a message unreadable. */
const NAMED_MAX = 5;
const LOGGED_MAX = 20;

/**
 * Decides whether a verified release may be activated: by the rules, the checksums in `metadata.json`, each file's
 * format, and last the user's own command. No model code is executed in this process. Each check reads what its format
 * needs: a header, or the whole file. Needs read permission; the run permission for the command and for ONNX models.
 *
 * @param cores the number of files that are checked at once
 * @throws {InvalidModelError} naming the first refused file; if there are more, each is logged
 * @throws {RefusedError} for causes that may lie outside the release: its age, or a command that took too long or
 * changed the release
 */
export async function validateRelease(
  context: Context,
  request: ValidationRequest,
  checkers: readonly Checker[] = CHECKERS,
  cores: number = navigator.hardwareConcurrency,
): Promise<void> {
  const { settings, files, dir, digest, active } = request;
  if (!settings.enabled) return;
  applyRules(settings, { ...request, active: active?.files }, context.clock.now());
  refuseWrongMetadata(context, request);
  await checkFiles(context, request, checkers, Math.min(cores, SIDE_BY_SIDE_MAX));
  context.log.debug(`validated ${plural(files.length, "file")} of ${digest}`);
  if (settings.validate_command === undefined) return;
  await runCustomCommand(context, {
    command: settings.validate_command,
    timeoutMs: settings.validate_timeout_seconds * 1000,
    dir,
    digest,
    activeDir: active?.dir,
  });
}

function refuseWrongMetadata(context: Context, { dir, files }: ValidationRequest): void {
  const measured = files.map(({ path, size, sha256 }) => ({ path, bytes: size, sha256 }));
  const wrong = findWrongChecksum(context.fs, dir, measured);
  if (wrong !== undefined) throw new InvalidModelError(wrong.path, wrong.problem, { hint: CHECKSUM_HINT });
}

async function checkFiles(
  context: Context,
  request: ValidationRequest,
  checkers: readonly Checker[],
  sideBySide: number,
): Promise<void> {
  using _working = new Working(context, "validating");
  const active = new Map(request.active?.files.map((file) => [file.path, file]));
  const refused = new Map<ModelFile, InvalidModelError>();
  const turns = new Turns(context);
  const pool = new Pool(sideBySide);
  const memory = new TrialMemory(sideBySide);
  try {
    for (const file of request.files) {
      await turns.next();
      const job = { context, file, before: active.get(file.path), request, memory };
      const chosen = chooseCheckers(job, checkers);
      if (chosen.length > 0) {
        await pool.add(async () => {
          const error = await firstRefusal(job, chosen);
          if (error !== undefined) refused.set(file, error);
        });
      }
    }
  } finally {
    await pool.drain();
  }
  throwRefusals(context, request.files.flatMap((file) => refused.get(file) ?? []));
}

/** Returns the checks that a file has to pass. The file is opened only if its content decides. */
function chooseCheckers(
  { context, file, before, request }: CheckJob,
  checkers: readonly Checker[],
): readonly Checker[] {
  const isOfActive = before?.sha256 === file.sha256;
  const isOfPassed = request.passed?.files.get(file.path) === file.sha256;
  const hasSameRules = (isOfActive && request.hasSameRules === true) ||
    (isOfPassed && request.passed?.hasSameRules === true);
  const hasPassed = (checker: Checker) =>
    (isOfActive || isOfPassed) &&
    (checker.passesUnchanged || (hasSameRules && checker.passesWithSameRules === true));
  const asked = checkers.filter((checker) => !hasPassed(checker));
  const name = file.path.toLowerCase();
  const isNamed = (checker: Checker) => checker.extensions.some((end) => name.endsWith(end));
  if (asked.every(({ looksLike, endsLike }) => looksLike === undefined && endsLike === undefined)) {
    return asked.filter(isNamed);
  }
  using opened = context.fs.openSync(file.location, { read: true });
  return formatsOf(file, opened, asked, isNamed);
}

/**
 * Returns every format that a file has by its name or its content: consumers go by either, and a file can have two
 * formats at once.
 */
function formatsOf(
  file: ModelFile,
  opened: Deno.FsFile,
  checkers: readonly Checker[],
  isNamed: (checker: Checker) => boolean,
): Checker[] {
  const head = readAt(opened, 0, Math.min(HEAD_BYTES, file.size));
  return checkers.filter((checker) =>
    isNamed(checker) || checker.looksLike?.(head, file) === true ||
    checker.endsLike?.(opened, file.size) === true
  );
}

async function firstRefusal(
  job: CheckJob,
  checkers: readonly Checker[],
): Promise<InvalidModelError | undefined> {
  try {
    for (const checker of checkers) {
      job.context.log.debug(`checking ${job.file.path} (${checker.format})`);
      await checker.check(job);
    }
    return undefined;
  } catch (error) {
    if (error instanceof InvalidModelError) return error;
    throw error;
  }
}

/** @throws {InvalidModelError} the only one, or one that names all files */
function throwRefusals(context: Context, errors: readonly InvalidModelError[]): void {
  const [first, ...others] = errors;
  if (first === undefined) return;
  if (others.length === 0) throw first;
  for (const { message } of errors.slice(0, LOGGED_MAX)) context.log.error(message);
  const named = others.slice(0, NAMED_MAX).map(({ path }) => path).join(", ");
  const rest = others.length > NAMED_MAX ? ", ..." : "";
  const imports = [...new Set(errors.flatMap((error) => error.imports))];
  const hint = imports.length > 0 ? adviseImports(imports) : first.hint;
  throw new InvalidModelError(
    first.path,
    `${first.problem} (and ${others.length} more refused: ${named}${rest})`,
    { hint: hint ?? "see the log above; the active release is untouched", cause: first },
  );
}
