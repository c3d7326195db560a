import { join } from "node:path";
import { OWNER, REPOSITORY, startGitHubServer } from "../../fakes/github_server.ts";
import { HubServer } from "../../fakes/hub_server.ts";
import { writeZip } from "../../lib/archive/zip_writer.ts";
import { systemClock } from "../../lib/core/clock.ts";
import { guide } from "../helpers/pages.ts";
import { ReferencesWorld } from "../helpers/references_world.ts";
import { RunPodWorld } from "../helpers/runpod_world.ts";
import { tempDir, writeFiles } from "../helpers/temp_dir.ts";
import { testContext } from "../helpers/test_context.ts";
import { bareRepository, GIT_ENV } from "../helpers/test_git.ts";

/** The address of the registry in the pages. */
const REGISTRY_URL = "https://github.com/you/your-models.git";

/** Runs a script on a machine and returns its output, errors included. */
type RunScript = (machine: string, script: string) => Promise<string>;

/** The servers that the commands of a page need, and what their machines need. */
interface Stage extends AsyncDisposable {
  readonly env: Readonly<Record<string, string>>;
  /** The configuration of a page that neither shows nor creates one. */
  readonly standard?: string;
  /** Replaces addresses of the page by those of the stage's servers, in configurations and commands. */
  readonly adapt: (text: string) => string;
  /** Replaces names and addresses of the stage by those of the page, in a transcript. */
  readonly show?: (output: string) => string;
  /** Prepares the machines for a block. */
  readonly prepare?: (block: string, machine: string, run: RunScript) => Promise<void>;
}

/** A kind of stage. Its name is also the kind of its configuration: `git` of `yaml git`. */
interface StageKind {
  /** The kinds of blocks that the stage runs, such as `trainer` of `sh trainer`. Each has a folder of this name. */
  readonly machines: readonly string[];
  /** Starts the servers, and fills the machines' folders below `root`. */
  readonly open: (root: string) => Promise<Stage>;
}

export const STAGES = {
  git: { machines: ["trainer", "bot"], open: openGit },
  runpod: { machines: ["runpod"], open: openRunPod },
  "github-actions": { machines: ["github-actions"], open: openGitHubActions },
  huggingface: { machines: ["huggingface", "backend"], open: openHub },
  references: { machines: ["references"], open: openReferences },
  keys: { machines: ["keys"], open: openKeys },
  init: { machines: ["init"], open: openEmpty },
} as const satisfies Readonly<Record<string, StageKind>>;

export type StageName = keyof typeof STAGES;

const GIT_YAML = guide("git-registry.md").block("yaml git");
const REFERENCES_YAML = guide("references.md").block("yaml references");

const NOTHING_TO_CLOSE = () => Promise.resolve();

function openGit(root: string): Promise<Stage> {
  const registry = bareRepository(join(root, "registry.git"));
  writeFiles(join(root, "trainer"), { "models/BTC_USDC/rf.bin": "one", "models/ETH_USDC/rf.bin": "two" });
  let published = 0;
  const publish = async (run: RunScript) => {
    if (published > 0) {
      writeFiles(join(root, "trainer"), { "models/BTC_USDC/rf.bin": `one, better ${published}` });
    }
    await run("trainer", "model-sync publish --skip-training");
  };
  return Promise.resolve({
    env: { ...GIT_ENV, GITHUB_TOKEN: "not needed for a path" },
    standard: GIT_YAML,
    adapt: (text) => text.replaceAll(REGISTRY_URL, registry),
    show: (output) => output.replaceAll(registry, REGISTRY_URL),
    async prepare(block, machine, run) {
      if (/model-sync publish --skip-training/.test(block)) published++;
      if (machine !== "bot" || /model-sync doctor/.test(block)) return;
      const pulls = /model-sync pull/.test(block);
      if (published === 0 || /model-sync rollback/.test(block)) {
        await publish(run);
        published++;
        if (!pulls) await run("bot", "model-sync pull");
      }
    },
    [Symbol.asyncDispose]: NOTHING_TO_CLOSE,
  });
}

