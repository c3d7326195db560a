import { join } from "node:path";
import { EXECUTABLE } from "../helpers/executable.ts";
import { median, ms } from "./units.ts";
import type { Workbench } from "./workbench.ts";
import { makeWorld, writeModels } from "./world.ts";

/** A registry with a release, and a bot whose program has pulled it. */
async function pulledBot(bench: Workbench, program: string) {
  const { trainer, bot, registry } = makeWorld(bench.dir);
  await writeModels(join(trainer, "models"), 5, 1_000, bench.signal);
  await bench.cli(trainer, "publish");
  await bench.run(bot, [program, "pull"]);
  return { bot, registry };
}

/** The time of `status` of an installed launcher, and that of an unchanged pull. */
export async function installedStart(bench: Workbench): Promise<void> {
  const launcher = await bench.install();
  const { bot, registry } = await pulledBot(bench, launcher);
  const times: Record<"status" | "pull" | "deno" | "remote", number[]> = {
    status: [],
    pull: [],
    deno: [],
    remote: [],
  };
  for (let round = 0; round < bench.scale.rounds(25); round++) {
    times.deno.push((await bench.run(bot, [Deno.execPath(), "eval", "1"])).wallMs);
    times.status.push((await bench.run(bot, [launcher, "status"])).wallMs);
    times.pull.push((await bench.run(bot, [launcher, "pull"])).wallMs);
    times.remote.push((await bench.run(bot, ["git", "ls-remote", registry, "main"])).wallMs);
  }
  const [pull, deno, remote] = [median(times.pull), median(times.deno), median(times.remote)];
  reportStatus(bench, "an installation", times.status, times.deno);
  const limit = 2.5 * deno + 1.5 * remote;
  bench.report({
    what: "an unchanged pull of an installation, from a registry on this machine",
    ours: ms(pull),
    theirs: `\`deno eval 1\`: ${ms(deno)}, \`git ls-remote\`: ${ms(remote)}`,
    ratio: `${(pull / limit).toFixed(1)} times the target`,
    wanted: `under 2.5 times the one and 1.5 times the other: ${ms(limit)}`,
    kept: pull < limit,
  });
}

/** The time of `status` of the executable. */
export async function executableStatus(bench: Workbench): Promise<void> {
  const { bot } = await pulledBot(bench, EXECUTABLE.path);
  const times: Record<"status" | "deno", number[]> = { status: [], deno: [] };
  for (let round = 0; round < bench.scale.rounds(25); round++) {
    times.status.push((await bench.run(bot, [EXECUTABLE.path, "status"])).wallMs);
    times.deno.push((await bench.run(bot, [Deno.execPath(), "eval", "1"])).wallMs);
  }
  reportStatus(bench, "the executable", times.status, times.deno);
}

function reportStatus(
  bench: Workbench,
  owner: string,
  ours: readonly number[],
  theirs: readonly number[],
): void {
  const [status, deno] = [median(ours), median(theirs)];
  bench.report({
    what: `\`model-sync status\` of ${owner}`,
    ours: ms(status),
    theirs: `\`deno eval 1\`: ${ms(deno)}`,
    ratio: `${(status / deno).toFixed(1)} times the time`,
    wanted: "under 2.5 times",
    kept: status < 2.5 * deno,
  });
}
