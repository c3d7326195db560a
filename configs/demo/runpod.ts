import { startRunPod } from "../../fakes/runpod_server.ts";
import { startStorage } from "../../fakes/storage_server.ts";
import { chapter, makeMachine, modelSync, say, showTree, startModelSync, styled } from "./stage.ts";

/** A RunPod worker that trains, and a bot that starts its jobs; local servers play RunPod and the storage. */
export async function runpodDemo(root: string): Promise<void> {
  say(
    `Everything happens in ${styled(1, root)}; local servers play RunPod and the storage of archives.`,
  );
  await using runpod = startRunPod();
  await using storage = startStorage();
  const input = {
    prompt: "Train models only, and return an archive",
    upload_url: storage.uploadUrl,
    download_url: storage.downloadUrl,
  };
  const gpu = makeMachine(root, "gpu", {});
  const bot = makeMachine(root, "bot", {
    runpod: {
      trigger_url: runpod.triggerUrl,
      status_url_template: runpod.statusUrlTemplate,
      trigger_payload: { input },
      poll_interval_sec: 1,
    },
  });
  const env = { RUNPOD_API_KEY: runpod.apiKey };

  chapter("A worker waits for jobs, as its container does on RunPod");
  await using _worker = startModelSync(
    gpu,
    ["train", "--serve-runpod"],
    runpod.workerEnv,
    "worker.log",
  );

  chapter("The bot previews its request, then sends it");
  await modelSync(bot, ["runpod-pull", "--dry-run"], 0, env);
  say("");
  await modelSync(bot, ["runpod-pull"], 0, env);
  say("");
  showTree(bot, "models");

  chapter("The next night, a new job trains new models");
  await modelSync(bot, ["runpod-pull"], 0, env);

  chapter("A training fails; the job reports the reason, and the bot keeps its release");
  const broken = JSON.stringify({ input: { symbols: ["--config"] } });
  await modelSync(bot, ["runpod-pull", "--trigger-payload-json", broken], 1, env);
  say("");
  await modelSync(bot, ["verify", "--deep"]);

  chapter("The new models trade badly; one command rolls back");
  await modelSync(bot, ["rollback"]);
  say(`\n  Clean up:  rm -rf ${root}`);
}
