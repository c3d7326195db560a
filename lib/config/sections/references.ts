import * as z from "zod";
import { quote } from "../../core/quote.ts";
import { parseWebAddress } from "../../http/web_address.ts";
import { BranchName, DOCS, LocalPath, WebAddress } from "./kinds.ts";
import { scheduleKey, TIMING } from "./schedule.ts";

/** The kinds of model records that a PRIMARY server knows, in the order in which they are synced. */
export const CATEGORIES = [
  "blip",
  "clip",
  "codeformer",
  "controlnet",
  "controlnet_annotator",
  "esrgan",
  "gfpgan",
  "safety_checker",
  "image_generation",
  "text_generation",
  "video_generation",
  "audio_generation",
  "miscellaneous",
  "lora",
  "ti",
] as const;
export type Category = (typeof CATEGORIES)[number];

/** One branch that is updated in place, or a new branch for each run as in the original. */
const PULL_REQUEST_STYLES = ["fixed", "timestamped"] as const;

/** The original's branches are `sync/<category>/<time>`. Git cannot store a branch `sync` beside them. */
const OLD_BRANCHES = "sync";

/** GitHub's own limits: characters of a label, labels of a pull request, reviewers of a pull request. */
const LABEL_CHARS_MAX = 50;
const LABELS_MAX = 100;
const REVIEWERS_MAX = 15;

/** A day. For less frequent checks, use a schedule with one-shot runs. */
const DAY_SEC = 86_400;

const PrimaryUrl = z.string().trim().refine(isApiAddress, {
  error: "must be an http address without ? and #, such as https://models.example.org/api",
});

const CategoryName = z.string().trim().pipe(z.enum(CATEGORIES, {
  error: ({ input }) =>
    `${quote(String(input))} is not a category; the categories are ${CATEGORIES.join(", ")}`,
}));

const OwnBranch = BranchName.refine(
  (name) => name !== OLD_BRANCHES && !name.startsWith(`${OLD_BRANCHES}/`),
  { error: `must not begin with ${OLD_BRANCHES}/, which the branches of older syncs use` },
);

const PullRequests = z.strictObject({
  style: z.enum(PULL_REQUEST_STYLES).default("fixed").register(DOCS, {
    description:
      "fixed: one branch and one pull request for each repository, updated in place. timestamped: a new branch " +
      "and a new pull request each time; older ones are closed.",
  }),
  branch: OwnBranch.default("model-sync/references").register(DOCS, {
    description: "The branch of the style fixed.",
  }),
  labels: z.array(z.string().trim().min(1).max(LABEL_CHARS_MAX)).max(LABELS_MAX)
    .default(["automated", "sync", "ready-for-review"]).register(DOCS, {
      description: "The labels of a pull request.",
    }),
  reviewers: z.array(z.string().trim().regex(/^[\w-]+$/, "must be the name of a GitHub user"))
    .max(REVIEWERS_MAX).default([]).register(DOCS, {
      description: "The users to request a review from.",
    }),
  team: z.string().trim().regex(/^(?:[\w-]+\/)?[\w.-]+$/, "must be organisation/team").optional().register(
    DOCS,
    {
      description: "The team to request a review from.",
      examples: ["your-org/your-team"],
    },
  ),
});

const Watch = z.strictObject({
  enabled: z.boolean().default(false).register(DOCS, {
    description: "Keep running, and sync whenever the records of the PRIMARY server change.",
  }),
  interval_sec: z.number().min(1).max(DAY_SEC).default(60).register(DOCS, {
    description: "The time between two checks of the PRIMARY server, in seconds.",
  }),
  initial_delay_sec: z.number().min(0).max(DAY_SEC).default(0).register(DOCS, {
    description: "The delay before the first check, in seconds.",
  }),
  startup_sync: z.boolean().default(false).register(DOCS, {
    description: "Sync at the start, even if nothing has changed.",
  }),
});

