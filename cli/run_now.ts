import type { Role } from "../lib/config/roles.ts";
import { EXIT } from "../lib/core/errors.ts";
import {
  awaitRuns,
  type RequestedRun,
  RequestedRunError,
  requestRuns,
  requireDaemons,
} from "../lib/daemon/request_runs.ts";
import { REQUIRED_ROLES } from "./_roles.ts";
import { command, type CommandFlags, main, type Program } from "./_command.ts";
import { controlRun } from "../lib/pipeline/reported_run.ts";
import { SUMMARIES } from "./_help.ts";
import { type Options, switchOption } from "./_declaration.ts";
import { narrowToReporting, openExistingStore, type Session } from "./_session.ts";

const OPTIONS = {
  wait: switchOption({ group: "Options", brief: "Wait for the run, and return its exit code" }),
} satisfies Options;

export const program: Program = {
  name: "run-now",
  command: command({
    summary: SUMMARIES["run-now"],
    options: OPTIONS,
    operands: REQUIRED_ROLES,
    examples: [
      ["Pull now instead of at the next scheduled time", "model-sync run-now client"],
      ["Publish now, and wait for the result", "model-sync run-now publisher --wait"],
    ],
    run,
  }),
};

async function run(
  session: Session,
  flags: CommandFlags<typeof OPTIONS>,
  roles: readonly Role[],
): Promise<void> {
  const { context, output } = session;
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
      "  the daemon starts it within 5 seconds, or after the present run",
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
