import { join } from "node:path";
import { bareRepository, clone, git } from "../helpers/test_git.ts";
import type { Result } from "./bench.ts";
import { measureCli, measureShell, median } from "./measure.ts";
import { makeWorld, MIB, writeModels } from "./world.ts";

/** 512 MiB that do not compress, to a new local bare repository. */
export async function publishNew(dir: string): Promise<Result[]> {
  const ours: number[] = [];
  const theirs: number[] = [];
  for (const round of [1, 2, 3]) {
    const root = join(dir, String(round));
    const { trainer } = makeWorld(root);
    writeModels(join(trainer, "models"), 8, 64 * MIB);
    const repository = clone(bareRepository(join(root, "by-hand.git")), join(root, "by-hand"));
    git(root, "-C", repository, "config", "user.name", "Ada");
    const copy = `cp -r ${join(trainer, "models")} ${repository}`;
    ours.push((await measureCli(trainer, "publish")).wallMs);
    await measureShell(repository, copy);
    const byHand = "git add -A && git commit -qm models && git push -q origin main";
    theirs.push((await measureShell(repository, byHand)).wallMs);
    Deno.removeSync(root, { recursive: true });
  }
  const ratio = median(theirs) / median(ours);
  return [{
    what: "publish 512 MiB of new models",
    ours: seconds(median(ours)),
    theirs: `\`git add\`, \`commit\`, \`push\`: ${seconds(median(theirs))}`,
    ratio: `${ratio.toFixed(1)} times faster`,
    wanted: "4 times faster",
    kept: ratio >= 4,
  }];
}

/** 20,000 files, none of them changed. */
export async function publishUnchanged(dir: string): Promise<Result[]> {
  const [tiny, many] = ["tiny", "many"].map((name) => makeWorld(join(dir, name)).trainer);
  if (tiny === undefined || many === undefined) throw new Error("no worlds");
  writeModels(join(tiny, "models"), 1, 1024);
  writeModels(join(many, "models"), 20_000, 1024);
  for (const trainer of [tiny, many]) await measureCli(trainer, "publish");
  // Times of files that were written a moment ago are not trusted yet.
  await new Promise((done) => setTimeout(done, 3000));
  for (const trainer of [tiny, many]) await measureCli(trainer, "publish");
  const start: number[] = [];
  const ours: number[] = [];
  const theirs: number[] = [];
  for (let round = 0; round < 15; round++) {
    start.push((await measureCli(tiny, "publish")).wallMs);
    ours.push((await measureCli(many, "publish")).wallMs);
    theirs.push((await measureShell(join(many, ".model-sync/registry"), "git status")).wallMs);
  }
  const ratio = (median(ours) - median(start)) / median(theirs);
  return [{
    what: "publish 20,000 files of which none changed",
    ours: `${ms(median(ours))}, of which start-up ${ms(median(start))}`,
    theirs: `\`git status\`: ${ms(median(theirs))}`,
    ratio: `${ratio.toFixed(1)} times \`git status\`, plus start-up`,
    wanted: "1.5 times",
    kept: ratio <= 1.5,
  }];
}

export function seconds(wallMs: number): string {
  return `${(wallMs / 1000).toFixed(1)} s`;
}

export function ms(wallMs: number): string {
  return `${Math.round(wallMs)} ms`;
}
