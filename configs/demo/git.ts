import { join } from "node:path";
import { safeguardsStory } from "./safeguards.ts";
import {
  chapter,
  DENO,
  flipBit,
  git,
  type Machine,
  makeMachine,
  modelSync,
  run,
  say,
  showTree,
  styled,
} from "./stage.ts";

/** Two machines and a git repository: publish, pull, change, refuse, roll back. */
export async function gitDemo(root: string): Promise<void> {
  const startedMs = performance.now();
  say(`Everything happens in ${styled(1, root)}: two machines, with a git repository between them.`);
  const registry = join(root, "registry.git");
  const settings = { repo_url: registry };
  const trainer = makeMachine(root, "trainer", settings);
  const bot = makeMachine(root, "bot", settings);

  chapter("The training server trains three models and publishes them");
  await run(trainer, "git", ["init", "--quiet", "--bare", "--initial-branch=main", registry]);
  await modelSync(trainer, ["publish"]);

  chapter("The bot pulls them");
  await modelSync(bot, ["pull"]);
  say("");
  showTree(bot, "models");
  say("");
  await modelSync(bot, ["status"]);

  chapter("One model is trained again; only its two files are transferred, the others are hard links");
  await modelSync(trainer, ["publish", "--symbol", "BTC/USDC"]);
  say("");
  await modelSync(bot, ["pull"]);

  chapter(
    "An attacker flips one bit of a model in the registry; the bot refuses the release",
  );
  const hand: Machine = { name: "mallory", dir: join(root, "mallory") };
  Deno.mkdirSync(hand.dir);
  await git(hand, "clone", "--quiet", registry, ".");
  say(styled(36, "mallory$ # flip one bit of models/ETH_USDC/direction.onnx"));
  flipBit(join(hand.dir, "models/ETH_USDC/direction.onnx"));
  await git(hand, "commit", "--quiet", "--all", "--message", "an improvement");
  await git(hand, "push", "--quiet");
  say("");
  await modelSync(bot, ["pull"], 5);
  say("");
  await modelSync(bot, ["verify", "--deep"]);

  chapter("The new model trades badly; one command rolls back");
  await modelSync(bot, ["rollback"]);
  say("");
  await modelSync(bot, ["status"]);

  chapter("The training server publishes over the damaged file, and the bot pulls the new release");
  await safeguardsStory(trainer, bot, settings);

  const seconds = ((performance.now() - startedMs) / 1000).toFixed(0);
  say(`
${styled(1, `Done in ${seconds} s. What to try next`)}

  Look around:      ls -l ${bot.dir}
  Install:          ${DENO} -A configs/install.ts   # the command model-sync, which runs this clone
  Your own models:  in the folder of your project
                    model-sync init                # writes a configuration, and checks this machine
                    model-sync publish --dry-run   # shows what would be published
  Other carriers:   ${DENO} task demo --carrier runpod   # or github-actions, huggingface
  The dashboard:    ${DENO} task demo --fleet 50   # ends with the dashboard and 50 simulated nodes
  Clean up:         rm -rf ${root}`);
}
