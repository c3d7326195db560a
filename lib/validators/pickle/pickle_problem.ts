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

  /** @param problem completes "at byte 12 it …": `imports os.system` */
  constructor(kind: ProblemKind, offset: number, problem: string, global?: string) {
    super(problem);
    this.name = "PickleProblem";
    this.kind = kind;
    this.offset = offset;
    this.global = global;
  }
}
