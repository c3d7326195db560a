import { z } from "zod";
import { DOCS, EnvName, RepoFolder, tidyFolder } from "./kinds.ts";
import { scheduleKey, TIMING } from "./schedule.ts";

/** Four hours move 180 GB at 100 Mbit/s. */
const TRANSFER_TIMEOUT_SEC = 14_400;

const Globs = z.array(z.string().min(1));

/** The settings of the Hugging Face carrier. */
export const HuggingFace = z.strictObject({
  repo_id: z.string().regex(/^\w[\w.-]*\/\w[\w.-]*$/, "must be owner/name").optional().register(DOCS, {
    description: "The model repository on the hub.",
    examples: ["you/your-models"],
  }),
  revision: z.string().min(1).regex(
    /^(?![-/])(?!.*\.\.)[^\s~^:?*[\\\u007f]+$/,
    "must be the name of a branch or tag, or a whole commit",
  ).default("main").register(DOCS, {
    description: "The branch that is uploaded to and pulled from; a pull also takes a tag or a commit.",
  }),
  token_env: EnvName.default("HF_TOKEN").register(DOCS, {
    description: "The environment variable that holds the token. A public repository is pulled without one.",
  }),
  private: z.boolean().default(false).register(DOCS, {
    description: "A repository that an upload has to create is private.",
  }),
  path_in_repo: z.string().overwrite(tidyFolder).refine(
    (path) => path === "" || RepoFolder.safeParse(path).success,
    {
      error: "must be a folder inside the repository, such as models, or empty for its root",
    },
  ).default("").register(DOCS, {
    description: "The folder of the models in the repository. Default: its root, where other loaders look.",
  }),
  include: Globs.default([]).register(DOCS, {
    description: "Only files that match one of these patterns; none: all.",
  }),
  exclude: Globs.default([]).register(DOCS, {
    description: "No files that match one of these patterns.",
  }),
  delete_removed: z.boolean().default(false).register(DOCS, {
    description: "An upload removes files from the repository that the models folder no longer has.",
  }),
  xet: z.boolean().default(false).register(DOCS, {
    description:
      "Upload large files by the hub's own protocol Xet instead of LFS: it sends only changed pieces, and " +
      "takes several times the memory and processor time.",
  }),
  transfer_timeout_sec: z.number().min(5).max(604_800).default(TRANSFER_TIMEOUT_SEC).register(DOCS, {
    description: "The longest time for one file, in seconds.",
  }),
});

export const HuggingFaceClient = z.strictObject({
  schedule: scheduleKey("06:00", "When the daemon pulls from the hub, as client.schedule."),
  ...TIMING,
});
