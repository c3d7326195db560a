/** What each command does, in one line: for the overview and for the command's own help. */
export const SUMMARIES = {
  publish: "Train, then publish the models to the git registry",
  pull: "Pull the newest release from the git registry and activate it",
  "hf-upload": "Upload the models to a Hugging Face repository",
  "hf-pull": "Pull the newest release from a Hugging Face repository and activate it",
  "artifact-pull": "Pull the models that a GitHub Actions workflow uploaded and activate them",
  "runpod-pull": "Train on RunPod, then pull the models and activate them",
  "references-sync": "Propose PRIMARY's model records to reference repositories by pull request",
  train: "Train and pack the models into an archive, or serve RunPod jobs",
  rollback: "Activate the previous release, or any release in the store",
  canary: "Show, promote or abort the canary",
  quarantine: "List quarantined releases, quarantine a release or lift its quarantine",
  status: "Show the active release, the last runs and the next ones",
  verify: "Check the active files against their manifest",
  prune: "Remove old releases from the store",
  redeploy: "Trigger deploy hooks and wait for the new release to be live",
  daemon: "Publish, pull and sync references on a schedule",
  dashboard: "Serve the web page of this machine and of reporting nodes",
  pause: "Pause roles of a daemon",
  resume: "Resume paused roles of a daemon",
  "run-now": "Run a role of a running daemon now",
  doctor: "Diagnose this machine's setup and suggest fixes",
  keys: "Create signing keys, sign or verify a folder",
  config: "Check, print or create a configuration file",
} as const;

export type CommandName = keyof typeof SUMMARIES;
