import { PICKLE_LIMITS } from "../limits.ts";
import type { PickleProblem } from "../pickle_problem.ts";
import {
  describe,
  type GlobalValue,
  INSTANCE,
  mayBeText,
  type PickleValue,
  UNKNOWN,
} from "../pickle_value.ts";
import { findRule } from "../rules/allow_list.ts";
import { FREE, type GlobalRule, isOfTorch } from "../rules/rule.ts";
import { NotedImport } from "./import_findings.ts";
import type { MachineOptions } from "./machine_options.ts";
import { PickleContainers } from "./pickle_containers.ts";

/** The characters in the names of Python's modules and classes. */
const PLAUSIBLE_NAME = /^[\w.]+$/;

/** The form of names that can exist in a module. */
const PLAUSIBLE_ATTRIBUTE = /^[\p{ID_Start}_][\p{ID_Continue}.]*$/u;

/** The imports of a pickle, allowed or not. */
export class PickleImports extends PickleContainers {
  protected readonly options: MachineOptions;
  readonly #globals = new Map<string, GlobalValue>();
  readonly #noted: NotedImport;

  constructor(options: MachineOptions) {
    super(options);
    this.options = options;
    this.#noted = new NotedImport(options);
  }

  /** Refuses an arrangement of opcodes that no pickler writes and some reader accepts. */
  irregular(problem: string): void {
    if (this.options.isForeign !== true) this.suspect(problem);
  }

  import(module: PickleValue, name: PickleValue): GlobalValue | typeof UNKNOWN {
    this.imports++;
    if (typeof module !== "string" || typeof name !== "string") {
      const problem = "imports something whose name is not a constant";
      if (!mayBeText(module) || !mayBeText(name) || this.options.isRest === true) throw this.broken(problem);
      this.suspect(problem);
      this.#noted.noteUnknown(() => this.refused(problem));
      return UNKNOWN;
    }
    const key = `${module}:${name}`;
    const known = this.#globals.get(key);
    if (known !== undefined) return known;
    const full = `${module}.${name}`;
    if (!PLAUSIBLE_NAME.test(full) || !PLAUSIBLE_ATTRIBUTE.test(name)) {
      if (this.options.isCertain) throw this.refused(`imports ${full}`, full);
      // Any folder on Python's path is a module, whatever its name. Python imports it before it looks up the attribute.
      if (module !== "") this.#noted.note(module, name, () => this.refused(`imports ${full}`, full));
      if (module === "" || !PLAUSIBLE_ATTRIBUTE.test(name)) throw this.broken(`imports ${full}`);
    }
    if (this.#globals.size >= PICKLE_LIMITS.globals) {
      throw this.refused(`imports more than ${PICKLE_LIMITS.globals} globals`);
    }
    const { allowed, dialect } = this.options;
    const rule = findRule(module, name, allowed, dialect) ?? this.#ruleOfMissing(module, name, full);
    if (rule?.makes === "attribute") this.importsGetattr = true;
    const value: GlobalValue = { kind: "global", module, name, rule };
    this.#globals.set(key, value);
    return value;
  }

  /** Returns the rule for a forbidden import. Once the stream is refused, the walk goes on with {@link FREE}. */
  #ruleOfMissing(module: string, name: string, full: string): GlobalRule | undefined {
    const { isCertain, isRest, missing } = this.options;
    const problem = () => this.refused(`imports ${full}`, full);
    this.#noted.note(module, name, problem);
    if (isRest === true && this.#noted.problem === undefined) throw this.broken(`imports ${full}`);
    missing.add(full);
    if (isCertain) missing.refuse(this.suspicion ?? problem());
    else this.suspect(`imports ${full}`, full);
    return missing.refusal === undefined ? undefined : FREE;
  }

  /**
   * Refuses the stream for the misuse of an allowed import, and returns {@link FREE} for the rest of the walk, so that the
   * refusal names all misused imports.
   */
  protected misused(target: GlobalValue, problem: string): GlobalRule {
    const { isCertain, missing } = this.options;
    const refusal = this.suspicion ?? this.refused(problem, describe(target));
    if (!isCertain) throw refusal;
    missing.add(describe(target));
    missing.refuse(refusal);
    return FREE;
  }

  /** Handles an import whose names are too long to be kept. */
  importNothingKnown(): typeof UNKNOWN {
    this.imports++;
    const problem = "imports something whose name is not a constant";
    if (this.options.isRest === true) throw this.broken(problem);
    this.suspect(problem);
    return UNKNOWN;
  }

  /** Returns the problem of a stream that breaks: an import before the break is the worse one. */
  whereBroken(problem: PickleProblem): PickleProblem {
    return this.#noted.problem ?? problem;
  }

  /** EXT1, EXT2 and EXT4. Python stops at an unregistered code, and programs register none. */
  extension(code: number): void {
    const problem = `uses the extension ${code}, whose meaning is not in the file`;
    throw this.options.isCertain ? this.refused(problem) : this.broken(problem);
  }

  persistent(): void {
    if (!isOfTorch(this.options.dialect)) this.suspect("refers to an object outside of the file");
    this.push(INSTANCE);
  }
}
