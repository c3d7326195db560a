import { EXIT, type ExitCode } from "../lib/core/errors.ts";
import { verifyActive, type VerifyReport } from "../lib/pipeline/verify.ts";
import { shortDigest } from "../lib/release/manifest.ts";
import { command, type CommandFlags, main, type Program } from "./_command.ts";
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
  const text = () => lines(output, report, flags);
  output.verdict(intact, json, text);
  return intact ? EXIT.done : EXIT.refused;
}

function lines(output: Output, report: VerifyReport, flags: VerifyFlags): string[] {
  const { release, sequence, files, problems, extra, signature } = report;
  const name = `release ${output.paint("bold", shortDigest(release))} (sequence ${sequence})`;
  if (problems.length === 0 && extra.length === 0) {
    const how = flags.deep ? "every byte read" : "changed files read; --deep reads all";
    const signed = signature === "verified"
      ? ["  signed by a trusted key"]
      : signature === "unsigned"
      ? ["  not signed, which signing.required would refuse"]
      : [];
    return [`${output.paint("green", "✓")} ${name} is intact: ${plural(files, "file")}, ${how}`, ...signed];
  }
  return [
    `${output.paint("red", "✗")} ${name} is not what its manifest says:`,
    ...problems.map(({ path, problem }) => `  ${path} ${problem}`),
    ...extra.map((path) => `  ${path} is not part of it`),
    ...(problems.length > 0
      ? [flags.deep ? DEEP_REPAIR : "  mend it with: model-sync pull   or go back with: model-sync rollback"]
      : ["  remove what does not belong: consumers see it, and no pull brings or takes it"]),
  ];
}

/**
 * Pulls and rollbacks trust size and times, which damage that only --deep finds does not change; releases share files,
 * so that the previous release may be damaged, too.
 */
const DEEP_REPAIR = "  mend it with: model-sync pull --force, which reads every byte as well";

if (import.meta.main) await main(program);
