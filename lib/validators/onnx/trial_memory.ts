import { Budget } from "../../core/concurrency.ts";
import type { Trial } from "./onnx_process.ts";

const GIB = 1024 ** 3;

/** The limit of the runtime's memory for all trials that run at once. */
const ALL_BYTES_MAX = 4 * GIB;

/** The limit of the runtime's memory for one trial: a model and the active one together. */
export const TRIAL_BYTES_MAX = 2 * GIB;

/**
 * Models are held as bytes and as tensors. Measured with two models of 64 MiB and of 256 MiB: 3.5 times their bytes, for
 * the whole process.
 */
const BYTES_FACTOR = 4;

/** Lets as many trials run at once as their memory allows. */
export class TrialMemory {
  readonly #budget = new Budget(ALL_BYTES_MAX);
  readonly #share: number;

  /** @param trialsMax the largest number of trials that may run at once */
  constructor(trialsMax: number) {
    this.#share = ALL_BYTES_MAX / trialsMax;
  }

  /**
   * Runs a trial within its share of the memory: an equal part, or more for large models. Intermediate results may need
   * more than that. Then the trial is repeated with the limit for one trial, so that the share never decides.
   *
   * @param modelBytes the size of the models that it loads
   */
  async run(modelBytes: number, trial: (memoryBytes: number) => Promise<Trial>): Promise<Trial> {
    const share = Math.min(TRIAL_BYTES_MAX, Math.max(this.#share, BYTES_FACTOR * modelBytes));
    const within = (bytes: number) => this.#budget.spend(bytes, () => trial(bytes));
    const first = await within(share);
    return share < TRIAL_BYTES_MAX && isShortOfMemory(first) ? await within(TRIAL_BYTES_MAX) : first;
  }
}

function isShortOfMemory(trial: Trial): boolean {
  return (trial.outcome === "refused" || trial.outcome === "ran") && trial.isShortOfMemory;
}
