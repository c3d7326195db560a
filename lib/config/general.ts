import * as z from "zod";
import { LFS_SETTINGS, OTHER_WRITER_SETTINGS } from "./choices.ts";
import { isTimeZone } from "../core/time_zone.ts";
import { BranchName, DOCS, EnvName, GitAddress, LocalPath, RepoFolder } from "./sections/kinds.ts";
import { scheduleKey, TIMING } from "./sections/schedule.ts";

/** A day: enough for a nightly training, and it cannot block later nights for ever. */
const TRAIN_TIMEOUT_SEC = 86_400;

/** An hour: 45 GB at 100 Mbit/s. */
const GIT_TIMEOUT_SEC = 3_600;

/** Less than the 90 s after which systemd kills a service that it stops. */
const STOP_TIMEOUT_SEC = 60;

const Command = z.array(z.string().min(1)).min(1);

const Publisher = z.strictObject({
  schedule: scheduleKey(
    "00:00",
    "When the daemon publishes: a time of day, a cron expression of five fields, or a list of them.",
  ),
  ...TIMING,
  train_before_push: z.boolean().default(true).register(DOCS, {
    description: "Run train_command before publishing.",
  }),
  train_command: Command.optional().register(DOCS, {
    description:
      "The training program and its arguments, as a list. Training options such as --symbol and --paper are " +
      "appended.",
    examples: [["python3", "-m", "scripts.run_trainer"]],
  }),
  train_timeout_sec: z.number().positive().max(7 * 86_400).default(TRAIN_TIMEOUT_SEC).register(DOCS, {
    description: "The time limit of the training, in seconds.",
  }),
});

const Client = z.strictObject({
  schedule: scheduleKey(
    "06:00",
    "When the daemon pulls: a time of day, a cron expression of five fields, or a list of them.",
  ),
  ...TIMING,
  other_writers: z.enum(OTHER_WRITER_SETTINGS).default("refuse").register(DOCS, {
    description: "What to do with files that another program changed in the registry without updating its " +
      "model-sync.json. refuse: refuse the release. accept: pull them with a warning, like a registry without " +
      "model-sync.json, unless a signature is required.",
  }),
});

/**
 * The settings of every machine: the plain ones, the publisher's and the consumer's. They are apart from the other
 * sections because each command parses them: a section's schema costs up to some milliseconds, and is loaded only where
 * something sets it.
 */
export const GENERAL = {
  enabled: z.boolean().default(true).register(DOCS, {
    description:
      "Has no effect in this file: the original files contain false, and the original program ignored it. To keep the " +
      "daemon from starting, set the environment variable MODEL_SYNC_ENABLED=false.",
  }),
  models_dir: LocalPath.default("models").register(DOCS, {
    description: "The model folder. Consumers read it; on a publisher, the training writes it.",
  }),
  state_dir: LocalPath.optional().register(DOCS, {
    description:
      "The store. It must be on the same file system as models_dir. Default: .model-sync beside models_dir.",
    examples: ["/srv/bot/.model-sync"],
  }),
  keep: z.number().int().min(2).max(10_000).default(5).register(DOCS, {
    description: "How many releases the store keeps after a pull. You can roll back to each of them.",
  }),
  time_zone: z.string().refine(isTimeZone, {
    error: "is not a time zone such as Europe/Paris or UTC; an abbreviation such as CST stands for several",
  })
    .optional()
    .register(DOCS, {
      description: "The time zone of all schedules. Default: the time zone of the machine.",
      examples: ["Europe/Paris"],
    }),
  stop_timeout_sec: z.number().positive().max(86_400).default(STOP_TIMEOUT_SEC).register(DOCS, {
    description:
      "The time limit for the current step after SIGTERM, in seconds. Then the process ends with exit code 130, " +
      "and the next run recovers. By default, systemd kills a service after 90 s, Docker after 10 s.",
  }),
  repo_dir: LocalPath.optional().register(DOCS, {
    description:
      "The clone of the registry on this machine. Default: the folder registry in the store, if repo_url is set.",
    examples: ["/abs/path/to/model-registry-repo"],
  }),
  repo_url: GitAddress.optional().register(DOCS, {
    description:
      "The address of the registry: https, ssh or a path. It is cloned if repo_dir does not exist.",
    examples: ["https://github.com/you/your-models.git"],
  }),
  remote: z.string().min(1).regex(/^[^-\s][^\s]*$/, "must be the name of a git remote").default("origin")
    .register(DOCS, { description: "The git remote of the registry." }),
  branch: BranchName.default("main").register(DOCS, { description: "The branch with the models." }),
  repo_models_subdir: RepoFolder.default("models").register(DOCS, {
    description: "The folder of the models in the registry.",
  }),
  token_env: EnvName.optional().register(DOCS, {
    description:
      "The environment variable with a token for an https registry. Without it, git uses the credentials of the " +
      "machine.",
    examples: ["GITHUB_TOKEN"],
  }),
  git_timeout_sec: z.number().positive().max(86_400).default(GIT_TIMEOUT_SEC).register(DOCS, {
    description: "The time limit of one git transfer, in seconds.",
  }),
  lfs: z.enum(LFS_SETTINGS).default("auto").register(DOCS, {
    description:
      "When to use Git LFS. auto: for files over 100 MiB, which GitHub refuses otherwise. always: for every " +
      "model file. never: for no file.",
  }),
  publisher: Publisher.prefault({}).register(DOCS, {
    description: "The publisher: the server that trains and publishes.",
  }),
  client: Client.prefault({}).register(DOCS, {
    description: "The consumer: the server that pulls and uses the models.",
  }),
};
