import { join } from "node:path";
import * as z from "zod";
import { writeZip } from "../../lib/archive/zip_writer.ts";
import { systemClock } from "../../lib/core/clock.ts";
import { type GitHubServer, OWNER, REPOSITORY, startGitHubServer } from "../../fakes/github_server.ts";
import { testContext } from "../helpers/test_context.ts";
import { writeModel } from "./model_writer.ts";
import { memoryRow } from "./pull_scenarios.ts";
import { GIB, median, MIB, ms, seconds, size } from "./units.ts";
import type { Workbench } from "./workbench.ts";

const PulledReport = z.object({ outcome: z.string(), writtenBytes: z.number() });

/** A pull of a release that is active already: what it requests, what it reads, how long it takes. */
export async function artifactUnchanged(bench: Workbench): Promise<void> {
  await using github = startGitHubServer(systemClock);
  const bytes = bench.scale.bytes(GIB);
  const bot = await makeBot(bench, bench.dir, github, bytes);
  await pull(bench, bot);
  github.requests.length = 0;
  github.blobs.requests.length = 0;
  const rounds = bench.scale.rounds(9);
  const runs: number[] = [];
  const cpu: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const measured = await pull(bench, bot);
    if (measured.report.outcome !== "unchanged") {
      throw new Error(`the pull of an active artifact ended as ${measured.report.outcome}`);
    }
    runs.push(measured.wallMs);
    cpu.push(measured.cpuMs);
  }
  const statuses = github.requests.map(({ status }) => status);
  const isAllConditional = statuses.every((status) => status === 304) && github.blobs.requests.length === 0;
  bench.report({
    what: `artifact-pull with nothing new, ${size(bytes)} of models`,
    ours: ms(median(runs)),
    theirs: "",
    ratio: `conditional requests per pull: ${statuses.length / rounds}, ${
      Math.round(median(cpu))
    } ms of processor time`,
    wanted: "one conditional request, nothing hashed: under half a second of processor time",
    kept: isAllConditional && statuses.length === rounds && median(cpu) < HASHING_MS,
  });
}

/** Reading and hashing 1 GiB takes a processor at least this long. */
const HASHING_MS = 500;

/** Peak memory of a pull, for artifacts of very different sizes. */
export async function artifactMemory(bench: Workbench): Promise<void> {
  const peaks = new Map<number, number>();
  let last = "";
  for (const bytes of bench.scale.sizes([16 * MIB, 512 * MIB, 4 * GIB])) {
    await using github = startGitHubServer(systemClock);
    const root = join(bench.dir, String(bytes));
    const measured = await pull(bench, await makeBot(bench, root, github, bytes));
    peaks.set(bytes, measured.peakKiB / 1024);
    last = `${size(bytes)} in ${seconds(measured.wallMs)}`;
    Deno.removeSync(root, { recursive: true });
  }
  const row = memoryRow("peak memory of artifact-pull", peaks, 250e6);
  bench.report({ ...row, ratio: `${row.ratio}; ${last}` });
}

/** Uploads an artifact of one incompressible model, and configures a bot that pulls it. @returns the bot's folder */
async function makeBot(
  bench: Workbench,
  root: string,
  github: GitHubServer,
  bytes: number,
): Promise<string> {
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
  const [model, archive] = [join(root, "model.safetensors"), join(root, "artifact.zip")];
  await writeModel(model, bytes, bench.signal);
  await writeZip(testContext({ signal: bench.signal }), archive, [{
    path: "model.safetensors",
    location: model,
  }]);
  Deno.removeSync(model);
  await github.addArtifact(github.addRun(), { name: "trained-models", content: { file: archive } });
  return bot;
}

async function pull(bench: Workbench, bot: string) {
  const measured = await bench.cli(bot, "artifact-pull", "--json");
  return { ...measured, report: PulledReport.parse(JSON.parse(measured.stdout)) };
}
