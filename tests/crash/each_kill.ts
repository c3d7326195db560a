import assert from "node:assert/strict";
import { join } from "node:path";
import type { Context } from "../../lib/core/context.ts";
import { MortalProcess, type Step } from "../helpers/mortal_process.ts";
import { PROJECT } from "../helpers/run_cli.ts";
import { GIT_ENV } from "../helpers/test_git.ts";

/** No command has more steps. An endless loop would exceed it. */
const STEPS_MAX = 400;

/** Simulated deaths show what the code leaves. A real SIGKILL at every fortieth step, at least one, checks them. */
const SIGKILL_EVERY = 40;

/** Kills run in parallel: they mostly wait for programs. */
const PARALLEL = navigator.hardwareConcurrency;

/** A command to kill, in a world of its own. */
export interface Victim {
  /** Runs the command in this process. */
  readonly work: (context: Context) => Promise<unknown>;
  /** Returns everything that it changes; without it, a death before every step is taken for another one. */
  readonly look?: () => string;
  /** A script that kills itself before a step, and its arguments. */
  readonly script: string;
  readonly args: (killAt: number) => readonly string[];
}

/** Kills a victim. */
export type Killer = (victim: Victim) => Promise<void>;

/**
 * Runs `trial` once for each kill of a command: with a simulated death before each of its steps, and with a real SIGKILL
 * before every fortieth. A death that leaves the same bytes as a death one step earlier, because the step between them only
 * synced or read, is tried once. The trial makes a world, kills the victim in it, and checks what is left.
 * @param since matches the first step to kill at; another test kills the same command at the steps before
 * @param until matches the first step after it at which another test kills; default: none does
 */
export async function eachKill(
  name: string,
  trial: (kill: Killer) => Promise<void>,
  since = /./,
  until: RegExp | undefined = undefined,
): Promise<void> {
  let kills: Kill[] = [];
  let steps = 0;
  await trial(async ({ work, look }) => {
    const survivor = new MortalProcess(0, look);
    await survivor.run(work);
    steps = survivor.steps.length;
    const first = survivor.steps.findIndex(({ what }) => since.test(what));
    assert.notEqual(first, -1, `no step of ${name} matches ${since}`);
    const rest = survivor.steps.slice(first);
    const end = until === undefined ? rest.length : rest.findIndex(({ what }) => until.test(what));
    assert.notEqual(end, -1, `no later step of ${name} matches ${until}`);
    kills = killsOf(rest.slice(0, end));
  });
  assert.ok(steps > 5 && steps < STEPS_MAX, `${name} took ${steps} steps`);
  const worker = async () => {
    for (let next = kills.shift(); next !== undefined; next = kills.shift()) {
      try {
        await trial(next.kill);
      } catch (error) {
        throw new Error(`after ${name} ${next.what} of ${steps}`, { cause: error });
      }
    }
  };
  await Promise.all(Array.from({ length: PARALLEL }, worker));
}

interface Kill {
  readonly what: string;
  readonly kill: Killer;
}

/** The kernel splits writes differently from run to run, by a step or two: a victim may survive the last kills. */
function killsOf(steps: readonly Step[]): Kill[] {
  const firstSigkill = Math.min(SIGKILL_EVERY, steps.length) >> 1;
  return [
    ...steps.filter(({ hasNews }) => hasNews).map(({ number }) => ({
      what: `died before step ${number}`,
      kill: (victim: Victim) => simulate(victim, number),
    })),
    ...steps.filter((_, index) => index % SIGKILL_EVERY === firstSigkill).map(({ number }) => ({
      what: `was killed before step ${number}`,
      kill: (victim: Victim) => runScript(victim, number),
    })),
  ];
}

async function simulate({ work }: Victim, step: number): Promise<void> {
  await new MortalProcess(step).run(work);
}

/** Runs a victim in a process of its own. It kills itself or succeeds. */
async function runScript({ script, args }: Victim, step: number): Promise<void> {
  const config = ["--config", join(PROJECT, "deno.json")];
  const result = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-q", "-A", "--no-check", ...config, join(PROJECT, script), ...args(step)],
    env: GIT_ENV,
    stdin: "null",
  }).output();
  if (result.signal !== "SIGKILL") assert.equal(result.code, 0, new TextDecoder().decode(result.stderr));
}
