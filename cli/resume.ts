import { command, main, type Program } from "./_command.ts";
import { ROLE_OPERANDS } from "./_roles.ts";
import { controlRun } from "../lib/pipeline/reported_run.ts";
import { type Role, ROLES } from "../lib/config/roles.ts";
import { readPauses, resumeRoles } from "../lib/store/pauses.ts";
import { SUMMARIES } from "./_help.ts";
import { narrowToReporting, openExistingStore, type Session } from "./_session.ts";

export const program: Program = {
  name: "resume",
  command: command({
    summary: SUMMARIES.resume,
    options: {},
    operands: ROLE_OPERANDS,
    examples: [
      ["Resume every paused role", "model-sync resume"],
      ["Resume pulling only", "model-sync resume client"],
    ],
    run: (session, _flags, named) => run(session, named),
  }),
};

async function run(session: Session, named: readonly Role[]): Promise<void> {
  const { context, output } = session;
  const asked = named.length === 0 ? ROLES : named;
  narrowToReporting(session);
  const store = openExistingStore(session);
  let roles: readonly Role[] = [];
  const { outcome, runId } = await controlRun(session, store, "resume", () => {
    const paused = readPauses(store, context.clock.now());
    resumeRoles(store, asked);
    roles = asked.filter((role) => Object.hasOwn(paused, role));
    return { outcome: roles.length === 0 ? "unchanged" as const : "resumed" as const };
  });
  output.result({ outcome, roles, runId }, () => [
    roles.length === 0
      ? `no pause to end: ${asked.join(", ")}`
      : `${output.paint("green", "✓")} resumed: ${roles.join(", ")}`,
  ]);
}

if (import.meta.main) await main(program);
