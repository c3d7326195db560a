import type { Context } from "../../core/context.ts";
import type { FileRange } from "../../archive/file_range.ts";
import type { OpcodeBudget } from "./limits.ts";
import type { PickleSource } from "./pickle_source.ts";
import type { PickleAllowList, PickleDialect } from "./rules/rule.ts";

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
