/** How large the models of a run are, how many, and how often each thing is measured. */
export interface Scale {
  readonly name: "full" | "quick" | "tiny";
  /** The bytes of a file that has so many in a full run. */
  readonly bytes: (full: number) => number;
  /** The bytes of files whose memory is compared, for those of a full run in ascending order. */
  readonly sizes: (full: readonly number[]) => readonly number[];
  /** The files or releases of a scenario that has so many in a full run. */
  readonly count: (full: number) => number;
  /** How often a thing is measured that is measured so often in a full run. */
  readonly rounds: (full: number) => number;
  /** Whether promises are judged: they are made for the sizes of a full run. */
  readonly isJudged: boolean;
  /** A wait that only the figures need. */
  readonly pauseMs: (full: number) => number;
  /** The longest time for one scenario; a slow disk takes three times as long as a fast one. */
  readonly limitMs: number;
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
  rounds: (full) => full,
  pauseMs: (full) => full,
  limitMs: 10 * MINUTE_MS,
};

/** Shows within minutes whether a change made something slow. */
export const QUICK: Scale = {
  name: "quick",
  isJudged: false,
  bytes: eighth,
  sizes: (full) => full.map(eighth),
  count: (full) => Math.ceil(full / 2),
  rounds: (full) => Math.ceil(full / 3),
  pauseMs: (full) => full,
  limitMs: 2 * MINUTE_MS,
};

/** Shows that a scenario works; its figures mean nothing. */
export const TINY: Scale = {
  name: "tiny",
  isJudged: false,
  bytes: (full) => Math.max(full / 65_536, BYTES_MIN),
  sizes: () => [BYTES_MIN],
  count: (full) => Math.min(full, 2),
  rounds: () => 1,
  pauseMs: () => 0,
  limitMs: 2 * MINUTE_MS,
};

function eighth(full: number): number {
  return Math.max(full / 8, BYTES_MIN);
}
