import * as z from "zod";
import { DOCS, EnvName, RepoFolder, tidyFolder } from "./kinds.ts";
import { scheduleKey, TIMING } from "./schedule.ts";

/** Four hours move 180 GB at 100 Mbit/s. */
const TRANSFER_TIMEOUT_SEC = 14_400;

const Globs = z.array(z.string().min(1));

/** The section `huggingface`: the Hugging Face carrier. */
export const HuggingFace = z.strictObject({
  repo_id: z.string().regex(/^\w[\w.-]*\/\w[\w.-]*$/, "must be owner/name").optional().register(DOCS, {
    description: "The model repository on the hub.",
    examples: ["you/your-models"],
  }),
  revision: z.string().min(1).regex(
    /^(?![-/])(?!.*\.\.)[^\s~^:?*[\\\u007f]+$/,
    "must be the name of a branch or tag, or a full commit",
  ).default("main").register(DOCS, {
    description: "The branch to upload to and to pull from. A pull also accepts a tag or a full commit.",
  }),
  token_env: EnvName.default("HF_TOKEN").register(DOCS, {
    description: "The environment variable with the token. Pulling a public repository needs no token.",
  }),
  private: z.boolean().default(false).register(DOCS, {
    description: "Create a missing repository as private.",
  }),
  path_in_repo: z.string().overwrite(tidyFolder).refine(
    (path) => path === "" || RepoFolder.safeParse(path).success,
    {
      error: "must be a folder inside the repository, such as models, or empty for its root",
    },
  ).default("").register(DOCS, {
    description:
      "The folder of the models in the repository. Default: its root, where other loaders expect them.",
  }),
  include: Globs.default([]).register(DOCS, {
    description: "Only files that match one of these patterns. Empty: all files.",
  }),
  exclude: Globs.default([]).register(DOCS, {
    description: "No files that match one of these patterns.",
  }),
  delete_removed: z.boolean().default(false).register(DOCS, {
    description: "On upload, delete files from the repository that the model folder no longer contains.",
  }),
  transfer_timeout_sec: z.number().min(5).max(604_800).default(TRANSFER_TIMEOUT_SEC).register(DOCS, {
    description: "The time limit of one file transfer, in seconds.",
  }),
});

export const HuggingFaceClient = z.strictObject({
  schedule: scheduleKey("06:00", "When the daemon pulls from the hub. Same forms as client.schedule."),
  ...TIMING,
});
