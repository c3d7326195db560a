import type { CommandName } from "./_help.ts";
import type { Program } from "./_command.ts";

/**
 * The commands, and how each is loaded. An installation has bundles of one command, in which another module takes the
 * place of this one: it has that command only, and loads it with the start.
 */

/** Loads a command. */
interface Entry {
  readonly load: () => Promise<{ readonly program: Program }>;
}

/** All commands. */
export const ENTRIES: Readonly<Record<CommandName, Entry>> = {
  publish: { load: () => import("./publish.ts") },
  pull: { load: () => import("./pull.ts") },
  "hf-upload": { load: () => import("./hf_upload.ts") },
  "hf-pull": { load: () => import("./hf_pull.ts") },
  "artifact-pull": { load: () => import("./artifact_pull.ts") },
  "runpod-pull": { load: () => import("./runpod_pull.ts") },
  "references-sync": { load: () => import("./references_sync.ts") },
  withdraw: { load: () => import("./withdraw.ts") },
  train: { load: () => import("./train.ts") },
  rollback: { load: () => import("./rollback.ts") },
  canary: { load: () => import("./canary.ts") },
  quarantine: { load: () => import("./quarantine.ts") },
  status: { load: () => import("./status.ts") },
  releases: { load: () => import("./releases.ts") },
  diff: { load: () => import("./diff.ts") },
  history: { load: () => import("./history.ts") },
  log: { load: () => import("./log.ts") },
  verify: { load: () => import("./verify.ts") },
  prune: { load: () => import("./prune.ts") },
  redeploy: { load: () => import("./redeploy.ts") },
  daemon: { load: () => import("./daemon.ts") },
  dashboard: { load: () => import("./dashboard.ts") },
  pause: { load: () => import("./pause.ts") },
  resume: { load: () => import("./resume.ts") },
  "run-now": { load: () => import("./run_now.ts") },
  init: { load: () => import("./init.ts") },
  service: { load: () => import("./service.ts") },
  doctor: { load: () => import("./doctor.ts") },
  completions: { load: () => import("./completions.ts") },
  man: { load: () => import("./man.ts") },
  keys: { load: () => import("./keys.ts") },
  config: { load: () => import("./config.ts") },
};

/** Loads what runs every command. */
export async function loadRunner(): Promise<Pick<typeof import("./_command.ts"), "runProgram">> {
  return await import("./_command.ts");
}
