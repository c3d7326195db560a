import { isUnconfigured } from "../lib/config/load.ts";
import { EXIT, type ExitCode, UsageError } from "../lib/core/errors.ts";
import { nextStep } from "../lib/status/next_step.ts";
import type { CanaryDescription } from "../lib/wire/schema.ts";
import { readStatus } from "../lib/status/read_status.ts";
import { machineRoles, machineUse } from "../lib/status/machine_use.ts";
import { findStore, placeOf } from "../lib/store/store.ts";
import { command, type CommandFlags, main, type Program } from "./_command.ts";
import { headingLines, headingOf, type Session } from "./_session.ts";
import { SUMMARIES } from "./_help.ts";
import { integerOption, type Operands, type Options, switchOption } from "./_declaration.ts";
import { statusLines } from "./_status_lines.ts";
import { type Look, watchState } from "./_watch.ts";

/** The number of runs that fits on a screen with the rest. */
const RUNS_SHOWN = 5;

const OPTIONS = {
  runs: integerOption({
    group: "Options",
    placeholder: "COUNT",
    brief: "Number of recent runs to show",
    standard: RUNS_SHOWN,
  }, 0),
  watch: switchOption({
    group: "Options",
    short: "w",
    brief: "Show changes until you press Ctrl-C",
    note: "exit code 0",
  }),
} satisfies Options;

type StatusFlags = CommandFlags<typeof OPTIONS>;

const WATCH_SECONDS = 2;

/** A timer holds at most 24 days. */
const WATCH_SECONDS_MAX = 86_400;

/** `status --watch 5` */
const SECONDS: Operands<number | undefined> = {
  usage: "[SECONDS]",
  brief: `The time between two looks of --watch (default: ${WATCH_SECONDS})`,
  choices: ["1", "2", "10", "60"],
  parse: ([text, excess]) => {
    if (text === undefined) return undefined;
    const seconds = /^\d{1,6}$/.test(text) ? Number(text) : 0;
    if (excess === undefined && seconds >= 1 && seconds <= WATCH_SECONDS_MAX) return seconds;
    throw new UsageError(
      `Cannot use the argument "${
        excess ?? text
      }": with --watch, the command takes a number of seconds from 1 to ${WATCH_SECONDS_MAX}`,
      { code: "USAGE" },
    );
  },
};

export const program: Program = {
  name: "status",
  command: command({
    summary: SUMMARIES.status,
    options: OPTIONS,
    operands: SECONDS,
    examples: [
      ["Show the state of this machine", "model-sync status"],
      ["Follow a pull, with a look each second", "model-sync status --watch 1"],
      ["Show the last 50 runs", "model-sync status --runs 50"],
      ["Print the digest of the active release", "model-sync status --json | jq -r .current.digest"],
    ],
    run,
  }),
};

async function run(session: Session, flags: StatusFlags, seconds: number | undefined): Promise<ExitCode> {
  if (flags.watch === true) {
    let warns = true;
    await watchState(session, (seconds ?? WATCH_SECONDS) * 1000, () => {
      const looked = look(session, flags, warns);
      warns = false;
      return looked;
    });
    return EXIT.done;
  }
  if (seconds !== undefined) {
    throw new UsageError(`Cannot use the argument "${seconds}": it is for --watch, which is missing`, {
      code: "USAGE",
      hint: `model-sync status --watch ${seconds}`,
    });
  }
  const { json, lines, isDamaged } = await look(session, flags, true);
  session.output.answer(json, lines);
  return isDamaged ? EXIT.refused : EXIT.done;
}

/** @param warns whether to log damage in the store: once is enough */
async function look(
  session: Session,
  flags: StatusFlags,
  warns: boolean,
): Promise<Look & { readonly isDamaged: boolean }> {
  const { context, output, config, settings, location } = session;
  const store = findStore(context.fs, location, warns ? context.log : undefined);
  const roles = machineRoles(config, await machineUse(context, location));
  // The text does not show the free space, and reading it would cost as much as the start of Deno.
  const seen = output.options.json ? context : { ...context, freeBytes: () => Promise.resolve(undefined) };
  const status = await readStatus(seen, { settings, location, store, roles }, flags.runs ?? RUNS_SHOWN);
  const canary = status.canary === null ? [] : await canaryWords(status.canary);
  const heading = headingOf(session);
  const place = store ?? placeOf(context.fs, location);
  const advice = nextStep(roles, place, store, isUnconfigured(config));
  return {
    json: { configFile: heading.configFile, ...status },
    mark: JSON.stringify({ ...status, freeBytes: null }),
    isDamaged: typeof status.currentFault === "string",
    lines: () => [
      ...headingLines(session, { ...heading, modelsDir: place.modelsDir }),
      ...statusLines(output, status, { canary, advice }, context.clock.now(), settings.time_zone),
    ],
  };
}

/** Returns the lines of the canary. The code is loaded only if there is one. */
async function canaryWords(canary: CanaryDescription): Promise<string[]> {
  const { canaryLines } = await import("../lib/canary/describe_canary.ts");
  return canaryLines(canary);
}

if (import.meta.main) await main(program);
