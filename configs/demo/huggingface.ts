import { join } from "node:path";
import { HubServer } from "../../fakes/hub_server.ts";
import { chapter, makeMachine, modelSync, say, showTree, styled } from "./stage.ts";

/** A model repository on a hub between two machines; the hub is played by a server on this one. */
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
  await modelSync(trainer, ["hf-upload"], 0, env);

  chapter("The bot pulls them, every file from the same commit");
  await modelSync(bot, ["hf-pull"], 0, env);
  say("");
  showTree(bot, "models");

  chapter("One model is trained again; one commit holds what changed");
  await modelSync(trainer, ["train", "--symbol", "BTC/USDC"]);
  await modelSync(trainer, ["hf-upload"], 0, env);
  say("");
  await modelSync(bot, ["hf-pull"], 0, env);

  chapter("The hub is away; a bot that starts now goes on with what it has");
  const away = { ...env, HF_ENDPOINT: `http://127.0.0.1:${closedPort()}` };
  await modelSync(bot, ["hf-pull", "--offline-ok"], 0, away);

  chapter("The new model trades badly; going back takes one command");
  await modelSync(bot, ["rollback"]);
  say(`\n  Clean up:  rm -rf ${root}`);
}

/** A port at which nobody answers. */
function closedPort(): number {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  listener.close();
  return listener.addr.port;
}
