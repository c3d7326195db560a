import { join } from "node:path";
import { clone } from "../helpers/test_git.ts";
import type { Result } from "./bench.ts";
import { measureCli, type Measured, measureShell, median } from "./measure.ts";
import { ms, seconds } from "./publish_scenarios.ts";
import { type BenchWorld, makeWorld, MIB, writeModels, writeRandomFile } from "./world.ts";

const ROUNDS = 5;

/** One of 200 files changed, in a set of 2 GiB. */
export async function pullOneChanged(dir: string): Promise<Result[]> {
  const { trainer, bot, registry } = makeWorld(dir);
  const bytes = 10 * MIB;
  writeModels(join(trainer, "models"), 200, bytes);
  await measureCli(trainer, "publish");
  await measureCli(bot, "pull");
  const hand = join(dir, "hand");
  Deno.mkdirSync(hand);
  clone(registry, join(hand, "registry"));
  const byHand =
    "git -C registry pull -q --ff-only && rm -rf models && cp -r registry/models models && sync -f models";
  await measureShell(hand, "cp -r registry/models models");
  const ours: Measured[] = [];
  const theirs: Measured[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    writeRandomFile(join(trainer, "models/symbol_0/model_7.bin"), bytes);
    await measureCli(trainer, "publish");
    await measureShell(dir, "sync");
    ours.push(await measureCli(bot, "pull"));
    theirs.push(await measureShell(hand, byHand));
  }
  const [our, their] = [median(ours.map((run) => run.wallMs)), median(theirs.map((run) => run.wallMs))];
  const [written, theirWritten] = [ours, theirs].map((runs) => median(runs.map((run) => run.writtenBytes)));
  const writtenRatio = (written ?? NaN) / bytes;
  return [
    {
      what: "pull after 1 of 200 files changed, 2 GiB",
      ours: ms(our),
      theirs: `\`git pull\`, \`rm -rf\`, \`cp -r\`: ${seconds(their)}`,
      ratio: `${(their / our).toFixed(1)} times faster`,
      wanted: "5 times faster",
      kept: their / our >= 5,
    },
    {
      what: "bytes that this pull writes to disk",
      ours: mib(written ?? NaN),
      theirs: mib(theirWritten ?? NaN),
      ratio: `${writtenRatio.toFixed(1)} times the changed file of ${mib(bytes)}`,
      wanted: "about its size: it passes through git's objects once",
      kept: writtenRatio < 2.5,
    },
  ];
}

/** A first pull from a registry with a long history and from one with a short one. */
export async function firstClone(dir: string): Promise<Result[]> {
  const [short, long] = [2, 200].map((releases) => ({
    releases,
    world: makeWorld(join(dir, String(releases))),
  }));
  if (short === undefined || long === undefined) throw new Error("no worlds");
  for (const { world, releases } of [short, long]) await publishReleases(world, releases);
  const times = new Map<BenchWorld, number[]>([[short.world, []], [long.world, []]]);
  for (let round = 0; round < ROUNDS; round++) {
    for (const [world, runs] of times) {
      Deno.removeSync(join(world.bot, "models"), { recursive: true });
      Deno.removeSync(join(world.bot, ".model-sync"), { recursive: true });
      runs.push((await measureCli(world.bot, "pull")).wallMs);
    }
  }
  const [fast, slow] = [...times.values()].map(median);
  const ratio = (slow ?? NaN) / (fast ?? NaN);
  return [{
    what: "first pull, 200 releases of history and 2",
    ours: ms(slow ?? NaN),
    theirs: `with 2 releases: ${ms(fast ?? NaN)}`,
    ratio: `${ratio.toFixed(2)} times the time`,
    wanted: "the same (within a tenth)",
    kept: ratio <= 1.1,
  }];
}

/** Releases of 20 files of 1 MiB, of which one changes each time. */
async function publishReleases({ trainer, bot }: BenchWorld, releases: number): Promise<void> {
  writeModels(join(trainer, "models"), 20, MIB);
  for (let release = 1; release <= releases; release++) {
    writeRandomFile(join(trainer, "models/symbol_0/model_7.bin"), MIB);
    await measureCli(trainer, "publish");
  }
  await measureCli(bot, "pull");
}

/** Peak memory of publish and pull, for sets of very different sizes. */
export async function memoryOfPublishAndPull(dir: string): Promise<Result[]> {
  const peaks = { publish: new Map<number, number>(), pull: new Map<number, number>() };
  for (const sizeMib of [10, 200, 2048]) {
    const root = join(dir, String(sizeMib));
    const { trainer, bot } = makeWorld(root);
    writeModels(join(trainer, "models"), 20, sizeMib / 20 * MIB);
    peaks.publish.set(sizeMib, (await measureCli(trainer, "publish")).peakKiB / 1024);
    peaks.pull.set(sizeMib, (await measureCli(bot, "pull")).peakKiB / 1024);
    Deno.removeSync(root, { recursive: true });
  }
  return Object.entries(peaks).map(([command, bySize]) => {
    const all = [...bySize.values()];
    const [least, most] = [Math.min(...all), Math.max(...all)];
    return {
      what: `peak memory of ${command}, largest process`,
      ours: [...bySize].map(([size, peak]) => `${size} MiB: ${Math.round(peak)} MiB`).join(", "),
      theirs: "",
      ratio: `${(most / least).toFixed(2)} times from 10 MiB to 2 GiB`,
      wanted: "under 200 MB, flat",
      kept: most * MIB < 200e6 && most / least < 1.25,
    };
  });
}

function mib(bytes: number): string {
  return `${(bytes / MIB).toFixed(1)} MiB`;
}
