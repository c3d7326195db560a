import type { Result } from "./table.ts";

/** The cost of one thing by size: times in milliseconds, or bytes. */
export interface Curve {
  readonly what: string;
  /** Size and cost, in ascending order of sizes. */
  readonly points: readonly (readonly [size: number, cost: number])[];
  readonly showSize: (size: number) => string;
  readonly showCost: (cost: number) => string;
}

/** Above it, the cost per file or byte grows with their number. */
const EXPONENT_MAX = 1.1;

/** Returns the row of a curve. Its exponent counts in the last step, where fixed costs matter least, and over all. */
export function growthRow({ what, points, showSize, showCost }: Curve): Result {
  const [all, last] = [points, points.slice(-2)].map(exponentOf);
  return {
    what,
    ours: points.map(([size, cost]) => `${showSize(size)}: ${showCost(cost)}`).join(", "),
    theirs: "",
    ratio: all === undefined || last === undefined
      ? "one size"
      : `exponent ${all.toFixed(2)}, in the last step ${last.toFixed(2)}`,
    wanted: `exponents up to ${EXPONENT_MAX}`,
    kept: all === undefined || last === undefined || Math.max(all, last) <= EXPONENT_MAX,
  };
}

/**
 * Returns the slope of the logarithm of costs over the logarithm of sizes, by least squares: 1 if the cost grows like
 * the size. `undefined` for fewer than two sizes.
 */
export function exponentOf(points: Curve["points"]): number | undefined {
  if (points.length < 2) return undefined;
  const logs = points.map(([size, cost]) =>
    [Math.log(size), Math.log(Math.max(cost, Number.EPSILON))] as const
  );
  const meanX = mean(logs.map(([x]) => x));
  const meanY = mean(logs.map(([, y]) => y));
  const above = sum(logs.map(([x, y]) => (x - meanX) * (y - meanY)));
  const below = sum(logs.map(([x]) => (x - meanX) ** 2));
  return above / below;
}

function mean(values: readonly number[]): number {
  return sum(values) / values.length;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
