import { buildCommand } from "@stricli/core";
import { EXIT, type ExitCode } from "../lib/core/errors.ts";
import type { Check } from "../lib/doctor/check.ts";
import { diagnose } from "../lib/doctor/diagnose.ts";
import { configuredRoles, type Role, ROLES } from "../lib/config/roles.ts";
import { defineProgram, type Invocation, main, type Program, withSession } from "./_command.ts";
import { headingLines, headingOf, type Session } from "./_session.ts";
import { COMMON_ALIASES, COMMON_FLAGS, type CommonFlags, GIT_FLAGS, type GitFlags } from "./_options.ts";
import { SUMMARIES } from "./_help.ts";
import type { Output } from "./_output.ts";

interface DoctorFlags extends CommonFlags, GitFlags {
  readonly role?: readonly Role[];
}

export const program: Program = defineProgram(
  "doctor",
  buildCommand<DoctorFlags, [], Invocation>({
    docs: { brief: SUMMARIES.doctor },
    parameters: {
      flags: {
        ...COMMON_FLAGS,
        ...GIT_FLAGS,
        role: {
          kind: "enum",
          values: ROLES,
          variadic: ",",
          optional: true,
          brief: "the roles that this machine is meant for (default: those that it has had so far)",
        },
      },
      aliases: COMMON_ALIASES,
    },
    func: withSession(run),
  }),
);

async function run(session: Session, flags: DoctorFlags): Promise<ExitCode> {
  const { output, settings } = session;
  const checks = await diagnose({
    ...session,
    isFileNamed: flags.config !== undefined,
    roles: flags.role,
  });
  const failed = checks.some((check) => check.status === "fail");
  const heading = headingOf(session);
  const roles = flags.role ?? configuredRoles(settings);
  const json = { ok: !failed, ...heading, roles, checks };
  output.verdict(!failed, json, () => [
    ...headingLines(session, heading),
    `roles          ${roles.join(", ") || "none is configured"}`,
    ...checks.flatMap((check) => lines(output, check)),
  ]);
  return failed ? EXIT.failed : EXIT.done;
}

function lines(output: Output, check: Check): string[] {
  const style = { pass: "green", warn: "yellow", fail: "red" } as const;
  const mark = output.paint(style[check.status], check.status);
  const mend = check.mend === undefined ? [] : [`        ${output.paint("dim", check.mend)}`];
  return [`  ${mark}  ${check.name}: ${check.detail}`, ...mend];
}

if (import.meta.main) await main(program);
