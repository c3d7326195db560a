import { join } from "node:path";
import { z } from "zod";
import { PROJECT } from "../helpers/run_cli.ts";
import type { Result } from "./bench.ts";
import { measure, measureCli, measureShell, median } from "./measure.ts";
import { ms, seconds } from "./publish_scenarios.ts";
import { makeWorld, MIB, writeModels, writeRandomFile } from "./world.ts";

const Status = z.object({ releases: z.array(z.object({ digest: z.string() })).length(2) });

const Rollback = z.object({ durationMs: z.number() });

/** How long it takes until help is there. */
export async function helpStart(dir: string): Promise<Result[]> {
  const deno = Deno.execPath();
  const main = ["run", "-q", "--no-prompt", "--config", `${PROJECT}deno.json`, "-P=model-sync"];
  const ours: number[] = [];
  const theirs: number[] = [];
  for (let round = 0; round < 25; round++) {
    ours.push((await measure(dir, [deno, ...main, `${PROJECT}cli/main.ts`, "--help"])).wallMs);
    theirs.push((await measure(dir, [deno, "eval", "1"])).wallMs);
  }
  const ratio = median(ours) / median(theirs);
  return [{
    what: "`model-sync --help`",
    ours: ms(median(ours)),
    theirs: `\`deno eval 1\`: ${ms(median(theirs))}`,
    ratio: `${ratio.toFixed(1)} times the time`,
    wanted: "within 2 times",
    kept: ratio <= 2,
  }];
}

/** Going back and forth between two releases of 2 GiB. */
export async function rollbackTime(dir: string): Promise<Result[]> {
  const { trainer, bot } = makeWorld(dir);
  writeModels(join(trainer, "models"), 200, 10 * MIB);
  for (const _release of [1, 2]) {
    writeRandomFile(join(trainer, "models/symbol_0/model_7.bin"), 10 * MIB);
    await measureCli(trainer, "publish");
    await measureCli(bot, "pull");
  }
  const status = await measureCli(bot, "status", "--json");
  const { releases } = Status.parse(JSON.parse(status.stdout));
  const runs: number[] = [];
  const durations: number[] = [];
  for (let round = 0; round < 15; round++) {
    const to = releases[(round + 1) % 2]?.digest ?? "";
    const measured = await measureCli(bot, "rollback", "--to", to, "--json");
    runs.push(measured.wallMs);
    durations.push(Rollback.parse(JSON.parse(measured.stdout)).durationMs);
  }
  return [{
    what: "rollback of 2 GiB",
    ours: `${ms(median(durations))}, the whole process ${ms(median(runs))}`,
    theirs: "",
    ratio: "",
    wanted: "under 100 ms",
    kept: median(runs) < 100,
  }];
}

/** Reading every byte of 2 GiB. */
export async function verifyDeep(dir: string): Promise<Result[]> {
  const { trainer, bot } = makeWorld(dir);
  writeModels(join(trainer, "models"), 20, 100 * MIB);
  await measureCli(trainer, "publish");
  await measureCli(bot, "pull");
  await measureShell(bot, "find models/ -type f | xargs sha256sum > sums");
  const ours: number[] = [];
  const theirs: number[] = [];
  for (let round = 0; round < 3; round++) {
    ours.push((await measureCli(bot, "verify", "--deep")).wallMs);
    theirs.push((await measureShell(bot, "sha256sum --quiet -c sums")).wallMs);
  }
  const ratio = median(theirs) / median(ours);
  return [{
    what: "verify every byte of 2 GiB",
    ours: seconds(median(ours)),
    theirs: `\`sha256sum -c\`: ${seconds(median(theirs))}`,
    ratio: `${ratio.toFixed(1)} times as fast`,
    wanted: "as fast",
    kept: ratio >= 0.9,
  }];
}
