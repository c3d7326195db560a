import { join } from "node:path";
import { HubServer } from "../../fakes/hub_server.ts";
import { chapter, makeMachine, modelSync, say, showTree, styled } from "./stage.ts";

/** Two machines and a model repository on a hub; a local server plays the hub. */
export async function huggingfaceDemo(root: string): Promise<void> {
  say(
    `Everything happens in ${
      styled(1, root)
    }: two machines, and a Hugging Face hub that a local server plays.`,
  );
  Deno.mkdirSync(join(root, "hub"));
  await using hub = new HubServer(join(root, "hub"));
  const settings = { huggingface: { repo_id: "you/your-models" } };
  const trainer = makeMachine(root, "trainer", settings);
  const bot = makeMachine(root, "bot", settings);
  const env = { HF_ENDPOINT: hub.endpoint, HF_TOKEN: hub.token };

  chapter("The training server trains three models and uploads them");
  await modelSync(trainer, ["train"]);
  say("");
  await modelSync(trainer, ["hf-upload"], 0, env);

  chapter("The bot pulls them, all files from the same commit");
  await modelSync(bot, ["hf-pull"], 0, env);
  say("");
  showTree(bot, "models");

  chapter("One model is trained again; one commit contains the change");
  await modelSync(trainer, ["train", "--symbol", "BTC/USDC"]);
  say("");
  await modelSync(trainer, ["hf-upload"], 0, env);
  say("");
  await modelSync(bot, ["hf-pull"], 0, env);

  chapter("The hub is down; a bot that starts now uses its active release");
  const away = { ...env, HF_ENDPOINT: `http://127.0.0.1:${closedPort()}` };
  await modelSync(bot, ["hf-pull", "--offline-ok"], 0, away);

  chapter("The new model trades badly; one command rolls back");
  await modelSync(bot, ["rollback"]);
  say(`\n  Clean up:  rm -rf ${root}`);
}

/** A port without a server. */
function closedPort(): number {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  listener.close();
  return listener.addr.port;
}
