import { z } from "zod";
import { LFS_SETTINGS, OTHER_WRITER_SETTINGS } from "../core/settings.ts";
import { isTimeZone } from "../schedule/calendar.ts";
import { Activation } from "./sections/activation.ts";
import { Alerts } from "./sections/alerts.ts";
import { Archives } from "./sections/archives.ts";
import { Artifacts } from "./sections/artifacts.ts";
import { BranchName, DOCS, EnvName, GitAddress, RepoFolder } from "./sections/kinds.ts";
import { HuggingFace, HuggingFaceClient } from "./sections/huggingface.ts";
import { Redeploy } from "./sections/redeploy.ts";
import { References } from "./sections/references.ts";
import { Report } from "./sections/report.ts";
import { RunPod, RunPodClient } from "./sections/runpod.ts";
import { scheduleKey, TIMING } from "./sections/schedule.ts";
import { Signing } from "./sections/signing.ts";

/**
 * The `model_sync` section of the configuration file: every key once, with its default and its description. The
 * loader, `config init`, `config schema`, the environment variables and `configs/bot.yaml` are all made from it.
 */

/** A day: long enough for a nightly training, short enough that the next night's run is not kept waiting for ever. */
const TRAIN_TIMEOUT_SEC = 86_400;

/** An hour moves 45 GB at 100 Mbit/s. */
const GIT_TIMEOUT_SEC = 3_600;

/** Less than the 90 s after which systemd kills a service that it stops. */
const STOP_TIMEOUT_SEC = 60;

const Command = z.array(z.string().min(1)).min(1);
const Path = z.string().min(1);

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
      "The training program and its arguments, as a list. --symbol, --paper and the other training flags are added to it.",
    examples: [["python3", "-m", "scripts.run_trainer"]],
  }),
  train_timeout_sec: z.number().positive().max(7 * 86_400).default(TRAIN_TIMEOUT_SEC).register(DOCS, {
    description: "The training is stopped when it takes longer, in seconds.",
  }),
});

const Client = z.strictObject({
  schedule: scheduleKey(
    "06:00",
    "When the daemon pulls: a time of day, a cron expression of five fields, or a list of them.",
  ),
  ...TIMING,
  other_writers: z.enum(OTHER_WRITER_SETTINGS).default("refuse").register(DOCS, {
    description:
      "Files that another program changed after model-sync published them, without their model-sync.json. accept: they are taken with a warning, as those of a registry without one, unless a signature is required.",
  }),
});

export const ModelSync = z.strictObject({
  enabled: z.boolean().default(true).register(DOCS, {
    description:
      "Without effect in a file: original configuration files ship false and never read it. MODEL_SYNC_ENABLED=false keeps the daemon from starting.",
  }),
  models_dir: Path.default("models").register(DOCS, {
    description:
      "The folder that consumers open, and that a publisher trains into. Relative paths start at the working directory.",
  }),
  state_dir: Path.optional().register(DOCS, {
    description: "The store. Default: .model-sync beside models_dir, on the same file system.",
    examples: ["/srv/bot/.model-sync"],
  }),
  keep: z.number().int().min(2).max(10_000).default(5).register(DOCS, {
    description: "Releases that stay in the store after a pull, for going back to.",
  }),
  time_zone: z.string().refine(isTimeZone, { error: "is not a time zone such as Europe/Paris or UTC" })
    .optional()
    .register(DOCS, {
      description: "The time zone of every schedule. Default: the machine's own.",
      examples: ["Europe/Paris"],
    }),
  stop_timeout_sec: z.number().positive().max(86_400).default(STOP_TIMEOUT_SEC).register(DOCS, {
    description:
      "The longest time to finish or abandon the current step after SIGTERM, in seconds. Then the process ends (130), and the next run recovers. systemd kills after 90 s, Docker after 10 s.",
  }),
  repo_dir: Path.optional().register(DOCS, {
    description:
      "The clone of the models repository on this machine. Default: registry inside the store, when repo_url is set.",
    examples: ["/abs/path/to/model-registry-repo"],
  }),
  repo_url: GitAddress.optional().register(DOCS, {
    description:
      "Where to clone the models repository from when repo_dir does not exist: https, ssh, or a path.",
    examples: ["https://github.com/you/your-models.git"],
  }),
  remote: z.string().min(1).regex(/^[^-\s][^\s]*$/, "must be the name of a git remote").default("origin")
    .register(DOCS, { description: "The remote of the clone." }),
  branch: BranchName.default("main").register(DOCS, { description: "The branch that holds the models." }),
  repo_models_subdir: RepoFolder.default("models").register(DOCS, {
    description: "The folder of the models inside the repository.",
  }),
  token_env: EnvName.optional().register(DOCS, {
    description:
      "The environment variable that holds a token for an https remote. Without it git uses what the machine has set up.",
    examples: ["GITHUB_TOKEN"],
  }),
  git_timeout_sec: z.number().positive().max(86_400).default(GIT_TIMEOUT_SEC).register(DOCS, {
    description: "The longest time for one transfer by git, in seconds.",
  }),
  lfs: z.enum(LFS_SETTINGS).default("auto").register(DOCS, {
    description:
      "Git LFS. auto: files over 100 MiB, which GitHub refuses otherwise. always: every model file. never: none.",
  }),
  activation: Activation.prefault({}).register(DOCS, { description: "How a pulled release is activated." }),
  publisher: Publisher.prefault({}).register(DOCS, {
    description: "The publishing side: the server that trains.",
  }),
  client: Client.prefault({}).register(DOCS, {
    description: "The pulling side: the server that uses the models.",
  }),
  runpod: RunPod.prefault({}).register(DOCS, {
    description: "RunPod as the carrier: a job trains and returns an archive of the models.",
  }),
  runpod_client: RunPodClient.prefault({}).register(DOCS, {
    description: "The daemon's RunPod role.",
  }),
  artifacts: Artifacts.prefault({}).register(DOCS, {
    description: "GitHub Actions as the carrier: a workflow trains and uploads artifacts.",
  }),
  huggingface: HuggingFace.prefault({}).register(DOCS, {
    description: "Hugging Face as the carrier: a model repository on the hub.",
  }),
  huggingface_client: HuggingFaceClient.prefault({}).register(DOCS, {
    description: "The daemon's Hugging Face role.",
  }),
  redeploy: Redeploy.prefault({}).register(DOCS, {
    description: "Backends that start anew with a new release.",
  }),
  references: References.prefault({}).register(DOCS, {
    description: "The reference sync: a PRIMARY server's model records become pull requests on GitHub.",
  }),
  alerts: Alerts.prefault({}).register(DOCS, {
    description:
      "Who hears of what happened: by mail, webhook or chat. An alert that fails changes nothing else.",
  }),
  report: Report.prefault({}).register(DOCS, {
    description:
      "Reporting to a dashboard and to monitors. A report that fails changes nothing else and is sent again.",
  }),
  signing: Signing.prefault({}).register(DOCS, {
    description: "Signatures of releases: OpenSSF Model Signing 1.0, by a key.",
  }),
  archives: Archives.prefault({}).register(DOCS, {
    description: "What an archive may be at most, whoever sends it. It is refused beyond, never cut.",
  }),
});
/** The configuration as every part of the program reads it: complete, checked, defaults filled in. */
export type ModelSync = z.infer<typeof ModelSync>;
