import { buildCommand } from "@stricli/core";
import { type Role, ROLES } from "../lib/config/roles.ts";
import { readPauses, resumeRoles } from "../lib/store/pauses.ts";
import { defineProgram, type Invocation, main, type Program, withSession } from "./_command.ts";
import { narrowToReporting, openExistingStore, type Session } from "./_session.ts";
import { COMMON_ALIASES, COMMON_FLAGS, type CommonFlags, parseRoles, ROLE_ARGUMENTS } from "./_options.ts";
import { controlRun } from "../lib/pipeline/reported_run.ts";
import { SUMMARIES } from "./_help.ts";

export const program: Program = defineProgram(
  "resume",
  buildCommand<CommonFlags, string[], Invocation>({
    docs: { brief: SUMMARIES.resume },
    parameters: { flags: COMMON_FLAGS, aliases: COMMON_ALIASES, positional: ROLE_ARGUMENTS },
    func: withSession((session, _flags, ...typed) => run(session, typed)),
  }),
);

async function run(session: Session, typed: readonly string[]): Promise<void> {
  const { context, output } = session;
  const asked = typed.length === 0 ? ROLES : parseRoles(typed);
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
