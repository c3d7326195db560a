import { buildCommand } from "@stricli/core";
import { EXIT } from "../lib/core/errors.ts";
import {
  awaitRuns,
  type RequestedRun,
  RequestedRunError,
  requestRuns,
  requireDaemons,
} from "../lib/daemon/request_runs.ts";
import {
  COMMON_ALIASES,
  COMMON_FLAGS,
  type CommonFlags,
  parseRoles,
  ROLE_ARGUMENTS,
  switchFlag,
} from "./_options.ts";
import { defineProgram, type Invocation, main, type Program, withSession } from "./_command.ts";
import { narrowToReporting, openExistingStore, type Session } from "./_session.ts";
import { controlRun } from "../lib/pipeline/reported_run.ts";
import { SUMMARIES } from "./_help.ts";

interface RunNowFlags extends CommonFlags {
  readonly wait?: boolean;
}

export const program: Program = defineProgram(
  "run-now",
  buildCommand<RunNowFlags, string[], Invocation>({
    docs: { brief: SUMMARIES["run-now"] },
    parameters: {
      flags: {
        wait: switchFlag("wait for the run to end, and return its exit code"),
        ...COMMON_FLAGS,
      },
      aliases: COMMON_ALIASES,
      positional: { ...ROLE_ARGUMENTS, minimum: 1 },
    },
    func: withSession((session, flags, ...typed) => run(session, flags, typed)),
  }),
);

async function run(session: Session, flags: RunNowFlags, typed: readonly string[]): Promise<void> {
  const { context, output } = session;
  const roles = parseRoles(typed);
  narrowToReporting(session);
  const store = openExistingStore(session);
  await requireDaemons(context, store, roles);
  let runs: readonly RequestedRun[] = [];
  const { outcome, runId } = await controlRun(session, store, "run-now", () => {
    runs = requestRuns(context, store, roles);
    return { outcome: "requested" as const };
  });
  if (flags.wait !== true) {
    output.result({ outcome, runs, runId }, () => [
      `${output.paint("green", "✓")} requested: ${roles.join(", ")}`,
      "  the daemon starts the run within 5 seconds, or after the one that is going on",
    ]);
    return;
  }
  const ended = await awaitRuns(context, store, runs);
  const failed = ended.filter(({ end }) => end.exitCode !== EXIT.done);
  if (failed.length > 0) throw new RequestedRunError(failed);
  output.result(
    { outcome: "done", runs, runId },
    () => [`${output.paint("green", "✓")} done: ${roles.join(", ")}`],
  );
}

if (import.meta.main) await main(program);
