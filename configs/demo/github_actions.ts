import { join } from "node:path";
import { systemClock } from "../../lib/core/clock.ts";
import { OWNER, REPOSITORY, startGitHubServer } from "../../fakes/github_server.ts";
import { chapter, type Machine, makeMachine, modelSync, say, showTree, styled } from "./stage.ts";

/** A bot pulls a workflow's artifacts; a local server plays GitHub. */
export async function githubActionsDemo(root: string): Promise<void> {
  say(`Everything happens in ${styled(1, root)}; a local server plays GitHub.`);
  await using github = startGitHubServer(systemClock);
  const runner = makeMachine(root, "runner", {});
  const artifacts = {
    owner: OWNER,
    repository: REPOSITORY,
    workflow: "train_models.yml",
    min_interval_minutes: 0,
  };
  const bot = makeMachine(root, "bot", { artifacts });
  const upload = async (conclusion: "success" | "failure", damaged = false) => {
    const run = github.addRun({ conclusion });
    const content = readArchive(runner);
    const claims = damaged ? { digest: `sha256:${"0".repeat(64)}` } : {};
    await github.addArtifact(run, { name: `trained-models-${run}`, content, claims });
    say(
      styled(
        36,
        `runner$ # upload-artifact: trained-models-${run} of run ${run}, which ends with ${conclusion}`,
      ),
    );
  };

  chapter("A workflow trains, and uploads the archive as an artifact");
  await modelSync(runner, ["train"]);
  await upload("success");

  chapter("The bot pulls the newest successful run");
  await modelSync(bot, ["artifact-pull"], 0, github.env);
  say("");
  showTree(bot, "models");
  say("");
  await modelSync(bot, ["artifact-pull"], 0, github.env);

  chapter("A run uploads an artifact and then fails; the bot ignores it");
  await modelSync(runner, ["train", "--symbol", "BTC/USDC"]);
  await upload("failure");
  say("");
  await modelSync(bot, ["artifact-pull"], 0, github.env);

  chapter("The next run succeeds");
  await upload("success");
  say("");
  await modelSync(bot, ["artifact-pull"], 0, github.env);

  chapter("An artifact's bytes do not match GitHub's digest; the bot refuses it");
  await modelSync(runner, ["train", "--symbol", "ETH/USDC"]);
  await upload("success", true);
  say("");
  await modelSync(bot, ["artifact-pull"], 5, github.env);

  chapter("The new models trade badly; one command rolls back");
  await modelSync(bot, ["rollback"]);
  say(`\n  Clean up:  rm -rf ${root}`);
}

function readArchive({ dir }: Machine): Uint8Array<ArrayBuffer> {
  return Deno.readFileSync(join(dir, "artifacts/exports/models_latest.zip"));
}
