/**
 * The main job in a temporary directory, narrated; each command is the real one, run as a user would.
 *
 *     deno task demo                      by a git repository
 *     deno task demo --carrier runpod     or github-actions, huggingface: against a server on this machine
 */
import { parseArgs } from "node:util";
import { gitDemo } from "./git.ts";
import { githubActionsDemo } from "./github_actions.ts";
import { huggingfaceDemo } from "./huggingface.ts";
import { runpodDemo } from "./runpod.ts";
import { DemoError, say } from "./stage.ts";

const DEMOS = {
  git: gitDemo,
  runpod: runpodDemo,
  "github-actions": githubActionsDemo,
  huggingface: huggingfaceDemo,
} as const;

function isDemo(name: string): name is keyof typeof DEMOS {
  return Object.hasOwn(DEMOS, name);
}

if (import.meta.main) {
  const { carrier } = parseArgs({ options: { carrier: { type: "string", default: "git" } } }).values;
  if (!isDemo(carrier)) {
    say(`There is no demo for "${carrier}": choose ${Object.keys(DEMOS).join(", ")}`);
    Deno.exit(2);
  }
  try {
    await DEMOS[carrier]();
  } catch (error) {
    if (!(error instanceof DemoError || error instanceof Deno.errors.NotFound)) throw error;
    say(`\nThe demo stopped: ${error.message}`);
    Deno.exit(1);
  }
}
