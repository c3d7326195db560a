/** The sizes and numbers of models, and the rounds of each measurement. */
export interface Scale {
  readonly name: "full" | "quick" | "tiny";
  /** Scales the bytes of a file of a full run. */
  readonly bytes: (full: number) => number;
  /** Scales the bytes of files whose memory use is compared, in ascending order. */
  readonly sizes: (full: readonly number[]) => readonly number[];
  /** Scales the number of files or releases of a full run. */
  readonly count: (full: number) => number;
  /** Scales the numbers whose costs are compared, in ascending order. */
  readonly steps: (full: readonly number[]) => readonly number[];
  /** Scales the number of rounds of a full run. */
  readonly rounds: (full: number) => number;
  /** Whether targets are checked. They apply to the sizes of a full run. */
  readonly isJudged: boolean;
  /** Scales a pause that only the figures need. */
  readonly pauseMs: (full: number) => number;
  /** The time limit for one scenario. A slow disk needs three times as long as a fast one. */
  readonly limitMs: number;
  /** The options of the demo. */
  readonly demoArgs: readonly string[];
}

const MINUTE_MS = 60_000;

/** Every model has a header and some data. */
const BYTES_MIN = 4096;

/** The sizes of the benchmarks in the guide. */
export const FULL: Scale = {
  name: "full",
  isJudged: true,
  bytes: (full) => full,
  sizes: (full) => full,
  count: (full) => full,
  steps: (full) => full,
  rounds: (full) => full,
  pauseMs: (full) => full,
  limitMs: 10 * MINUTE_MS,
  demoArgs: [],
};

/** Shows within minutes whether a change slowed something down. */
export const QUICK: Scale = {
  name: "quick",
  isJudged: false,
  bytes: eighth,
  sizes: (full) => full.map(eighth),
  count: (full) => Math.ceil(full / 2),
  steps: (full) => full.slice(0, -1),
  rounds: (full) => Math.ceil(full / 3),
  pauseMs: (full) => full,
  limitMs: 2 * MINUTE_MS,
  demoArgs: [],
};

/** Shows that a scenario works; its figures mean nothing. */
export const TINY: Scale = {
  name: "tiny",
  isJudged: false,
  bytes: (full) => Math.max(full / 65_536, BYTES_MIN),
  sizes: () => [BYTES_MIN],
  count: (full) => Math.min(full, 2),
  steps: () => [2],
  rounds: () => 1,
  pauseMs: () => 0,
  limitMs: 2 * MINUTE_MS,
  // tests/configs/demo_test.ts runs the whole demo.
  demoArgs: ["--help"],
};

function eighth(full: number): number {
  return Math.max(full / 8, BYTES_MIN);
}
