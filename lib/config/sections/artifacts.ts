import * as z from "zod";
import { DOCS, EnvName } from "./kinds.ts";
import { optionalScheduleKey, TIMING } from "./schedule.ts";

/** An hour: an artifact of 10 GB, the largest that GitHub stores, at 25 Mbit/s. */
const DOWNLOAD_TIMEOUT_SEC = 3_600;

/** The section `artifacts`: the GitHub Actions carrier. */
export const Artifacts = z.strictObject({
  owner: z.string().min(1).optional().register(DOCS, {
    description: "The user or organisation that owns the repository.",
    examples: ["you"],
  }),
  repository: z.string().min(1).optional().register(DOCS, {
    description: "The repository with the training workflow.",
    examples: ["your-bot"],
  }),
  workflow: z.string().min(1).optional().register(DOCS, {
    description:
      "The workflow: its file name, its id, or its name, which costs one more request each time. Default: the " +
      "newest run of any workflow that has a matching artifact.",
    examples: ["train_models.yml"],
  }),
  branch: z.string().min(1).default("main").register(DOCS, {
    description: "Only runs on this branch count.",
  }),
  artifact: z.string().min(1).default("*model*,*onnx*").register(DOCS, {
    description: "The names of the artifacts of a release: patterns with * and ?, separated by commas.",
  }),
  conclusion: z.enum(["success", "neutral", "any"]).default("success").register(DOCS, {
    description:
      "The required conclusion of a run. any: the newest completed run that has a matching artifact.",
  }),
  token_env: EnvName.default("GITHUB_TOKEN").register(DOCS, {
    description: "The environment variable with a token that has the permission actions:read.",
  }),
  interval_minutes: z.number().positive().max(10_080).default(15).register(DOCS, {
    description: "How often the daemon checks for new artifacts, in minutes. schedule replaces it.",
  }),
  schedule: optionalScheduleKey(
    "When the daemon checks for new artifacts: a time of day, a cron expression of five fields, or a list of " +
      "them. Default: every interval_minutes.",
    ["06:00", "18:00"],
  ),
  ...TIMING,
  min_interval_minutes: z.number().min(0).max(10_080).default(5).register(DOCS, {
    description:
      "The shortest time between two pulls, in minutes. An earlier pull is skipped; 0 skips none. A pull " +
      "that failed to get a release delays no other.",
  }),
  download_timeout_sec: z.number().min(5).max(86_400).default(DOWNLOAD_TIMEOUT_SEC).register(DOCS, {
    description: "The time limit of one download, in seconds.",
  }),
});
