import { z } from "zod";
import { quote } from "../../core/quote.ts";
import { parseWebAddress } from "../../core/web_address.ts";
import { CATEGORIES } from "../../references/categories.ts";
import { BranchName, DOCS, WebAddress } from "./kinds.ts";
import { scheduleKey, TIMING } from "./schedule.ts";

/** One branch that is updated in place, or a new one for each run as the original had it. */
export const PULL_REQUEST_STYLES = ["fixed", "timestamped"] as const;
export type PullRequestStyle = (typeof PULL_REQUEST_STYLES)[number];

/** The branches `sync/<category>/<time>` are the original's: git keeps no branch beside others that begin with its name. */
const OLD_BRANCHES = "sync";

/** GitHub's own limits: characters of a label, labels of a pull request, reviewers of a pull request. */
const LABEL_CHARS_MAX = 50;
const LABELS_MAX = 100;
const REVIEWERS_MAX = 15;

/** A day. Whoever looks less often wants a schedule and one-shot runs. */
const DAY_SEC = 86_400;

const Path = z.string().min(1);

const PrimaryUrl = z.string().trim().refine(isApiAddress, {
  error: "must be an http address without ? and #, such as https://models.example.org/api",
});

const Category = z.string().trim().pipe(z.enum(CATEGORIES, {
  error: ({ input }) => `${quote(String(input))} is no category; there are ${CATEGORIES.join(", ")}`,
}));

const OwnBranch = BranchName.refine(
  (name) => name !== OLD_BRANCHES && !name.startsWith(`${OLD_BRANCHES}/`),
  { error: `must not begin with ${OLD_BRANCHES}/, where older syncs left their branches` },
);

const PullRequests = z.strictObject({
  style: z.enum(PULL_REQUEST_STYLES).default("fixed").register(DOCS, {
    description:
      "fixed: one branch and one pull request per repository, updated in place. timestamped: a new branch and a new " +
      "pull request each time, and older ones are closed.",
  }),
  branch: OwnBranch.default("model-sync/references").register(DOCS, {
    description: "The name of the fixed branch.",
  }),
  labels: z.array(z.string().trim().min(1).max(LABEL_CHARS_MAX)).max(LABELS_MAX)
    .default(["automated", "sync", "ready-for-review"]).register(DOCS, {
      description: "The labels of a pull request.",
    }),
  reviewers: z.array(z.string().trim().regex(/^[\w-]+$/, "must be the name of a GitHub user"))
    .max(REVIEWERS_MAX).default([]).register(DOCS, {
      description: "The users who are asked for a review.",
    }),
  team: z.string().trim().regex(/^(?:[\w-]+\/)?[\w.-]+$/, "must be organisation/team").optional().register(
    DOCS,
    {
      description: "The team that is asked for a review.",
      examples: ["your-org/your-team"],
    },
  ),
});

const Watch = z.strictObject({
  enabled: z.boolean().default(false).register(DOCS, {
    description: "Stay, and sync whenever the records of the PRIMARY server change.",
  }),
  interval_sec: z.number().min(1).max(DAY_SEC).default(60).register(DOCS, {
    description: "The time between two looks at the PRIMARY server, in seconds.",
  }),
  initial_delay_sec: z.number().min(0).max(DAY_SEC).default(0).register(DOCS, {
    description: "The time before the first look, in seconds.",
  }),
  startup_sync: z.boolean().default(false).register(DOCS, {
    description: "Also sync at the start, whether anything has changed or not.",
  }),
});

