import { join } from "node:path";
import { clone } from "../helpers/test_git.ts";
import { writeModel } from "./model_writer.ts";
import type { Result } from "./table.ts";
import { median, MIB, ms, seconds, size } from "./units.ts";
import type { Measured, Workbench } from "./workbench.ts";
import { type BenchWorld, CHANGED_MODEL, makeWorld, writeModels } from "./world.ts";

/** One of many models changed. */
export async function pullOneChanged(bench: Workbench): Promise<void> {
  const { trainer, bot, registry } = makeWorld(bench.dir);
  const [count, bytes] = [bench.scale.count(200), bench.scale.bytes(10 * MIB)];
  await writeModels(join(trainer, "models"), count, bytes, bench.signal);
  await bench.cli(trainer, "publish");
  await bench.cli(bot, "pull");
  const hand = join(bench.dir, "hand");
  Deno.mkdirSync(hand);
  clone(registry, join(hand, "registry"));
  const byHand =
    "git -C registry pull -q --ff-only && rm -rf models && cp -r registry/models models && sync -f models";
  await bench.shell(hand, "cp -r registry/models models");
  const ours: Measured[] = [];
  const theirs: Measured[] = [];
  for (let round = 0; round < bench.scale.rounds(5); round++) {
    await writeModel(join(trainer, "models", CHANGED_MODEL), bytes, bench.signal);
    await bench.cli(trainer, "publish");
    await bench.shell(bench.dir, "sync");
    ours.push(await bench.cli(bot, "pull"));
    theirs.push(await bench.shell(hand, byHand));
  }
  const wallMs = (runs: readonly Measured[]) => median(runs.map((run) => run.wallMs));
  const written = (runs: readonly Measured[]) => median(runs.map((run) => run.writtenBytes));
  const ratio = wallMs(theirs) / wallMs(ours);
  const writtenRatio = written(ours) / bytes;
  bench.report(
    {
      what: `pull after 1 of ${count} files changed, ${size(count * bytes)}`,
      ours: ms(wallMs(ours)),
      theirs: `\`git pull\`, \`rm -rf\`, \`cp -r\`: ${seconds(wallMs(theirs))}`,
      ratio: `${ratio.toFixed(1)} times faster`,
      wanted: "5 times faster",
      kept: ratio >= 5,
    },
    {
      what: "bytes that this pull writes to disk",
      ours: size(written(ours)),
      theirs: size(written(theirs)),
      ratio: `${writtenRatio.toFixed(1)} times the changed file of ${size(bytes)}`,
      wanted: "about its size: it passes through git's objects once",
      kept: writtenRatio < 2.5,
    },
  );
}

/** A first pull from a registry with a long history and from one with a short one. */
export async function firstClone(bench: Workbench): Promise<void> {
  const releases = bench.scale.count(100);
  const short = makeWorld(join(bench.dir, "short"));
  const long = makeWorld(join(bench.dir, "long"));
  await publishReleases(bench, short, 2);
  await publishReleases(bench, long, releases);
  const times = new Map<BenchWorld, number[]>([[short, []], [long, []]]);
  for (let round = 0; round < bench.scale.rounds(5); round++) {
    for (const [world, runs] of times) {
      Deno.removeSync(join(world.bot, "models"), { recursive: true });
      Deno.removeSync(join(world.bot, ".model-sync"), { recursive: true });
      runs.push((await bench.cli(world.bot, "pull")).wallMs);
    }
  }
  const [fast = NaN, slow = NaN] = [...times.values()].map(median);
  const ratio = slow / fast;
  bench.report({
    what: `first pull from a registry with ${releases} releases`,
    ours: ms(slow),
    theirs: `with 2 releases: ${ms(fast)}`,
    ratio: `${ratio.toFixed(2)} times the time`,
    wanted: "the same (within a tenth)",
    kept: ratio <= 1.1,
  });
}

/** Releases of a few models, of which one changes each time. */
async function publishReleases(
  bench: Workbench,
  { trainer, bot }: BenchWorld,
  releases: number,
): Promise<void> {
  const bytes = bench.scale.bytes(MIB);
  await writeModels(join(trainer, "models"), bench.scale.count(20), bytes, bench.signal);
  for (let release = 1; release <= releases; release++) {
    await writeModel(join(trainer, "models", CHANGED_MODEL), bytes, bench.signal);
    await bench.cli(trainer, "publish");
  }
  await bench.cli(bot, "pull");
}

/** Peak memory of publish and pull, for sets of very different sizes. */
export async function memoryOfPublishAndPull(bench: Workbench): Promise<void> {
  const count = bench.scale.count(20);
  const sizes = bench.scale.sizes([MIB / 2, 10 * MIB, 100 * MIB]);
  const peaks = { publish: new Map<number, number>(), pull: new Map<number, number>() };
  for (const [index, bytes] of sizes.entries()) {
    const root = join(bench.dir, String(index));
    const { trainer, bot } = makeWorld(root);
    await writeModels(join(trainer, "models"), count, bytes, bench.signal);
    peaks.publish.set(count * bytes, (await bench.cli(trainer, "publish")).peakKiB / 1024);
    peaks.pull.set(count * bytes, (await bench.cli(bot, "pull")).peakKiB / 1024);
    Deno.removeSync(root, { recursive: true });
  }
  bench.report(
    memoryRow("peak memory of publish, largest process", peaks.publish, 200e6),
    memoryRow("peak memory of pull, largest process", peaks.pull, 200e6),
  );
}

/** The tolerance for constant memory: V8 uses up to a quarter more when it has more to do. */
const FLAT = 1.25;

/** The row for peaks in MiB by the bytes of the models. */
export function memoryRow(what: string, peaks: ReadonlyMap<number, number>, bytesMax: number): Result {
  const sizes = [...peaks.keys()];
  const [least, most] = [Math.min(...peaks.values()), Math.max(...peaks.values())];
  return {
    what,
    ours: [...peaks].map(([bytes, peak]) => `${size(bytes)}: ${Math.round(peak)} MiB`).join(", "),
    theirs: "",
    ratio: `${(most / least).toFixed(2)} times from ${size(Math.min(...sizes))} to ${
      size(Math.max(...sizes))
    }`,
    wanted: `under ${bytesMax / 1e6} MB, flat`,
    kept: most * MIB < bytesMax && most / least < FLAT,
  };
}
