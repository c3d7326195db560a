import { EXIT, type ExitCode } from "../lib/core/errors.ts";
import { verifyActive, type VerifyReport } from "../lib/pipeline/verify.ts";
import { shortDigest } from "../lib/release/manifest.ts";
import { command, type CommandFlags, main, type Program } from "./_command.ts";
import { ownPull } from "./_own_pull.ts";
import { requireStore, type Session } from "./_session.ts";
import { signaturePolicy } from "../lib/pipeline/configured_signing.ts";
import { SUMMARIES } from "./_help.ts";
import { plural } from "../lib/core/format.ts";
import { type Options, switchOption } from "./_declaration.ts";
import { NO_OPERANDS } from "./_arguments.ts";
import type { Output } from "./_output.ts";

const OPTIONS = {
  deep: switchOption({
    group: "Options",
    brief: "Also read files with an unchanged size and time",
  }),
} satisfies Options;

type VerifyFlags = CommandFlags<typeof OPTIONS>;

export const program: Program = {
  name: "verify",
  command: command({
    summary: SUMMARIES.verify,
    options: OPTIONS,
    operands: NO_OPERANDS,
    examples: [
      ["Check the files that changed since the last check", "model-sync verify"],
      ["Read every byte, as a nightly job does", "model-sync verify --deep --quiet"],
    ],
    run,
  }),
};

async function run(session: Session, flags: VerifyFlags): Promise<ExitCode> {
  const { context, output } = session;
  const store = requireStore(session);
  const policy = await signaturePolicy(context, session.settings.signing);
  const report = await verifyActive(context, store, flags.deep ? "content" : "stat", policy);
  const intact = report.problems.length === 0 && report.extra.length === 0;
  const json = { intact, deep: flags.deep === true, ...report };
  const pull = report.problems.length > 0 ? await ownPull(session) : "";
  const text = () => lines(output, report, flags, pull);
  output.verdict(intact, json, text);
  return intact ? EXIT.done : EXIT.refused;
}

/** @param pull the machine's command for a pull */
function lines(output: Output, report: VerifyReport, flags: VerifyFlags, pull: string): string[] {
  const { release, sequence, files, problems, extra, signature } = report;
  const name = `release ${output.paint("bold", shortDigest(release))} (sequence ${sequence})`;
  if (problems.length === 0 && extra.length === 0) {
    const every = flags.deep ? ", every byte read" : "";
    const shallow = flags.deep ? [] : ["  changed files were read; --deep reads all"];
    const signed = signature === "verified"
      ? ["  signed by a trusted key"]
      : signature === "unsigned"
      ? ["  not signed, which signing.required would refuse"]
      : [];
    return [
      `${output.paint("green", "✓")} ${name} is intact: ${plural(files, "file")}${every}`,
      ...shallow,
      ...signed,
    ];
  }
  return [
    `${output.paint("red", "✗")} ${name} differs from its manifest:`,
    ...problems.map(({ path, problem }) => `  ${path} ${problem}`),
    ...extra.map((path) => `  ${path} is not part of it`),
    ...(problems.length > 0
      ? [
        flags.deep
          // Not the commands below, which trust size and times: the damage left both unchanged. Releases share files, so
          // the previous release may be damaged, too.
          ? `  repair it with: ${pull} --force, which also reads every byte`
          : `  repair it with: ${pull}   or roll back with: model-sync rollback`,
      ]
      : ["  remove these files: consumers see them, and pulls neither add nor remove them"]),
  ];
}

if (import.meta.main) await main(program);