/** The section `references`: the reference sync. */
export const References = z.strictObject({
  primary_url: PrimaryUrl.optional().register(DOCS, {
    description: "The address of the PRIMARY server, with or without /api.",
    examples: ["https://models.example.org/api"],
  }),
  schedule: scheduleKey(
    "0 * * * *",
    "When the daemon syncs references: a time of day, a cron expression of five fields, or a list of them.",
  ),
  ...TIMING,
  primary_timeout_sec: z.number().min(1).max(600).default(30).register(DOCS, {
    description: "The time limit of one request to the PRIMARY server, in seconds.",
  }),
  categories: z.array(CategoryName).default([]).register(DOCS, {
    description: `The categories to sync. Empty: all, which are ${CATEGORIES.join(", ")}.`,
  }),
  dry_run: z.boolean().default(false).register(DOCS, {
    description: "Only show what would change. Nothing is written, and no token is needed.",
  }),
  no_pr: z.boolean().default(false).register(DOCS, {
    description: "Write the changed files to output_dir instead of pushing them. No token is needed.",
  }),
  output_dir: LocalPath.optional().register(DOCS, {
    description: "The folder for the files of no_pr, and for changes.diff, their difference.",
    examples: ["preview"],
  }),
  min_changes_threshold: z.number().int().min(1).default(1).register(DOCS, {
    description: "The smallest number of changed models in a repository that leads to a pull request.",
  }),
  max_shrink: z.number().min(0).max(1).default(0.5).register(DOCS, {
    description:
      "The largest share of a category's models that a sync may remove or empty: 0.5 is half. A larger change is " +
      "held back and the category fails, unless --allow-shrink or --force is given.",
  }),
  force: z.boolean().default(false).register(DOCS, {
    description: "Make a pull request however few models changed and however many are removed.",
  }),
  target_dir: LocalPath.optional().register(DOCS, {
    description:
      "Keep the clones of the repositories in this folder, as owner/name. Default: temporary clones, removed " +
      "after the sync.",
    examples: ["/srv/references"],
  }),
  temp_dir: LocalPath.optional().register(DOCS, {
    description: "The folder for temporary clones. Default: the machine's folder for temporary files.",
    examples: ["/var/tmp"],
  }),
  canonical_format: z.boolean().default(false).register(DOCS, {
    description:
      "Rewrite whole files in the format of Python's json.dumps(indent=4). Default: write only what changed, in " +
      "the file's own style.",
  }),
  verbose: z.boolean().default(false).register(DOCS, {
    description: "Log debug messages, as --verbose does.",
  }),
  pr: PullRequests.prefault({}).register(DOCS, { description: "The pull requests." }),
  watch: Watch.prefault({}).register(DOCS, { description: "Watching the PRIMARY server for changes." }),
  image_repository: repository("AI-Horde-image-model-reference").prefault({}).register(DOCS, {
    description: "The GitHub repository for all categories except text_generation. It may be a fork.",
  }),
  text_repository: repository("AI-Horde-text-model-reference").prefault({}).register(DOCS, {
    description: "The GitHub repository for text_generation. It may be a fork.",
  }),
  github_proxy_url_base: WebAddress.optional().register(DOCS, {
    description: "The address of a proxy for reading from GitHub. The full GitHub address is appended to it.",
    examples: ["https://proxy.example.org"],
  }),
}).superRefine(({ pr, image_repository, text_repository }, context) => {
  for (const { owner, name, branch } of [image_repository, text_repository]) {
    if (pr.style !== "fixed" || !areExclusive(pr.branch, branch)) continue;
    context.addIssue({
      code: "custom",
      path: ["pr", "branch"],
      message: `cannot exist beside the branch ${branch} of ${owner}/${name}`,
    });
    return;
  }
});
export type ReferencesSettings = z.infer<typeof References>;

/** Returns the schema of a repository with reference files. Owner and name also become folder names. */
function repository(name: string) {
  return z.strictObject({
    owner: z.string().trim().regex(/^[A-Za-z\d][\w-]*$/, "must be the name of a GitHub user or organisation")
      .default("Haidra-Org").register(DOCS, {
        description: "The user or organisation that owns the repository.",
      }),
    name: z.string().trim().regex(/^(?!\.{1,2}$)[\w.-]+$/, "must be the name of a GitHub repository")
      .default(name).register(DOCS, { description: "The name of the repository." }),
    branch: BranchName.default("main").register(DOCS, {
      description: "The branch to compare with, and the target of pull requests.",
    }),
  });
}

/** Returns whether the text is an HTTP address without query. It may contain credentials for a proxy before the server. */
function isApiAddress(text: string): boolean {
  return !/[?#]/.test(text) && parseWebAddress(text) !== undefined;
}

/** Returns whether git cannot store both branches: the names are equal, or one is a folder of the other. */
function areExclusive(one: string, other: string): boolean {
  return one === other || one.startsWith(`${other}/`) || other.startsWith(`${one}/`);
}
