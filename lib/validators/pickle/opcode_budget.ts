import { PICKLE_LIMITS } from "./pickle_limits.ts";

/** Opcodes that may be walked in a file: in all its entries, and as often as it is walked. */
export interface OpcodeBudget {
  left: number;
  readonly max: number;
  /** Bytes that loading the file may still allocate besides what its opcodes stand for: see `load_cost.ts`. */
  allocations: number;
  /** What a message about it goes on with. */
  readonly reason: string;
}

/**
 * The budget of a file of `size` bytes, as it is stored. Time is bounded so, and on a slow machine the same files pass
 * as on a fast one.
 */
export function opcodeBudget(size: number): OpcodeBudget {
  const { allocations, freeOpcodes, opcodes, opcodesPerByte } = PICKLE_LIMITS;
  const ofSize = freeOpcodes + opcodesPerByte * size;
  if (ofSize >= opcodes) return { left: opcodes, max: opcodes, allocations, reason: "" };
  return { left: ofSize, max: ofSize, allocations, reason: `, which are too many for ${size} bytes` };
}
