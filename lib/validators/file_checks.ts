import { Pool } from "../core/concurrency.ts";
import type { Context } from "../core/context.ts";
import type { Sha256 } from "../core/hash.ts";
import { endsLike } from "../core/path_ends.ts";
import { readAt } from "../core/read_at.ts";
import { Turns } from "../core/turns.ts";
import { Working } from "../core/working.ts";
import { listed } from "../release/file_list.ts";
import {
  type Checker,
  type CheckJob,
  hasActivePassed,
  HEAD_BYTES,
  type ModelFile,
  type OtherFiles,
  type ValidationRequest,
} from "./checker.ts";
import { CHECKERS } from "./checkers.ts";
import { InvalidModelError } from "./invalid_model.ts";
import { TrialMemory } from "./onnx/trial_memory.ts";
import { loadSmall, openModel, withBytes } from "./open_model.ts";
import { adviseImports } from "./pickle/refusals.ts";

/** Each check may load a model in a process of its own. More of them than this are short of memory, whatever the cores. */
const SIDE_BY_SIDE_MAX = 16;

/** More names make a message unreadable. */
const NAMED_MAX = 5;
const LOGGED_MAX = 20;

/**
 * Checks the format of each file of a release: small files while they are staged, when their bytes are in memory, and the
 * others when all are staged. No model code is executed in this process. Each check reads what its format needs: a header,
 * or the whole file.
 */
export class FileChecks {
  readonly #context: Context;
  readonly #request: ValidationRequest;
  readonly #checkers: readonly Checker[];
  readonly #sideBySide: number;
  readonly #memory: TrialMemory;
  readonly #findActive: (path: string) => ModelFile | undefined;
  /** The files that are not checked yet, by their paths. */
  readonly #pending: Map<string, ModelFile>;
  /** By path: there may be several objects for a file. */
  readonly #refused = new Map<string, InvalidModelError>();

  /** @param cores the number of files that are checked at once */
  constructor(
    context: Context,
    request: ValidationRequest,
    checkers: readonly Checker[] = CHECKERS,
    cores: number = navigator.hardwareConcurrency,
  ) {
    this.#context = context;
    this.#request = request;
    this.#checkers = checkers;
    this.#sideBySide = Math.min(cores, SIDE_BY_SIDE_MAX);
    this.#memory = new TrialMemory(this.#sideBySide);
    this.#findActive = request.active?.find ?? listed(request.active?.files ?? []).find;
    this.#pending = byPath(uncheckedFiles(request, this.#findActive, checkers));
  }

