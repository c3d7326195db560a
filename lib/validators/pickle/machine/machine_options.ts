import type { LoadCost } from "../cost/load_cost.ts";
import type { PickleAllowList, PickleDialect } from "../rules/rule.ts";
import type { MissingImports } from "./import_findings.ts";

export interface MachineOptions {
  readonly allowed: PickleAllowList;
  readonly dialect: PickleDialect;
  /** Of all the pickles of a stream. */
  readonly cost: LoadCost;
  /** Of all the pickles of a stream. */
  readonly missing: MissingImports;
  /**
   * Whether these bytes are a pickle beyond doubt. Of doubtful ones, the first import that is not allowed is remembered,
   * and the walk goes on for a better reason to refuse them.
   */
  readonly isCertain: boolean;
  /**
   * Whether these bytes are plain text, where a list of words can begin as an import does: `car`, `bus`. Only an import
   * of a module that there is, or one that is used, counts there.
   */
  readonly isText?: boolean;
  /**
   * Whether only what is imported and done with it counts, not how opcodes are arranged: of bytes that were written for
   * another program.
   */
  readonly isForeign?: boolean;
  /** Whether these stand behind another pickle of the same stream. */
  readonly isLater?: boolean;
  /**
   * Whether these are foreign bytes behind the end of a pickle, which begin in the middle of something: what they name is
   * mostly not there, and counts only if it is known to run, load or look up things.
   */
  readonly isRest?: boolean;
}