/** The settings of the reference sync. */
export const References = z.strictObject({
  primary_url: PrimaryUrl.optional().register(DOCS, {
    description: "The PRIMARY server whose records are synced; its address with or without /api.",
    examples: ["https://models.example.org/api"],
  }),
  schedule: scheduleKey(
    "0 * * * *",
    "When a daemon with the role references syncs: a time of day, a cron expression of five fields, or a list of them.",
  ),
  ...TIMING,
  primary_timeout_sec: z.number().min(1).max(600).default(30).register(DOCS, {
    description: "The longest time for one request to the PRIMARY server, in seconds.",
  }),
  categories: z.array(Category).default([]).register(DOCS, {
    description: `The categories that are synced; none: all. There are ${CATEGORIES.join(", ")}.`,
  }),
  dry_run: z.boolean().default(false).register(DOCS, {
    description: "Only show what would change. Nothing is written, and no token is needed.",
  }),
  no_pr: z.boolean().default(false).register(DOCS, {
    description: "Write the changed files to output_dir; nothing is pushed, and no token is needed.",
  }),
  output_dir: Path.optional().register(DOCS, {
    description: "Where no_pr writes the files, and their difference as changes.diff.",
    examples: ["preview"],
  }),
  min_changes_threshold: z.number().int().min(1).default(1).register(DOCS, {
    description: "A pull request is made from this many changed models on, counted over a repository.",
  }),
  max_shrink: z.number().min(0).max(1).default(0.5).register(DOCS, {
    description:
      "The share of a category's models that a sync may remove or empty: 0.5 is half. A larger one is held back, and the " +
      "category fails, unless --allow-shrink or --force is given.",
  }),
  force: z.boolean().default(false).register(DOCS, {
    description: "Make a pull request however few models have changed, and however many are removed.",
  }),
  target_dir: Path.optional().register(DOCS, {
    description:
      "Keep the clones of the repositories in this folder, as owner/name. Default: temporary clones, removed afterwards.",
    examples: ["/srv/references"],
  }),
  temp_dir: Path.optional().register(DOCS, {
    description: "Where temporary clones are made. Default: the machine's own folder for such things.",
    examples: ["/var/tmp"],
  }),
  canonical_format: z.boolean().default(false).register(DOCS, {
    description:
      "Write whole files anew, as Python's json.dumps(indent=4) does. Default: only what changed, in the file's own style.",
  }),
  verbose: z.boolean().default(false).register(DOCS, {
    description: "Also details in the log, as with --verbose.",
  }),
  pr: PullRequests.prefault({}).register(DOCS, { description: "How pull requests are made." }),
  watch: Watch.prefault({}).register(DOCS, { description: "How the PRIMARY server is watched." }),
  image_repository: repository("AI-Horde-image-model-reference").prefault({}).register(DOCS, {
    description: "The repository on GitHub for all categories but text_generation. A fork is as good.",
  }),
  text_repository: repository("AI-Horde-text-model-reference").prefault({}).register(DOCS, {
    description: "The repository on GitHub for text_generation.",
  }),
  github_proxy_url_base: WebAddress.optional().register(DOCS, {
    description: "The address of a proxy for GitHub; the whole address of what is read is put behind it.",
    examples: ["https://proxy.example.org"],
  }),
}).superRefine(({ pr, image_repository, text_repository }, context) => {
  for (const { owner, name, branch } of [image_repository, text_repository]) {
    if (pr.style !== "fixed" || !areExclusive(pr.branch, branch)) continue;
    context.addIssue({
      code: "custom",
      path: ["pr", "branch"],
      message: `cannot stand beside the branch ${branch} of ${owner}/${name}`,
    });
    return;
  }
});
export type ReferencesSettings = z.infer<typeof References>;

/** One of the repositories that hold the reference files. Its names become those of folders, too. */
function repository(name: string) {
  return z.strictObject({
    owner: z.string().trim().regex(/^[A-Za-z\d][\w-]*$/, "must be the name of a GitHub user or organisation")
      .default("Haidra-Org").register(DOCS, { description: "The user or organisation that owns it." }),
    name: z.string().trim().regex(/^(?!\.{1,2}$)[\w.-]+$/, "must be the name of a GitHub repository")
      .default(name).register(DOCS, { description: "Its name." }),
    branch: BranchName.default("main").register(DOCS, {
      description: "The branch that is compared, and that pull requests go to.",
    }),
  });
}

/** Credentials may stand in it: the server may be behind a proxy that wants them. */
function isApiAddress(text: string): boolean {
  return !/[?#]/.test(text) && parseWebAddress(text) !== undefined;
}

/** Whether git cannot keep two branches: they are one, or the name of one is a folder of the other's. */
function areExclusive(one: string, other: string): boolean {
  return one === other || one.startsWith(`${other}/`) || other.startsWith(`${one}/`);
}