  /**
   * Checks the bytes of a file if they are those of the release. Does nothing for others, and for a file that another
   * program reads from the disk. A refusal is thrown by {@link finish}.
   *
   * @param bytes all of them; not used after this resolves
   */
  async checkBytes(path: string, bytes: Uint8Array, sha256: Sha256): Promise<void> {
    const file = this.#pending.get(path);
    // The manifest's size, which limits the work of a check, is not verified yet.
    if (file === undefined || file.sha256 !== sha256 || file.size !== bytes.length) return;
    const chosen = chooseCheckers(this.#jobOf(withBytes(file, bytes)), this.#checkers);
    if (chosen.checkers.some(({ needsDisk }) => needsDisk === true)) return;
    await this.#check(file, chosen);
  }

  /**
   * Checks the other files on the disk. Needs read permission; the run permission for ONNX models.
   *
   * @throws {InvalidModelError} naming the first refused file; if there are more, each is logged
   */
  async finish(): Promise<void> {
    using _working = new Working(this.#context, "validating");
    const turns = new Turns(this.#context);
    const pool = new Pool(this.#sideBySide);
    try {
      for (const file of this.#pending.values()) {
        await turns.next();
        const chosen = chooseCheckers(this.#jobOf(file), this.#checkers);
        if (chosen.checkers.length > 0) await pool.add(() => this.#check(file, chosen));
      }
    } finally {
      await pool.drain();
    }
    if (this.#refused.size === 0) return;
    throwRefusals(this.#context, this.#request.files.flatMap(({ path }) => this.#refused.get(path) ?? []));
  }

  #jobOf(file: ModelFile): CheckJob {
    return {
      context: this.#context,
      file,
      before: this.#findActive(file.path),
      request: this.#request,
      memory: this.#memory,
    };
  }

  async #check(file: ModelFile, chosen: ChosenChecks): Promise<void> {
    const error = await firstRefusal(chosen);
    if (error !== undefined) this.#refused.set(file.path, error);
    this.#pending.delete(file.path);
  }
}

function byPath(files: readonly ModelFile[]): Map<string, ModelFile> {
  const map = new Map<string, ModelFile>();
  for (const file of files) map.set(file.path, file);
  return map;
}

/** Returns the files that may have to pass a check: of many that passed before, few or none. */
function uncheckedFiles(
  request: ValidationRequest,
  findActive: (path: string) => ModelFile | undefined,
  checkers: readonly Checker[],
): readonly ModelFile[] {
  const { passed } = request;
  const passedEnds = passed && endsAsked(checkers, passed.hasSameRules);
  const activeEnds = hasActivePassed(request)
    ? endsAsked(checkers, request.activePassed === "same-rules")
    : undefined;
  const isUnnamed = (file: ModelFile, ends: readonly string[]) => !endsLike(file.path, ends);
  if (passedEnds !== undefined && activeEnds === undefined && passed?.others !== undefined) {
    return withNamed(passed.others, passedEnds, (file) => passed.has(file));
  }
  if (activeEnds !== undefined && passedEnds === undefined && request.active?.others !== undefined) {
    const { others } = request.active;
    const paths = new Set(others.files.map(({ path }) => path));
    return withNamed(others, activeEnds, ({ path }) => !paths.has(path));
  }
  if (passedEnds === undefined && activeEnds === undefined) return request.files;
  return request.files.filter((file) => {
    if (passedEnds !== undefined && passed?.has(file) === true && isUnnamed(file, passedEnds)) return false;
    if (activeEnds === undefined || findActive(file.path)?.sha256 !== file.sha256) return true;
    return !isUnnamed(file, activeEnds);
  });
}

/** Returns the other files, and those with these endings that are none of them. */
function withNamed(
  others: OtherFiles,
  ends: readonly string[],
  isNoOther: (file: ModelFile) => boolean,
): readonly ModelFile[] {
  const named = ends.length === 0 ? [] : others.findEnding(ends);
  return [...others.files, ...named.filter(isNoOther)];
}

/**
 * Returns the extensions of the formats that are checked again in files that passed before; `undefined` if the content
 * decides.
 */
function endsAsked(checkers: readonly Checker[], hasSameRules: boolean): readonly string[] | undefined {
  const asked = checkers.filter((checker) => !passesAgain(checker, hasSameRules));
  const isByContent = asked.some(({ looksLike, endsLike }) =>
    looksLike !== undefined || endsLike !== undefined
  );
  return isByContent ? undefined : asked.flatMap(({ extensions }) => extensions);
}

/** Whether a file that passed before passes without a check. */
function passesAgain(checker: Checker, hasSameRules: boolean): boolean {
  return checker.passesUnchanged || (hasSameRules && checker.passesWithSameRules === true);
}

/** The checks that a file has to pass. */
interface ChosenChecks {
  readonly job: CheckJob;
  readonly checkers: readonly Checker[];
}

/** Chooses the checks that a file has to pass. The file is opened only if its content decides. */
function chooseCheckers(job: CheckJob, checkers: readonly Checker[]): ChosenChecks {
  const { context, file, before, request } = job;
  const isOfActive = hasActivePassed(request) && before?.sha256 === file.sha256;
  const isOfPassed = request.passed?.has(file) === true;
  const hasSameRules = (isOfActive && request.activePassed === "same-rules") ||
    (isOfPassed && request.passed?.hasSameRules === true);
  const hasPassed = (checker: Checker) => (isOfActive || isOfPassed) && passesAgain(checker, hasSameRules);
  const asked = checkers.filter((checker) => !hasPassed(checker));
  const isNamed = (checker: Checker) => endsLike(file.path, checker.extensions);
  if (asked.every(({ looksLike, endsLike }) => looksLike === undefined && endsLike === undefined)) {
    return { job, checkers: asked.filter(isNamed) };
  }
  const loaded = loadSmall(context.fs, file);
  return { job: { ...job, file: loaded }, checkers: formatsOf(context, loaded, asked, isNamed) };
}

/**
 * Returns every format that a file has by its name or its content: consumers go by either, and a file can have two
 * formats at once.
 */
function formatsOf(
  context: Context,
  file: ModelFile,
  checkers: readonly Checker[],
  isNamed: (checker: Checker) => boolean,
): Checker[] {
  using content = openModel(context.fs, file);
  const head = file.bytes?.subarray(0, HEAD_BYTES) ?? readAt(content, 0, Math.min(HEAD_BYTES, file.size));
  return checkers.filter((checker) =>
    isNamed(checker) || checker.looksLike?.(head, file) === true ||
    checker.endsLike?.(content, file.size) === true
  );
}

async function firstRefusal({ job, checkers }: ChosenChecks): Promise<InvalidModelError | undefined> {
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
  if (first === undefined) throw new TypeError("a refused file that is not in the release");
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
