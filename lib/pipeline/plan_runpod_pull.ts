import { planJob, type RunPodSourceOptions } from "../carriers/runpod_source.ts";
import { isSecretName } from "../core/redact_arguments.ts";

import { REDACTED, redactText, redactUrls } from "../core/secret.ts";
import { RunPodClient } from "../runpod/client.ts";
import type { NextStep } from "../runpod/job_memory.ts";
import { activeManifest } from "../store/pointers.ts";
import { findStore, placeOf } from "../store/store.ts";
import { planFolder, type PlannedFolder } from "./plan_pull.ts";
import type { CommandScope } from "./reported_run.ts";

/** The start request, without its secrets. */
export type ShownRequest = Omit<ReturnType<RunPodClient["plan"]>, "body"> & { readonly body: unknown };

/** The steps that a pull from RunPod would take. */
export interface RunPodPlan {
  readonly step: NextStep;
  /** The request that would start a job. */
  readonly request: ShownRequest;
  /** How the pull would change a model folder that shows no release of the store yet. */
  readonly folder: PlannedFolder | undefined;
  readonly modelsDir: string;
}

/** Returns what a pull from RunPod would do. No request is sent: even a status request could reveal too much. */
export function planRunPodPull(
  { context, settings, location }: CommandScope,
  options: RunPodSourceOptions,
): RunPodPlan {
  const store = findStore(context.fs, location, context.log);
  const place = store ?? placeOf(context.fs, location);
  const active = store === undefined ? undefined : activeManifest(store);
  const start = new RunPodClient(options.api).plan();
  const body: unknown = JSON.parse(JSON.stringify(start.body, hideSecret));
  return {
    step: planJob(context, store, options),
    request: { ...start, url: redactUrls(start.url), body },
    folder: planFolder(place, settings.activation.mode, store, active),
    modelsDir: place.modelsDir,
  };
}

/** Tokens and signed addresses are secrets, wherever in the body they stand. */
function hideSecret(name: string, value: unknown): unknown {
  if (typeof value !== "string") return value;
  return isSecretName(name) ? REDACTED : redactText(value);
}
