import { join } from "node:path";
import { bareRepository, clone, git } from "../helpers/test_git.ts";
import { SET_FORMATS, writeModel } from "./model_writer.ts";
import { median, MIB, ms, seconds, size } from "./units.ts";
import type { Measured, Workbench } from "./workbench.ts";
import { CHANGED_MODEL, makeWorld, writeModels } from "./world.ts";

const MODELS = 8;

/** The original script: mirrors the models into its clone, and commits and pushes them with git's defaults. */
const SCRIPT =
  'rm -rf models && cp -r "$0" models && git add --all -- models && git commit -qm models && git push -q origin HEAD:main';

/** The best that git can do: no compression, no deltas, all files in one pack, which the registry keeps. */
const BEST_CONFIG = [
  "core.compression=0",
  "core.looseCompression=0",
  "pack.compression=0",
  "pack.window=0",
  "core.bigFileThreshold=1",
  "remote.origin.receivepack=git -c receive.unpackLimit=1 -c core.compression=0 -c gc.auto=0 receive-pack",
].map((setting) => `-c '${setting}'`).join(" ");
const BEST = SCRIPT.replaceAll("git ", `git ${BEST_CONFIG} `);

/** Creates a registry and a clone of it for a script, without the clean-up that git would begin in the background. */
function makeClone(root: string): string {
  const repository = clone(bareRepository(join(root, "by-hand.git")), join(root, "by-hand"));
  git(repository, "config", "user.name", "Ada");
  for (const folder of [repository, join(root, "by-hand.git")]) git(folder, "config", "gc.auto", "0");
  return repository;
}

/** Runs a script in a clone of a new registry. */
async function byHand(bench: Workbench, root: string, script: string, models: string): Promise<Measured> {
  const repository = makeClone(root);
  const measured = await bench.run(repository, ["sh", "-ec", script, models]);
  for (const folder of ["by-hand.git", "by-hand"]) Deno.removeSync(join(root, folder), { recursive: true });
  return measured;
}

/** Models that do not compress, to a new local bare repository. */
export async function publishNew(bench: Workbench): Promise<void> {
  const bytes = bench.scale.bytes(64 * MIB);
  const ours: number[] = [];
  const best: number[] = [];
  const rooms: number[] = [];
  let defaultsMs = NaN;
  for (let round = 0; round < bench.scale.rounds(3); round++) {
    const root = join(bench.dir, String(round));
    const { trainer } = makeWorld(root);
    const models = join(trainer, "models");
    await writeModels(models, MODELS, bytes, bench.signal);
    await bench.shell(root, "sync");
    ours.push((await bench.cli(trainer, "publish")).wallMs);
    rooms.push(await diskBytes(bench, trainer) / await diskBytes(bench, models));
    await bench.shell(root, "sync");
    best.push((await byHand(bench, root, BEST, models)).wallMs);
    // Deltas are tried for each pair of files, which takes minutes.
    if (round === 0) defaultsMs = (await byHand(bench, root, SCRIPT, models)).wallMs;
    Deno.removeSync(root, { recursive: true });
  }
  const ourMs = median(ours);
  const bestRatio = ourMs / median(best);
  const room = median(rooms);
  bench.report(
    {
      what: `publish ${size(MODELS * bytes)} of new models`,
      ours: seconds(ourMs),
      theirs: `\`cp\`, \`git add\`, \`commit\`, \`push\`: ${seconds(defaultsMs)}`,
      ratio: `${(defaultsMs / ourMs).toFixed(1)} times faster`,
      wanted: "10 times faster",
      kept: defaultsMs / ourMs >= 10,
    },
    {
      what: "the same, and git without compression and with one pack",
      ours: seconds(ourMs),
      theirs: `\`cp\`, \`git -c core.compression=0 …\`: ${seconds(median(best))}`,
      ratio: `${bestRatio.toFixed(2)} times the time`,
      wanted: "within 1.6 times",
      kept: bestRatio <= 1.6,
    },
    {
      what: "disk space of a publisher, after its first publish",
      ours: `${room.toFixed(2)} times its models`,
      theirs: "",
      ratio: "",
      wanted: "at most 2.1 times",
      kept: room <= 2.1,
    },
  );
}

async function diskBytes(bench: Workbench, folder: string): Promise<number> {
  const { stdout } = await bench.run(folder, ["du", "-sk", "."]);
  return Number(stdout.split("\t")[0]) * 1024;
}

