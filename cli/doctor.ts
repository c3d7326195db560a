import { isUnconfigured } from "../lib/config/load.ts";
import { diagnose } from "../lib/doctor/diagnose.ts";
import { command, type CommandFlags, main, type Program } from "./_command.ts";
import { GIT_OPTIONS } from "./_options.ts";
import { ROLE_VALUES } from "./_roles.ts";
import { EXIT, type ExitCode } from "../lib/core/errors.ts";
import type { Context } from "../lib/core/context.ts";
import { LAUNCHER_VARIABLE } from "../lib/core/launcher_variables.ts";
import { SOURCE_ROOT } from "../lib/core/source_root.ts";
import { type Check, pass, warn } from "../lib/doctor/check.ts";
import { machineRoles, machineUse, useFor } from "../lib/status/machine_use.ts";
import { describeVersion } from "./_version.ts";
import { SUMMARIES } from "./_help.ts";
import type { Options } from "./_declaration.ts";
import { NO_OPERANDS } from "./_arguments.ts";
import { headingLines, headingOf, type Session } from "./_session.ts";
import type { Output } from "./_output.ts";

const OPTIONS = {
  role: {
    group: "Options",
    kind: "value",
    placeholder: "ROLE",
    brief: "Role that this machine is meant for",
    standard: "the roles that it has had so far",
    ...ROLE_VALUES,
  },
  ...GIT_OPTIONS,
} satisfies Options;

type DoctorFlags = CommandFlags<typeof OPTIONS>;

export const program: Program = {
  name: "doctor",
  command: command({
    summary: SUMMARIES.doctor,
    options: OPTIONS,
    operands: NO_OPERANDS,
    examples: [
      ["Check this machine", "model-sync doctor"],
      ["Check a new machine that is to publish", "model-sync doctor --role publisher"],
    ],
    run,
  }),
};

async function run(session: Session, flags: DoctorFlags): Promise<ExitCode> {
  const { context, output, config, location } = session;
  const use = flags.role === undefined ? await machineUse(context, location) : useFor(flags.role);
  const checks = [
    ...checkProgram(context),
    ...await diagnose({ ...session, isFileNamed: flags.config !== undefined, roles: flags.role, use }),
  ];
  const failed = checks.some((check) => check.status === "fail");
  const heading = headingOf(session);
  const roles = flags.role ?? machineRoles(config, use);
  const json = { ok: !failed, ...heading, roles, checks };
  output.verdict(!failed, json, () => [
    ...headingLines(session, heading),
    `roles          ${roles.join(", ") || "none is configured"}`,
    ...checkLines(output, checks),
    ...(!failed && flags.role === undefined && isUnconfigured(config) ? WORKS : []),
  ]);
  return failed ? EXIT.failed : EXIT.done;
}

/** The end of the report of a new machine. */
const WORKS = [
  "model-sync works on this machine",
  "next: in the folder of your project, write a configuration with: model-sync init",
];

/** Returns the version of this program, and the launcher that started it. */
function checkProgram({ env, fs }: Context): Check[] {
  const launcher = env.get(LAUNCHER_VARIABLE);
  return [
    pass("program", describeVersion(fs).text),
    ...(launcher === undefined ? [] : [checkLauncher(launcher)]),
  ];
}

/** Windows has no bundles. */
function checkLauncher(launcher: string): Check {
  const isFromSource = import.meta.url === `${SOURCE_ROOT}cli/doctor.ts`;
  if (!isFromSource || Deno.build.os === "windows") return pass("launcher", launcher);
  return warn(
    "launcher",
    `${launcher}; commands start from source, which takes longer: the last install could make no bundle, or the clone ` +
      "has changed since",
    "install again, with a network: Deno downloads its bundler",
  );
}

/** Returns each check in a line, with the way to fix it below. */
export function checkLines(output: Output, checks: readonly Check[]): string[] {
  return checks.flatMap((check) => lines(output, check));
}

function lines(output: Output, check: Check): string[] {
  const style = { pass: "green", warn: "yellow", fail: "red" } as const;
  const mark = output.paint(style[check.status], check.status);
  const fix = check.mend === undefined ? [] : [`        ${output.paint("dim", check.mend)}`];
  return [`  ${mark}  ${check.name}: ${check.detail}`, ...fix];
}

if (import.meta.main) await main(program);
