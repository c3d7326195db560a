import { join } from "node:path";
import { bareRepository, clone, git } from "../helpers/test_git.ts";
import { median, MIB, ms, seconds, size } from "./units.ts";
import type { Workbench } from "./workbench.ts";
import { makeWorld, writeModels } from "./world.ts";

const MODELS = 8;

/** Models that do not compress, to a new local bare repository. */
export async function publishNew(bench: Workbench): Promise<void> {
  const ours: number[] = [];
  const theirs: number[] = [];
  const bytes = bench.scale.bytes(32 * MIB);
  for (let round = 0; round < bench.scale.rounds(3); round++) {
    const root = join(bench.dir, String(round));
    const { trainer } = makeWorld(root);
    await writeModels(join(trainer, "models"), MODELS, bytes, bench.signal);
    const repository = clone(bareRepository(join(root, "by-hand.git")), join(root, "by-hand"));
    git(root, "-C", repository, "config", "user.name", "Ada");
    ours.push((await bench.cli(trainer, "publish")).wallMs);
    await bench.shell(repository, `cp -r ${join(trainer, "models")} ${repository}`);
    const byHand = "git add -A && git commit -qm models && git push -q origin main";
    theirs.push((await bench.shell(repository, byHand)).wallMs);
    Deno.removeSync(root, { recursive: true });
  }
  const ratio = median(theirs) / median(ours);
  bench.report({
    what: `publish ${size(MODELS * bytes)} of new models`,
    ours: seconds(median(ours)),
    theirs: `\`git add\`, \`commit\`, \`push\`: ${seconds(median(theirs))}`,
    ratio: `${ratio.toFixed(1)} times faster`,
    wanted: "4 times faster",
    kept: ratio >= 4,
  });
}

/** Many files, none of them changed. */
export async function publishUnchanged(bench: Workbench): Promise<void> {
  const single = makeWorld(join(bench.dir, "single")).trainer;
  const many = makeWorld(join(bench.dir, "many")).trainer;
  const count = bench.scale.count(20_000);
  await writeModels(join(single, "models"), 1, 1024, bench.signal);
  await writeModels(join(many, "models"), count, 1024, bench.signal);
  for (const trainer of [single, many]) await bench.cli(trainer, "publish");
  // Timestamps of files that were written a moment ago are not trusted yet.
  await bench.pause(3000);
  for (const trainer of [single, many]) await bench.cli(trainer, "publish");
  const start: number[] = [];
  const ours: number[] = [];
  const theirs: number[] = [];
  for (let round = 0; round < bench.scale.rounds(15); round++) {
    start.push((await bench.cli(single, "publish")).wallMs);
    ours.push((await bench.cli(many, "publish")).wallMs);
    theirs.push((await bench.shell(join(many, ".model-sync/registry"), "git status")).wallMs);
  }
  const ratio = (median(ours) - median(start)) / median(theirs);
  bench.report({
    what: `publish ${count.toLocaleString("en-US")} unchanged files`,
    ours: `${ms(median(ours))}, of which start-up ${ms(median(start))}`,
    theirs: `\`git status\`: ${ms(median(theirs))}`,
    ratio: `${ratio.toFixed(1)} times \`git status\`, plus start-up`,
    wanted: "1.5 times",
    kept: ratio <= 1.5,
  });
}