/** Many small files, of an installation: the first publish, and one after one change. */
export async function publishMany(bench: Workbench): Promise<void> {
  const { trainer } = makeWorld(bench.dir);
  const models = join(trainer, "models");
  const count = bench.scale.count(50_000);
  for (let index = 0; index < count; index++) {
    const folder = join(models, `symbol_${Math.floor(index / 100)}`);
    if (index % 100 === 0) Deno.mkdirSync(folder, { recursive: true });
    const extension = SET_FORMATS[index % SET_FORMATS.length] ?? SET_FORMATS[0];
    await writeModel(join(folder, `model_${index}${extension}`), 1024 + (index * 977) % 9216, bench.signal);
  }
  const program = await bench.install();
  await bench.shell(bench.dir, "sync");
  const ours = await bench.run(trainer, [program, "publish"]);
  await bench.shell(bench.dir, "sync");
  const theirs = await byHand(bench, bench.dir, SCRIPT, models);
  const ratio = ours.wallMs / theirs.wallMs;
  const peakMib = ours.peakKiB / 1024;
  const files = `${count.toLocaleString("en-US")} files of 1 to 10 KiB`;
  bench.report(
    {
      what: `publish ${files} for the first time`,
      ours: seconds(ours.wallMs),
      theirs: `\`cp\`, \`git add\`, \`commit\`, \`push\`: ${seconds(theirs.wallMs)}`,
      ratio: `${ratio.toFixed(2)} times the time`,
      wanted: "at most the time",
      kept: ratio <= 1,
    },
    {
      what: "peak memory of this publish",
      ours: `${Math.round(peakMib)} MiB`,
      theirs: "",
      ratio: "",
      wanted: "under 200 MB",
      kept: peakMib * MIB < 200e6,
    },
  );
  await publishOneChange(bench, { program, trainer, files });
}

async function publishOneChange(
  bench: Workbench,
  { program, trainer, files }: Readonly<Record<"program" | "trainer" | "files", string>>,
): Promise<void> {
  const models = join(trainer, "models");
  const hand = makeClone(bench.dir);
  await bench.run(hand, ["sh", "-ec", SCRIPT, models]);
  // Timestamps of files that were written a moment ago are not trusted yet.
  await bench.pause(3000);
  await bench.run(trainer, [program, "publish"]);
  const ours: number[] = [];
  const theirs: number[] = [];
  for (let round = 0; round < bench.scale.rounds(5); round++) {
    await writeModel(join(models, CHANGED_MODEL), 4096, bench.signal);
    ours.push((await bench.run(trainer, [program, "publish"])).wallMs);
    theirs.push((await bench.shell(hand, "git status")).wallMs);
  }
  const [ourMs, theirMs] = [median(ours), median(theirs)];
  bench.report({
    what: `publish after 1 of ${files} changed`,
    ours: ms(ourMs),
    theirs: `\`git status\`: ${ms(theirMs)}`,
    ratio: `\`git status\` and ${ms(ourMs - theirMs)}`,
    wanted: "`git status` and 300 ms",
    kept: ourMs - theirMs <= 300,
  });
}

/** Many files, none of them changed. */
export async function publishUnchanged(bench: Workbench): Promise<void> {
  const single = makeWorld(join(bench.dir, "single")).trainer;
  await writeModels(join(single, "models"), 1, 1024, bench.signal);
  for (const full of [20_000, 50_000]) {
    const root = join(bench.dir, String(full));
    const many = makeWorld(root).trainer;
    const count = bench.scale.count(full);
    await writeModels(join(many, "models"), count, 1024, bench.signal);
    const hand = makeClone(root);
    await bench.run(hand, ["sh", "-ec", SCRIPT, join(many, "models")]);
    for (const trainer of [single, many]) await bench.cli(trainer, "publish");
    // Timestamps of files that were written a moment ago are not trusted yet.
    await bench.pause(3000);
    for (const trainer of [single, many]) await bench.cli(trainer, "publish");
    await bench.shell(hand, "git status");
    const start: number[] = [];
    const ours: number[] = [];
    const theirs: number[] = [];
    for (let round = 0; round < bench.scale.rounds(9); round++) {
      start.push((await bench.cli(single, "publish")).wallMs);
      ours.push((await bench.cli(many, "publish")).wallMs);
      theirs.push((await bench.shell(hand, "git status")).wallMs);
    }
    const [startMs, ourMs, theirMs] = [median(start), median(ours), median(theirs)];
    const ratio = (ourMs - startMs) / theirMs;
    bench.report({
      what: `publish ${count.toLocaleString("en-US")} unchanged files`,
      ours: `${ms(ourMs)}, of which start-up ${ms(startMs)}`,
      theirs: `\`git status\`: ${ms(theirMs)}`,
      ratio: `${ratio.toFixed(1)} times \`git status\`, plus start-up`,
      wanted: "1.5 times",
      kept: ratio <= 1.5,
    });
  }
}
