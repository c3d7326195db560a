import type { RememberedJob } from "./job_memory.ts";

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
