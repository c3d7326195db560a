import { join } from "node:path";
import { z } from "zod";
import { writeZip } from "../../lib/core/archive.ts";
import { systemClock } from "../../lib/core/clock.ts";
import { type GitHubServer, OWNER, REPOSITORY, startGitHubServer } from "../fakes/github_server.ts";
import { testContext } from "../helpers/test_context.ts";
import type { Result } from "./bench.ts";
import { measureCli, median } from "./measure.ts";
import { ms, seconds } from "./publish_scenarios.ts";
import { MIB, writeRandomFile } from "./world.ts";

const PulledReport = z.object({ outcome: z.string(), writtenBytes: z.number() });

/** A pull of a release of 1 GiB that is active already: what it asks, what it reads, how long it takes. */
export async function artifactUnchanged(dir: string): Promise<Result[]> {
  await using github = startGitHubServer(systemClock);
  const bot = await makeBot(dir, github, 1024);
  await pull(bot);
  github.requests.length = 0;
  github.blobs.requests.length = 0;
  const rounds = 9;
  const runs: number[] = [];
  const cpu: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const measured = await pull(bot);
    if (measured.report.outcome !== "unchanged") throw new Error(`the pull ${measured.report.outcome}`);
    runs.push(measured.wallMs);
    cpu.push(measured.cpuMs);
  }
  const statuses = github.requests.map(({ status }) => status);
  const isAllConditional = statuses.every((status) => status === 304) && github.blobs.requests.length === 0;
  return [{
    what: "artifact-pull of 1 GiB that is active already",
    ours: ms(median(runs)),
    theirs: "",
    ratio: `${statuses.length / rounds} conditional requests a pull, ${
      Math.round(median(cpu))
    } ms of processor time`,
    wanted: "one conditional request, nothing hashed: under half a second of processor time",
    kept: isAllConditional && statuses.length === rounds && median(cpu) < HASHING_MS,
  }];
}

/** Reading and hashing 1 GiB takes a processor at least this long. */
const HASHING_MS = 500;

/** Peak memory of a pull, for artifacts of very different sizes. */
export async function artifactMemory(dir: string): Promise<Result[]> {
  const peaks = new Map<number, number>();
  let lastMs = NaN;
  for (const sizeMib of [16, 512, 4096]) {
    await using github = startGitHubServer(systemClock);
    const root = join(dir, String(sizeMib));
    const measured = await pull(await makeBot(root, github, sizeMib));
    peaks.set(sizeMib, measured.peakKiB / 1024);
    lastMs = measured.wallMs;
    Deno.removeSync(root, { recursive: true });
  }
  const most = Math.max(...peaks.values());
  return [{
    what: "peak memory of artifact-pull",
    ours: [...peaks].map(([size, peak]) => `${size} MiB: ${Math.round(peak)} MiB`).join(", "),
    theirs: "",
    ratio: `4 GiB in ${seconds(lastMs)}`,
    wanted: "under 250 MB for 4 GiB, flat",
    kept: most * MIB < 250e6,
  }];
}

/** Uploads an artifact of one incompressible model, and configures a bot that pulls it. @returns the bot's folder */
async function makeBot(root: string, github: GitHubServer, sizeMib: number): Promise<string> {
  const bot = join(root, "bot");
  Deno.mkdirSync(join(bot, "configs"), { recursive: true });
  const artifacts = {
    owner: OWNER,
    repository: REPOSITORY,
    workflow: "train_models.yml",
    min_interval_minutes: 0,
  };
  Deno.writeTextFileSync(join(bot, "configs/bot.yaml"), JSON.stringify({ model_sync: { artifacts } }));
  Deno.writeTextFileSync(
    join(bot, ".env"),
    Object.entries(github.env).map(([name, value]) => `${name}=${value}\n`).join(""),
  );
  const [model, archive] = [join(root, "model.bin"), join(root, "artifact.zip")];
  writeRandomFile(model, sizeMib * MIB);
  await writeZip(testContext(), archive, [{ path: "model.bin", location: model }]);
  await github.addArtifact(github.addRun(), { name: "trained-models", content: { file: archive } });
  return bot;
}

async function pull(bot: string) {
  const measured = await measureCli(bot, "artifact-pull", "--json");
  return { ...measured, report: PulledReport.parse(JSON.parse(measured.stdout)) };
}
