import { pythonFloat } from "./python_text.ts";

/** Python multiplies and truncates: `int(float(text) * 1_000_000_000)`. */
export interface ModelSize {
  readonly parameters: bigint;
  /** The tag that tells the size, such as `7B`. */
  readonly tag: string;
}

/**
 * What a cell of `parameters_bn`, the billions of parameters, stands for; `undefined` when it is no number.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { modelSize } from "./model_size.ts";
 * assert.deepEqual(modelSize("0.56"), { parameters: 560_000_000n, tag: "1B" });
 * // A half goes to the even number, as everywhere in Python.
 * assert.equal(modelSize("2.5")?.tag, "2B");
 * assert.equal(modelSize("7.5")?.tag, "8B");
 * ```
 */
export function modelSize(cell: string): ModelSize | undefined {
  const billions = pythonFloat(cell);
  if (billions === undefined) return undefined;
  const parameters = billions * 1_000_000_000;
  if (!Number.isFinite(parameters)) return undefined;
  return { parameters: BigInt(Math.trunc(parameters)), tag: `${roundedToEven(billions)}B` };
}

/** `f"{round(value, 0):.0f}"` */
function roundedToEven(value: number): string {
  const size = Math.abs(value);
  const below = Math.floor(size);
  const up = size - below > 0.5 || (size - below === 0.5 && below % 2 === 1);
  const sign = value < 0 || Object.is(value, -0) ? "-" : "";
  return `${sign}${BigInt(below) + (up ? 1n : 0n)}`;
}

/**
 * The shortest cell of `parameters_bn` that stands for exactly so many parameters; `undefined` when none does, which
 * happens from about 2^53.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { sizeCell } from "./model_size.ts";
 * assert.equal(sizeCell(3_000_000_000n), "3");
 * assert.equal(sizeCell(560_000_000n), "0.56");
 * // Python makes 2029999999 of "2.03".
 * assert.equal(sizeCell(2_030_000_000n), "2.0300000001");
 * ```
 */
export function sizeCell(parameters: bigint): string | undefined {
  const whole = parameters / 1_000_000_000n;
  const fraction = String(parameters % 1_000_000_000n).padStart(9, "0");
  const shortest = `${whole}.${fraction}`.replace(/\.?0+$/, "");
  return [shortest, `${whole}.${fraction}1`].find((cell) => modelSize(cell)?.parameters === parameters);
}
