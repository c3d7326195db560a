import { dirname, join } from "node:path";
import { writeModel } from "./model_writer.ts";
import { median, ms, seconds, size } from "./units.ts";
import type { Measured, Workbench } from "./workbench.ts";
import { CHANGED_MODEL, makeWorld, modelPaths } from "./world.ts";

/** Writes models of 1 to 10 KiB. @returns their bytes */
async function writeSmallModels(modelsDir: string, count: number, signal: AbortSignal): Promise<number> {
  let bytes = 0;
  for (const [index, path] of modelPaths(count).entries()) {
    const modelBytes = 1024 + (index * 7919) % (9 * 1024);
    Deno.mkdirSync(join(modelsDir, dirname(path)), { recursive: true });
    await writeModel(join(modelsDir, path), modelBytes, signal);
    bytes += modelBytes;
  }
  return bytes;
}

/** Very many small files, of an installation: the first pull, pulls after one change, a rollback and a check of every byte. */
export async function pullSmallFiles(bench: Workbench): Promise<void> {
  const { trainer, bot, registry } = makeWorld(bench.dir);
  const count = bench.scale.count(50_000);
  const bytes = await writeSmallModels(join(trainer, "models"), count, bench.signal);
  const program = await bench.install();
  const files = `${count.toLocaleString("en-US")} files of 1 to 10 KiB`;
  await bench.run(trainer, [program, "publish"]);
  const hand = join(bench.dir, "hand");
  Deno.mkdirSync(hand);
  await bench.shell(
    hand,
    `git init -q -b main registry && git -C registry remote add origin ${registry} && sync`,
  );
  const first = await bench.run(bot, [program, "pull"]);
  await bench.shell(bench.dir, "sync");
  const byHand = await bench.shell(
    hand,
    "git -C registry pull -q --ff-only origin main && cp -r registry/models models",
  );
  const firstRatio = first.wallMs / byHand.wallMs;
  const rounds = bench.scale.rounds(5);
  const linking: Measured[] = [];
  const pulls: Measured[] = [];
  const statuses: Measured[] = [];
  // The fifth pull removes a release for the first time. The pulls after it assemble theirs in the removed one's folder.
  for (let round = 0; round < rounds * 2; round++) {
    await writeModel(join(trainer, "models", CHANGED_MODEL), 2048 + round, bench.signal);
    await bench.run(trainer, [program, "publish"]);
    await bench.shell(bench.dir, "sync");
    (round < rounds ? linking : pulls).push(await bench.run(bot, [program, "pull"]));
    statuses.push(await bench.shell(join(hand, "registry"), "git status"));
  }
  const wallMs = (runs: readonly Measured[]) => median(runs.map((run) => run.wallMs));
  const beyondMs = wallMs(pulls) - wallMs(statuses);
  const unchanged = await bench.run(bot, [program, "pull"]);
  const verified = await bench.run(bot, [program, "verify", "--deep"]);
  const rolledBack = await bench.run(bot, [program, "rollback"]);
  const peakMb = Math.max(...[first, ...linking, ...pulls].map(({ peakKiB }) => peakKiB * 1024 / 1e6));
  bench.report(
    {
      what: `first pull of ${files}, ${size(bytes)}`,
      ours: seconds(first.wallMs),
      theirs: `\`git pull\`, \`cp -r\`, neither checked nor synced: ${seconds(byHand.wallMs)}`,
      ratio: `${firstRatio.toFixed(1)} times the time`,
      wanted: "the same time",
      kept: firstRatio <= 1,
    },
    {
      what: `pull after 1 of ${files} changed`,
      ours: ms(wallMs(pulls)),
      theirs: `\`git status\`: ${ms(wallMs(statuses))}`,
      ratio: `\`git status\` plus ${ms(beyondMs)}`,
      wanted: "`git status` plus 300 ms",
      kept: beyondMs <= 300,
    },
    {
      what: "the same in the first five pulls, before the store removes a release",
      ours: ms(wallMs(linking)),
      theirs: "",
      ratio: "",
      wanted: "",
    },
    {
      what: "peak memory of these pulls",
      ours: `${Math.round(peakMb)} MB`,
      theirs: "",
      ratio: "",
      wanted: "under 200 MB",
      kept: peakMb < 200,
    },
    {
      what: `pull with nothing new, rollback and \`verify --deep\` of ${files}`,
      ours: [unchanged, rolledBack, verified].map((run) => ms(run.wallMs)).join(", "),
      theirs: "",
      ratio: "",
      wanted: "",
    },
  );
}
