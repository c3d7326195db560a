/** What each command does, in one line: for the overview and for the command's own help. */
export const SUMMARIES = {
  publish: "Train, then publish the models to the git registry",
  pull: "Bring the newest release from the git registry and activate it",
  "hf-upload": "Upload the models to a Hugging Face repository",
  "hf-pull": "Bring the newest release from a Hugging Face repository and activate it",
  "artifact-pull": "Bring the models that a GitHub Actions workflow uploaded, and activate them",
  "runpod-pull": "Have a RunPod job train, bring the models that it made and activate them",
  "references-sync":
    "Propose a PRIMARY server's model records to the reference repositories, by pull request",
  train: "Train and write the models into one archive; also as a RunPod worker",
  rollback: "Activate the previous release again, or any that the store holds",
  canary: "Show how the active release proves itself, and end that early",
  quarantine: "List, forbid and allow releases that no pull may bring back",
  status: "Show the active release, the last runs, and what comes next",
  verify: "Compare the active files with their manifest",
  prune: "Remove old releases from the store",
  redeploy: "Tell backends to start anew, and wait until they serve the new release",
  daemon: "Publish, pull or sync references on a schedule, for as long as it runs",
  dashboard: "Serve a page that shows this machine, and every node that reports to it",
  pause: "Pause roles of a daemon",
  resume: "Resume paused roles of a daemon",
  "run-now": "Run a role of a running daemon now",
  doctor: "Check this machine, the registry and the disk, and say how to mend what is wrong",
  keys: "Make signing keys, and sign or verify a folder",
  config: "Check, show or begin a configuration file",
} as const;

export type CommandName = keyof typeof SUMMARIES;
