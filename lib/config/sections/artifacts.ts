import { z } from "zod";
import { DOCS, EnvName } from "./kinds.ts";
import { optionalScheduleKey, TIMING } from "./schedule.ts";

/** An artifact of 10 GB, GitHub's largest, at 25 Mbit/s. */
const DOWNLOAD_TIMEOUT_SEC = 3_600;

/** The settings of the GitHub Actions carrier. */
export const Artifacts = z.strictObject({
  owner: z.string().min(1).optional().register(DOCS, {
    description: "The user or organisation that owns the repository.",
    examples: ["you"],
  }),
  repository: z.string().min(1).optional().register(DOCS, {
    description: "The repository whose workflow trains.",
    examples: ["your-bot"],
  }),
  workflow: z.string().min(1).optional().register(DOCS, {
    description:
      "The workflow's file name, its id, or its name, which costs a request more each time. Without it the newest run counts, of whatever workflow, that has such an artifact.",
    examples: ["train_models.yml"],
  }),
  branch: z.string().min(1).default("main").register(DOCS, {
    description: "Only runs on this branch count.",
  }),
  artifact: z.string().min(1).default("*model*,*onnx*").register(DOCS, {
    description: "Names of the artifacts that make a release: patterns with * and ?, separated by commas.",
  }),
  conclusion: z.enum(["success", "neutral", "any"]).default("success").register(DOCS, {
    description: "How a run must have ended; any: the newest completed run that has such an artifact.",
  }),
  token_env: EnvName.default("GITHUB_TOKEN").register(DOCS, {
    description: "The environment variable that holds a token with the permission actions:read.",
  }),
  interval_minutes: z.number().positive().max(10_080).default(15).register(DOCS, {
    description: "How often the daemon checks for new artifacts, unless schedule is set.",
  }),
  schedule: optionalScheduleKey(
    "When the daemon checks instead: a time of day, a cron expression of five fields, or a list of them.",
    ["06:00", "18:00"],
  ),
  ...TIMING,
  min_interval_minutes: z.number().min(0).max(10_080).default(5).register(DOCS, {
    description: "A pull sooner than this after the last one is skipped; 0 skips none.",
  }),
  download_timeout_sec: z.number().min(5).max(86_400).default(DOWNLOAD_TIMEOUT_SEC).register(DOCS, {
    description: "The longest time for a download, in seconds.",
  }),
});
