/**
 * Why a pickle does not pass.
 *
 * - `broken`: Python is sure to stop there with an error. Whatever it did before was looked at before.
 * - `refused`: Python would go on, with something that is not allowed or that cannot be told without executing it.
 */
export type ProblemKind = "broken" | "refused";

/** A problem at one place of a pickle; the file's name is added by who knows it. */
export class PickleProblem extends Error {
  readonly kind: ProblemKind;
  /** Of the opcode, from the beginning of the (decompressed) stream. */
  readonly offset: number;
  /** The global that is not allowed, `os.system`, where it is one. */
  readonly global: string | undefined;
  /** All of the stream that are not allowed, where the first one is the reason. */
  readonly imports: readonly string[];

  /** @param problem completes "at byte 12 it …": `imports os.system` */
  constructor(
    kind: ProblemKind,
    offset: number,
    problem: string,
    global?: string,
    imports: readonly string[] = global === undefined ? [] : [global],
  ) {
    super(problem);
    this.name = "PickleProblem";
    this.kind = kind;
    this.offset = offset;
    this.global = global;
    this.imports = imports;
  }

  /** The same with what else the stream imports. */
  withImports(names: readonly string[]): PickleProblem {
    const { kind, offset, message, global } = this;
    if (global === undefined) return this;
    return new PickleProblem(kind, offset, message, global, [...new Set([global, ...names])]);
  }
}
