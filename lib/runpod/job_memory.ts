import { z } from "zod";
import { PRIVATE_MODE } from "../core/files.ts";
import { RebuiltFile } from "../store/rebuilt_file.ts";
import type { Store } from "../store/store.ts";

const Remembered = z.discriminatedUnion("state", [
  /** The start was asked for, and the answer is not known: there may be a job, or not. */
  z.object({ state: z.literal("asked"), at: z.iso.datetime() }),
  z.object({ state: z.literal("started"), at: z.iso.datetime(), id: z.string().min(1) }),
]);
/** A job that was paid for, or may have been. */
export type RememberedJob = Readonly<z.infer<typeof Remembered>>;

const JOBS = new RebuiltFile("runpod_jobs.json", z.record(z.string(), Remembered), {
  mode: PRIVATE_MODE,
  isIndented: true,
});

/**
 * The jobs that were started from here and whose models are not yet active, written down before anything waits for
 * them: a run that is killed leaves what the next one needs to go on with the job instead of paying for another.
 */
export class JobMemory {
  readonly #store: Store;
  readonly #endpoint: string;

  /** @param endpoint where jobs are started: each endpoint has a job of its own */
  constructor(store: Store, endpoint: string) {
    this.#store = store;
    this.#endpoint = endpoint;
  }

  find(): RememberedJob | undefined {
    return JOBS.find(this.#store)?.[this.#endpoint];
  }

  /** Durable when it returns. */
  remember(job: RememberedJob): void {
    JOBS.replace(this.#store, { ...JOBS.find(this.#store), [this.#endpoint]: job });
  }

  forget(): void {
    const { [this.#endpoint]: forgotten, ...others } = JOBS.find(this.#store) ?? {};
    if (forgotten !== undefined) JOBS.replace(this.#store, others);
  }
}

/** How a run comes to its job. */
export type NextStep =
  | { readonly do: "attach"; readonly id: string; readonly at: string }
  /** `because` tells why a remembered job is not gone on with. */
  | { readonly do: "start"; readonly because?: string }
  /** There may be a job that nobody can name. */
  | { readonly do: "refuse"; readonly at: string };

export interface StepOptions {
  /** The job whose models were activated last. */
  readonly activated: string | undefined;
  readonly now: Date;
  /** How long after its start a job can matter. */
  readonly lifeMs: number;
  /** A remembered job is given up, whatever became of it. */
  readonly isNewWanted: boolean;
}

/** Decides between going on with a job that is remembered, a new one, and neither. */
export function nextStep(job: RememberedJob | undefined, options: StepOptions): NextStep {
  if (job === undefined) return { do: "start" };
  if (job.state === "started" && job.id === options.activated) return { do: "start" };
  const name = job.state === "started" ? `RunPod job ${job.id} of ${job.at}` : `the start of ${job.at}`;
  if (options.isNewWanted) return { do: "start", because: `${name} is given up, as asked` };
  // A clock that jumped far is no reason to trust the record.
  if (Math.abs(options.now.getTime() - Date.parse(job.at)) > options.lifeMs) {
    return { do: "start", because: `${name} is too old to have a result` };
  }
  return job.state === "started" ? { do: "attach", id: job.id, at: job.at } : { do: "refuse", at: job.at };
}
