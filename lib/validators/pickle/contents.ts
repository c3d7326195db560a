import type { Context } from "../../core/context.ts";
import type { FileRange } from "../../core/file_range.ts";
import { oneLine, quote } from "../../core/quote.ts";
import { InvalidModelError } from "../invalid_model.ts";
import { ALLOWED_IN_WORDS, type PickleAllowList } from "./allow_list.ts";
import { adviseImports, listed } from "./import_advice.ts";
import type { OpcodeBudget } from "./opcode_budget.ts";
import type { PickleDialect } from "./machine_options.ts";
import type { PickleProblem } from "./pickle_problem.ts";
import type { PickleSource } from "./pickle_reader.ts";

/** What the inspection of one file shares. */
export interface PickleInspection {
  readonly context: Pick<Context, "fs" | "signal">;
  /** As the manifest names the file. */
  readonly path: string;
  readonly location: string;
  readonly allowed: PickleAllowList;
  readonly budget: OpcodeBudget;
}

/** Contents that may hold a pickle: a file, or an entry of an archive in it. */
export interface Contents {
  /** The path of an entry, behind those of the archives that it is in; `undefined` for the file. */
  readonly entry: string | undefined;
  /** Its ending decides whether this has to be a pickle. */
  readonly name: string;
  readonly size: number;
  /** Where it stands in the file, unless it is compressed there. */
  readonly place: FileRange | undefined;
  /** Archives around it. */
  readonly depth: number;
  /** The program that is expected to read it. */
  readonly dialect: PickleDialect;
  /** Opens it from its beginning: a file as often as wanted, an entry once. */
  open(): PickleSource;
}

/** What was found in contents that are not refused. */
export interface Found {
  readonly isPickle: boolean;
  /** Whether bytes were passed over as those of joblib's arrays, which other readers of pickles take for opcodes. */
  readonly hasArrays: boolean;
}

/** The refusal of contents. @param problem completes "it …" or "its entry … ": `is compressed by xz` */
export function invalidContents(
  { path }: PickleInspection,
  { entry }: Pick<Contents, "entry">,
  problem: string,
  options: { readonly hint?: string; readonly cause?: unknown } = {},
): InvalidModelError {
  const what = entry === undefined ? "it" : `the entry ${quote(entry)} in it`;
  return new InvalidModelError(path, `${what} ${problem}`, options);
}

/** The refusal of a pickle in contents. */
export function invalidPickle(
  { path }: PickleInspection,
  { entry }: Pick<Contents, "entry">,
  problem: PickleProblem,
): InvalidModelError {
  const what = entry === undefined ? "its pickle" : `the pickle ${quote(entry)} in it`;
  const { imports } = problem;
  const [first, ...others] = imports;
  if (first === undefined) {
    const text = `${what} ${oneLine(problem.message)} at byte ${problem.offset}`;
    return new InvalidModelError(path, text, { cause: problem });
  }
  const besides = others.length === 0 ? "" : `, and imports ${oneLine(listed(others))}`;
  const text = `${what} ${oneLine(problem.message)} at byte ${problem.offset}${besides}; ` +
    `allowed are ${ALLOWED_IN_WORDS}`;
  return new InvalidModelError(path, text, { cause: problem, hint: adviseImports(imports), imports });
}
