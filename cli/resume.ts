import { buildCommand } from "@stricli/core";
import { ROLES } from "../lib/schedule/roles.ts";
import { readPauses, resumeRoles } from "../lib/store/pauses.ts";
import {
  COMMON_ALIASES,
  COMMON_FLAGS,
  type CommonFlags,
  defineProgram,
  type Invocation,
  main,
  type Program,
  type Session,
  withSession,
} from "./_command.ts";
import { parseRoles, ROLE_ARGUMENTS } from "./_roles.ts";
import { openExistingStore } from "./_store.ts";
import { SUMMARIES } from "./_summaries.ts";

export const program: Program = defineProgram(
  "resume",
  buildCommand<CommonFlags, string[], Invocation>({
    docs: { brief: SUMMARIES.resume },
    parameters: { flags: COMMON_FLAGS, aliases: COMMON_ALIASES, positional: ROLE_ARGUMENTS },
    func: withSession((session, _flags, ...typed) => Promise.resolve(run(session, typed))),
  }),
);

function run(session: Session, typed: readonly string[]): void {
  const { context, output } = session;
  const asked = typed.length === 0 ? ROLES : parseRoles(typed);
  const store = openExistingStore(session);
  const paused = readPauses(store, context.clock.now());
  resumeRoles(store, asked);
  const roles = asked.filter((role) => Object.hasOwn(paused, role));
  const outcome = roles.length === 0 ? "unchanged" : "resumed";
  output.result({ outcome, roles }, () => [
    roles.length === 0
      ? `no pause to end: ${asked.join(", ")}`
      : `${output.paint("green", "✓")} resumed: ${roles.join(", ")}`,
  ]);
}

if (import.meta.main) await main(program);
