import type { LoadCost } from "../cost/load_cost.ts";
import type { PickleAllowList, PickleDialect } from "../rules/rule.ts";
import type { MissingImports } from "./import_findings.ts";

export interface MachineOptions {
  readonly allowed: PickleAllowList;
  readonly dialect: PickleDialect;
  /** The cost of all pickles in the stream. */
  readonly cost: LoadCost;
  /** The forbidden imports of all pickles in the stream. */
  readonly missing: MissingImports;
  /**
   * Whether the bytes are certainly a pickle. For other bytes, the first reason to refuse them is only remembered: it counts
   * if they turn out to be a pickle.
   */
  readonly isCertain: boolean;
  /**
   * Whether the bytes are plain text, in which a list of words can look like an import: `car`, `bus`. Only an import of an
   * existing module, or one that is used, counts there.
   */
  readonly isText?: boolean;
  /** Whether the bytes were written for another program, so that only imports and their use count, not irregularities. */
  readonly isForeign?: boolean;
  /** Whether the pickle follows another one in the same stream. */
  readonly isLater?: boolean;
  /**
   * Whether the bytes are foreign and follow the end of a pickle, so that they begin in the middle of something. Most
   * modules that they seem to name do not exist. Only known modules and known gadgets count.
   */
  readonly isRest?: boolean;
}
