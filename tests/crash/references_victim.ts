import * as z from "zod";
import { References } from "../../lib/config/sections/references.ts";
import type { Context } from "../../lib/core/context.ts";
import { Secret } from "../../lib/core/secret.ts";
import { GITHUB_TIMEOUT_MS, githubUrls } from "../../lib/github/github_access.ts";
import { GitHubClient } from "../../lib/github/github_client.ts";
import { NO_STEPS } from "../../lib/pipeline/current_run.ts";
import { openSyncParts } from "../../lib/references/open_sync_parts.ts";
import { syncReferences } from "../../lib/references/sync_references.ts";
import { HurriedClock } from "../helpers/fake_clock.ts";
import { fixedEnvironment } from "../helpers/test_context.ts";
import { dieAt } from "./die_at.ts";

const Target = z.object({
  /** The variables that lead to PRIMARY and to GitHub. */
  env: z.record(z.string(), z.string()),
  primaryUrl: z.string(),
  tempDir: z.string(),
  token: z.string(),
});

/** A PRIMARY server and a GitHub. */
export type ReferencesTarget = z.infer<typeof Target>;

/** The extra labels and reviewers of a pull request. */
export const REVIEW = { reviewers: ["ann"], team: "org/curators" };
export const LABELS = ["automated", "sync", "ready-for-review"];

/** Syncs one category. The pause of a second between two writes to GitHub is skipped. */
export async function syncOneCategory(
  outside: Context,
  { env, primaryUrl, tempDir, token: text }: ReferencesTarget,
): Promise<void> {
  const context = { ...outside, clock: new HurriedClock(), env: fixedEnvironment(env) };
  const token = new Secret(text);
  const settings = References.parse({ primary_url: primaryUrl, temp_dir: tempDir });
  const access = { ...githubUrls(context.env), token, timeoutMs: GITHUB_TIMEOUT_MS };
  await syncReferences(
    context,
    openSyncParts(context, settings, { token, isDryRun: false, discardLocalChanges: false }),
    {
      run: NO_STEPS,
      categories: ["clip"],
      mode: { kind: "propose", client: await GitHubClient.open(context, access), style: "fixed" },
      proposal: {
        format: "keep",
        branch: settings.pr.branch,
        labels: LABELS,
        ...REVIEW,
        changesMin: 1,
        maxShrink: 1,
        allowShrink: false,
        primaryUrl,
      },
    },
  );
}

// Arguments: the step before which it kills itself, and JSON of the target.
if (import.meta.main) {
  const [killAt, target = ""] = Deno.args;
  await syncOneCategory(dieAt(Number(killAt)), Target.parse(JSON.parse(target)));
}
