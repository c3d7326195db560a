import { join } from "node:path";
import { hashFile } from "../../lib/core/hash.ts";
import { HubServer } from "../fakes/hub_server.ts";
import { REPO } from "../helpers/hub_machines.ts";
import type { Result } from "./bench.ts";
import { measure, measureCli, measureShell, median } from "./measure.ts";
import { ms, seconds } from "./publish_scenarios.ts";
import { MIB, writeModels, writeRandomFile } from "./world.ts";

/** What issue and README promise for transfers of any size. */
const MEMORY_BYTES_MAX = 250e6;

/** A hub in this process, and two machines that are configured for it. */
class HubWorld implements AsyncDisposable {
  readonly server: HubServer;
  readonly trainer: string;
  readonly bot: string;

  constructor(root: string) {
    const objects = join(root, "objects");
    Deno.mkdirSync(objects, { recursive: true });
    this.server = new HubServer(objects);
    [this.trainer, this.bot] = [join(root, "trainer"), join(root, "bot")];
    for (const machine of [this.trainer, this.bot]) {
      Deno.mkdirSync(join(machine, "configs"), { recursive: true });
      Deno.writeTextFileSync(
        join(machine, "configs/bot.yaml"),
        `model_sync: {huggingface: {repo_id: ${REPO}}}\n`,
      );
      const { endpoint, token } = this.server;
      Deno.writeTextFileSync(join(machine, ".env"), `HF_ENDPOINT=${endpoint}\nHF_TOKEN=${token}\n`);
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.server[Symbol.asyncDispose]();
  }
}

/** A pull when nothing is new, with 2 GiB of models. */
export async function hubPullUnchanged(dir: string): Promise<Result[]> {
  await using world = new HubWorld(dir);
  writeModels(join(world.trainer, "models"), 20, 100 * MIB);
  await measureCli(world.trainer, "hf-upload");
  await measureCli(world.bot, "hf-pull");
  const [ours, theirs, requests]: [number[], number[], number[]] = [[], [], []];
  for (let round = 0; round < 7; round++) {
    world.server.requests.splice(0);
    ours.push((await measureCli(world.bot, "hf-pull")).wallMs);
    requests.push(world.server.requests.length);
    theirs.push((await measure(dir, [Deno.execPath(), "eval", "1"])).wallMs);
  }
  const most = Math.max(...requests);
  return [{
    what: "hf-pull with nothing new, 2 GiB of models",
    ours: ms(median(ours)),
    theirs: `\`deno eval 1\`: ${ms(median(theirs))}`,
    ratio: `${most} request, ${(median(ours) / median(theirs)).toFixed(1)} times the start-up`,
    wanted: "one request, nothing hashed: under 0.5 s",
    kept: most === 1 && median(ours) < 500,
  }];
}

/** One file of 4 GiB, verified on the way. */
export async function hubPullLarge(dir: string): Promise<Result[]> {
  await using world = new HubWorld(dir);
  const file = join(dir, "large.safetensors");
  writeRandomFile(file, 4096 * MIB);
  const { sha256 } = await hashFile(Deno, file, { signal: new AbortController().signal });
  world.server.commitLarge(REPO, "large.safetensors", file, sha256);
  const url = `${world.server.endpoint}/${REPO}/resolve/main/large.safetensors`;
  const theirs = await measureShell(dir, `curl -sfL -o by-hand '${url}' && sync -f by-hand && rm by-hand`);
  const ours = await measureCli(world.bot, "hf-pull");
  const ratio = theirs.wallMs / ours.wallMs;
  const peakBytes = ours.peakKiB * 1024;
  return [{
    what: "hf-pull of one file of 4 GiB, verified",
    ours: seconds(ours.wallMs),
    theirs: `\`curl -o\`, unverified: ${seconds(theirs.wallMs)}`,
    ratio: `${ratio.toFixed(2)} times as fast`,
    wanted: "0.8 times",
    kept: ratio >= 0.8,
  }, memory("hf-pull of one file of 4 GiB", peakBytes)];
}

/** 2 GiB of new models: one file in parts, others whole. */
export async function hubUpload(dir: string): Promise<Result[]> {
  await using world = new HubWorld(dir);
  world.server.partBytes = 512 * MIB;
  writeModels(join(world.trainer, "models"), 4, 256 * MIB);
  writeRandomFile(join(world.trainer, "models/large.bin"), 1024 * MIB);
  const theirs = await measureShell(
    world.trainer,
    "find models -type f | xargs sha256sum > sums && cat models/*/* models/*.bin | sha256sum",
  );
  const ours = await measureCli(world.trainer, "hf-upload");
  return [{
    what: "hf-upload of 2 GiB of new models",
    ours: seconds(ours.wallMs),
    theirs: `\`sha256sum\` of them, twice: ${seconds(theirs.wallMs)}`,
    ratio: `${(ours.wallMs / theirs.wallMs).toFixed(1)} times the time`,
    wanted: "",
    kept: true,
  }, memory("hf-upload of 2 GiB", ours.peakKiB * 1024)];
}

function memory(what: string, peakBytes: number): Result {
  return {
    what: `peak memory of ${what}`,
    ours: `${Math.round(peakBytes / 1e6)} MB`,
    theirs: "",
    ratio: "",
    wanted: "under 250 MB",
    kept: peakBytes < MEMORY_BYTES_MAX,
  };
}
