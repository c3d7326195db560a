import * as z from "zod";
import { PRIVATE_MODE } from "../core/files.ts";
import { RebuiltFile } from "../store/rebuilt_file.ts";
import type { Store } from "../store/store.ts";

const Remembered = z.discriminatedUnion("state", [
  /** The start request was sent, and its answer is not known: a job may exist. */
  z.object({ state: z.literal("asked"), at: z.iso.datetime() }),
  z.object({ state: z.literal("started"), at: z.iso.datetime(), id: z.string().min(1) }),
]);
/** A job that was paid for, or may have been paid for. */
export type RememberedJob = Readonly<z.infer<typeof Remembered>>;

const JOBS = new RebuiltFile("runpod_jobs.json", z.record(z.string(), Remembered), {
  mode: PRIVATE_MODE,
  isIndented: true,
});

/**
 * The started jobs whose models are not active yet. A job is stored before the run waits for it: if the run is killed,
 * the next one continues with the job instead of paying for another.
 */
export class JobMemory {
  readonly #store: Store;
  readonly #endpoint: string;

  /** @param endpoint the address that starts jobs: one job is remembered for each */
  constructor(store: Store, endpoint: string) {
    this.#store = store;
    this.#endpoint = endpoint;
  }

  find(): RememberedJob | undefined {
    return JOBS.find(this.#store)?.[this.#endpoint];
  }

  /** Stores a job durably. */
  remember(job: RememberedJob): void {
    JOBS.replace(this.#store, { ...JOBS.find(this.#store), [this.#endpoint]: job });
  }

  forget(): void {
    const { [this.#endpoint]: forgotten, ...others } = JOBS.find(this.#store) ?? {};
    if (forgotten !== undefined) JOBS.replace(this.#store, others);
  }
}

/** The decision how a run gets its job: continue with one, start one, or refuse. */
export type NextStep =
  | { readonly do: "attach"; readonly id: string; readonly at: string }
  /** `because` is the reason why a remembered job is not continued. */
  | { readonly do: "start"; readonly because?: string }
  /** A job of unknown id may be running. */
  | { readonly do: "refuse"; readonly at: string };

export interface StepOptions {
  /** The id of the job whose models were activated last. */
  readonly activated: string | undefined;
  readonly now: Date;
  /** How long after its start a job may have a result. */
  readonly lifeMs: number;
  /** Whether the operator wants a new job instead of the remembered one. */
  readonly isNewWanted: boolean;
}

/** Returns whether to continue with the remembered job, to start a new one, or to refuse. */
export function nextStep(job: RememberedJob | undefined, options: StepOptions): NextStep {
  if (job === undefined) return { do: "start" };
  if (job.state === "started" && job.id === options.activated) return { do: "start" };
  const name = job.state === "started" ? `RunPod job ${job.id} of ${job.at}` : `the start of ${job.at}`;
  if (options.isNewWanted) return { do: "start", because: `${name} is given up on request` };
  // The distance counts in both directions, because the clock may have jumped.
  if (Math.abs(options.now.getTime() - Date.parse(job.at)) > options.lifeMs) {
    return { do: "start", because: `${name} is too old to have a result` };
  }
  return job.state === "started" ? { do: "attach", id: job.id, at: job.at } : { do: "refuse", at: job.at };
}
