/**
 * - `broken`: Python certainly stops here with an error. Everything that it does before was checked.
 * - `refused`: Python goes on, with something that is not allowed or whose effect is unknown without executing it.
 */
export type ProblemKind = "broken" | "refused";

/** A problem at a byte of a pickle. The caller adds the name of the file. */
export class PickleProblem extends Error {
  readonly kind: ProblemKind;
  /** The offset of the opcode in the (decompressed) stream. */
  readonly offset: number;
  /** The global that is not allowed, if that is the problem: `os.system`. */
  readonly global: string | undefined;
  /** All globals of the stream that are not allowed; the first is the problem. */
  readonly imports: readonly string[];

  /** @param problem completes "its pickle … at byte 12": `imports os.system` */
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

  /** Returns the same problem with the other imports of the stream that are not allowed. */
  withImports(names: readonly string[]): PickleProblem {
    const { kind, offset, message, global } = this;
    if (global === undefined) return this;
    return new PickleProblem(kind, offset, message, global, [...new Set([global, ...names])]);
  }
}
