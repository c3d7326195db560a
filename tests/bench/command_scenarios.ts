import { join } from "node:path";
import * as z from "zod";
import { EXECUTABLE } from "../helpers/executable.ts";
import { PROJECT } from "../helpers/run_cli.ts";
import { writeModel } from "./model_writer.ts";
import { median, MIB, ms, seconds, size } from "./units.ts";
import type { Workbench } from "./workbench.ts";
import { CHANGED_MODEL, makeWorld, writeModels } from "./world.ts";

const Status = z.object({ releases: z.array(z.object({ digest: z.string() })).length(2) });

const Rollback = z.object({ durationMs: z.number() });

/** The time until `--help` is printed. */
export async function helpStart(bench: Workbench): Promise<void> {
  const ours: number[] = [];
  const theirs: number[] = [];
  for (let round = 0; round < bench.scale.rounds(25); round++) {
    const help = [
      "--no-prompt",
      "--unstable-lazy-dynamic-imports",
      "-P=model-sync",
      `${PROJECT}cli/main.ts`,
      "--help",
    ];
    ours.push((await bench.deno(bench.dir, help)).wallMs);
    theirs.push((await bench.run(bench.dir, [Deno.execPath(), "eval", "1"])).wallMs);
  }
  const ratio = median(ours) / median(theirs);
  bench.report({
    what: "`model-sync --help`",
    ours: ms(median(ours)),
    theirs: `\`deno eval 1\`: ${ms(median(theirs))}`,
    ratio: `${ratio.toFixed(1)} times the time`,
    wanted: "within 2 times",
    kept: ratio <= 2,
  });
}

/** The time until the executable prints `--help`. */
export async function executableHelp(bench: Workbench): Promise<void> {
  const runs: number[] = [];
  for (let round = 0; round < bench.scale.rounds(25); round++) {
    runs.push((await bench.run(bench.dir, [EXECUTABLE.path, "--help"])).wallMs);
  }
  bench.report({
    what: "`model-sync --help` of the executable",
    ours: ms(median(runs)),
    theirs: "",
    ratio: "",
    wanted: "under 150 ms",
    kept: median(runs) < 150,
  });
}

/** The whole demo: the main job, narrated, in a temporary directory. */
export async function demoTime(bench: Workbench): Promise<void> {
  const demo = ["--no-prompt", "-P=demo", `${PROJECT}configs/demo/demo.ts`, ...bench.scale.demoArgs];
  const { wallMs } = await bench.deno(bench.dir, demo);
  bench.report({
    what: "`deno task demo`",
    ours: seconds(wallMs),
    theirs: "–",
    ratio: "–",
    wanted: "within 60 s",
    kept: wallMs <= 60_000,
  });
}

/** Rollbacks back and forth between two releases. */
export async function rollbackTime(bench: Workbench): Promise<void> {
  const { trainer, bot } = makeWorld(bench.dir);
  const [count, bytes] = [bench.scale.count(200), bench.scale.bytes(5 * MIB)];
  await writeModels(join(trainer, "models"), count, bytes, bench.signal);
  for (const _release of [1, 2]) {
    await writeModel(join(trainer, "models", CHANGED_MODEL), bytes, bench.signal);
    await bench.cli(trainer, "publish");
    await bench.cli(bot, "pull");
  }
  const status = await bench.cli(bot, "status", "--json");
  const { releases } = Status.parse(JSON.parse(status.stdout));
  const runs: number[] = [];
  const durations: number[] = [];
  for (let round = 0; round < bench.scale.rounds(15); round++) {
    const to = releases[(round + 1) % 2]?.digest ?? "";
    const measured = await bench.cli(bot, "rollback", "--to", to, "--json");
    runs.push(measured.wallMs);
    durations.push(Rollback.parse(JSON.parse(measured.stdout)).durationMs);
  }
  bench.report({
    what: `rollback of ${count} models, ${size(count * bytes)}`,
    ours: `${ms(median(durations))}, the whole process ${ms(median(runs))}`,
    theirs: "",
    ratio: "",
    // The start of a process has its own row, and differs between machines.
    wanted: "under 100 ms, whatever the size",
    kept: median(durations) < 100,
  });
}

/** Reading every byte of a release. */
export async function verifyDeep(bench: Workbench): Promise<void> {
  const { trainer, bot } = makeWorld(bench.dir);
  const [count, bytes] = [bench.scale.count(20), bench.scale.bytes(50 * MIB)];
  await writeModels(join(trainer, "models"), count, bytes, bench.signal);
  await bench.cli(trainer, "publish");
  await bench.cli(bot, "pull");
  await bench.shell(bot, "find models/ -type f | xargs sha256sum > sums");
  const ours: number[] = [];
  const theirs: number[] = [];
  for (let round = 0; round < bench.scale.rounds(3); round++) {
    ours.push((await bench.cli(bot, "verify", "--deep")).wallMs);
    theirs.push((await bench.shell(bot, "sha256sum --quiet -c sums")).wallMs);
  }
  const ratio = median(theirs) / median(ours);
  bench.report({
    what: `verify every byte of ${size(count * bytes)}`,
    ours: seconds(median(ours)),
    theirs: `\`sha256sum -c\`: ${seconds(median(theirs))}`,
    ratio: `${ratio.toFixed(1)} times as fast`,
    wanted: "as fast",
    kept: ratio >= 0.9,
  });
}