async function openRunPod(root: string): Promise<Stage> {
  const world = new RunPodWorld(join(root, "other-side"));
  await world.offer({ "BTC_USDC/rf.bin": "one" }, 1);
  return {
    env: { RUNPOD_API_KEY: world.api.apiKey, MODEL_SYNC_RUNPOD_POLL_INTERVAL_SEC: "1" },
    adapt: (text) =>
      text.replaceAll("https://api.runpod.ai/v2/ENDPOINT_ID", `${world.api.origin}/v2/ep1`)
        .replace("--endpoint ENDPOINT_ID", `--endpoint ${world.api.origin}/v2/ep1/run`),
    [Symbol.asyncDispose]: () => world[Symbol.asyncDispose](),
  };
}

async function openGitHubActions(root: string): Promise<Stage> {
  const github = startGitHubServer(systemClock);
  const otherSide = join(root, "other-side");
  writeFiles(otherSide, { "rf.bin": "one" });
  const archive = join(otherSide, "archive.zip");
  await writeZip(testContext(), archive, [{
    path: "BTC_USDC/rf.bin",
    location: join(otherSide, "rf.bin"),
  }]);
  await github.addArtifact(github.addRun(), {
    name: "trained-models-1",
    content: Deno.readFileSync(archive),
  });
  return {
    env: github.env,
    adapt: (text) =>
      text.replace("owner: you", `owner: ${OWNER}`).replace("you/your-bot", `${OWNER}/${REPOSITORY}`)
        .replace("your-bot", REPOSITORY),
    [Symbol.asyncDispose]: () => github[Symbol.asyncDispose](),
  };
}

function openHub(root: string): Promise<Stage> {
  const otherSide = join(root, "other-side");
  Deno.mkdirSync(otherSide, { recursive: true });
  const hub = new HubServer(otherSide);
  writeFiles(join(root, "huggingface"), { "models/BTC_USDC/rf.bin": "one" });
  return Promise.resolve({
    env: { HF_ENDPOINT: hub.endpoint, HF_TOKEN: hub.token },
    adapt: (text) => text,
    [Symbol.asyncDispose]: () => hub[Symbol.asyncDispose](),
  });
}

function openReferences(): Promise<Stage> {
  const world = new ReferencesWorld({ dir: tempDir() });
  const vitL = (version: string, sha256sum: string) => ({
    name: "ViT-L/14",
    version,
    config: { files: [{ path: "ViT-L-14.pt", sha256sum }] },
  });
  const unchanged = JSON.stringify({ Deliberate: { name: "Deliberate" } });
  const clip = { "ViT-L/14": vitL("1", "b4f1"), old: { name: "old", version: "1" } };
  world.commit(world.images, { "clip.json": JSON.stringify(clip), "stable_diffusion.json": unchanged });
  world.commit(world.texts, { "README.md": "none yet" });
  world.primary.records.set("image_generation", unchanged).set(
    "clip",
    JSON.stringify({ "ViT-H-14": { name: "ViT-H-14", version: "1" }, "ViT-L/14": vitL("2", "65ae") }),
  );
  const { HORDE_GITHUB_SYNC_PRIMARY_API_URL: _url, ...env } = world.env;
  return Promise.resolve({
    env: { ...GIT_ENV, ...env },
    standard: REFERENCES_YAML,
    show: (output) => output.replaceAll("Haidra-Org/", "your-fork/"),
    adapt: (text) =>
      text.replaceAll("your-fork", "Haidra-Org").replace(
        "https://models.aihorde.net/api",
        world.primary.origin,
      ),
    [Symbol.asyncDispose]: () => world[Symbol.asyncDispose](),
  });
}

function openKeys(root: string): Promise<Stage> {
  writeFiles(join(root, "keys"), { "models/BTC_USDC/rf.bin": "one" });
  return openEmpty();
}

function openEmpty(): Promise<Stage> {
  return Promise.resolve({ env: GIT_ENV, adapt: (text) => text, [Symbol.asyncDispose]: NOTHING_TO_CLOSE });
}
