import type { Context } from "../../core/context.ts";
import type { FileRange, SeekableFile } from "../../archive/file_range.ts";
import type { ModelFile } from "../checker.ts";
import type { OpcodeBudget } from "./limits.ts";
import type { PickleSource } from "./pickle_source.ts";
import type { PickleAllowList, PickleDialect } from "./rules/rule.ts";

/** The state that all steps of inspecting one file share. */
export interface PickleInspection {
  readonly context: Pick<Context, "fs" | "signal">;
  /** The path of the file in the manifest. */
  readonly path: string;
  readonly model: ModelFile;
  /** The opened file. Its position is anywhere. */
  readonly file: SeekableFile;
  readonly allowed: PickleAllowList;
  readonly budget: OpcodeBudget;
}

/** Contents that may contain a pickle: a file, or an entry of an archive in it. */
export interface Contents {
  /** The path of an entry, preceded by the paths of the archives around it; `undefined` for the file. */
  readonly entry: string | undefined;
  /** The file name; its extension decides whether the contents have to be a pickle. */
  readonly name: string;
  readonly size: number;
  /** The byte range in the file; `undefined` if it is compressed there. */
  readonly place: FileRange | undefined;
  /** The number of archives around it. */
  readonly depth: number;
  /** The program that is expected to read it. */
  readonly dialect: PickleDialect;
  /** Opens it at its beginning: a file any number of times, an entry once. */
  open(): PickleSource;
}

/** The result for contents that are not refused. */
export interface Found {
  readonly isPickle: boolean;
  /** Whether bytes were skipped as joblib's arrays, which other pickle readers take for opcodes. */
  readonly hasArrays: boolean;
}
