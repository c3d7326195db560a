import { join } from "node:path";
import { chapter, configure, type Machine, modelSync, PROJECT, say, styled } from "./stage.ts";

/** A pickle that runs a command when Python loads it. */
const BOOBY_TRAP = "cos\nsystem\n(S'echo all your coins are mine'\ntR.";

/** Safeguards against a release that arrives intact but is bad. */
export async function safeguardsStory(
  trainer: Machine,
  bot: Machine,
  settings: Readonly<Record<string, unknown>>,
): Promise<void> {
  await modelSync(trainer, ["publish", "--symbol", "ETH/USDC"]);
  say("");
  await modelSync(bot, ["pull"]);

  chapter("A pickle would run a command when loaded; the publisher refuses it, and so does the bot");
  const trap = join(trainer.dir, "models/BTC_USDC/scaler.pkl");
  Deno.writeTextFileSync(trap, BOOBY_TRAP);
  await modelSync(trainer, ["publish", "--skip-training"], 5);
  say("");
  say(styled(36, "trainer$ # an attacker publishes it without the checks"));
  await modelSync(trainer, ["publish", "--skip-training"], 0, {
    MODEL_SYNC_ACTIVATION_VALIDATE_ENABLED: "false",
  });
  say("");
  await modelSync(bot, ["pull"], 5);
  Deno.removeSync(trap);

  chapter("The bot's process is notified of each new release; if it cannot load one, model-sync rolls back");
  configure(bot, { ...settings, activation: { reload: [reloadHook(bot, 0.55)] } });
  await modelSync(trainer, ["publish", "--symbol", "BTC/USDC"]);
  say("");
  await modelSync(bot, ["pull"]);
  say("");
  say(styled(36, "trainer$ # lose the models of SOL/USDC"));
  Deno.renameSync(join(trainer.dir, "models/SOL_USDC"), join(trainer.dir, "forgotten"));
  await modelSync(trainer, ["publish", "--skip-training"]);
  say("");
  await modelSync(bot, ["pull"], 8);
  Deno.renameSync(join(trainer.dir, "forgotten"), join(trainer.dir, "models/SOL_USDC"));

  chapter(
    "A new release is in canary; when the bot's win rate falls, model-sync rolls back",
  );
  configure(bot, {
    ...settings,
    activation: {
      reload: [reloadHook(bot, 0.41)],
      canary: {
        duration_minutes: 0.1,
        interval_seconds: 0.5,
        failure_limit: 1,
        metrics: [{
          name: "win_rate",
          type: "file",
          path: join(bot.dir, "stats.json"),
          query: "win_rate",
          direction: "higher",
        }],
      },
    },
  });
  await modelSync(trainer, ["publish", "--symbol", "BTC/USDC"]);
  say("");
  await modelSync(bot, ["pull", "--wait-canary"], 8);
  say("");
  await modelSync(bot, ["quarantine", "list"]);
}

/** The command of the bot's process, with this win rate. */
function reloadHook(bot: Machine, winRate: number): Record<string, unknown> {
  const run = ["run", "-q", "--no-prompt", "--allow-read", "--allow-write", "--allow-env"];
  const script = join(PROJECT, "configs/demo/consumer.ts");
  return {
    type: "command",
    command: [Deno.execPath(), ...run, script, join(bot.dir, "stats.json"), String(winRate)],
    retries: 0,
  };
}
