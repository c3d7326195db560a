/**
 * Plays the main job in a temporary directory, with narration. Each command is a real one, run as a user would.
 *
 *     deno task demo                      through a git repository
 *     deno task demo --carrier runpod     or github-actions, huggingface: with a server on this machine
 *     deno task demo --serve              then shows the demo's machines on the dashboard
 *     deno task demo --fleet 50           also shows a simulated month of 50 nodes
 */
import { ModelSyncError } from "../../lib/core/errors.ts";
import { DemoDashboard } from "./demo_dashboard.ts";
import { asksForUsage, type DemoOptions, parseOptions, USAGE } from "./demo_options.ts";
import { gitDemo } from "./git.ts";
import { githubActionsDemo } from "./github_actions.ts";
import { huggingfaceDemo } from "./huggingface.ts";
import { runpodDemo } from "./runpod.ts";
import { DemoError, makeRoot, say } from "./stage.ts";

const DEMOS = {
  git: gitDemo,
  runpod: runpodDemo,
  "github-actions": githubActionsDemo,
  huggingface: huggingfaceDemo,
} as const;

async function play({ carrier, dashboard }: DemoOptions): Promise<void> {
  const root = makeRoot();
  if (dashboard === undefined) return await DEMOS[carrier](root);
  // Opened first, so that an occupied port is reported at once.
  await using served = await DemoDashboard.open(root, dashboard.address);
  await DEMOS[carrier](root);
  await served.show(dashboard.nodes);
}

if (import.meta.main) {
  try {
    if (asksForUsage(Deno.args)) say(USAGE);
    else await play(parseOptions(Deno.args));
  } catch (error) {
    if (error instanceof ModelSyncError) {
      say(`${error.message}${error.hint === undefined ? "" : `. ${error.hint}`}`);
      Deno.exit(error.exitCode);
    }
    if (!(error instanceof DemoError || error instanceof Deno.errors.NotFound)) throw error;
    say(`\nThe demo stopped: ${error.message}`);
    Deno.exit(1);
  }
}
