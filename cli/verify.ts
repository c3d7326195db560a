import { EXIT, type ExitCode } from "../lib/core/errors.ts";
import { acquireLock } from "../lib/core/lock.ts";
import { auditActive, type AuditReport } from "../lib/pipeline/audit.ts";
import { shortDigest } from "../lib/release/manifest.ts";
import { type CommonOptions, main, newCommand, type Session, withSession } from "./_command.ts";
import { plural } from "./_format.ts";
import type { Output } from "./_output.ts";
import { openExistingStore } from "./_store.ts";

interface VerifyCommandOptions extends CommonOptions {
  readonly deep?: boolean | undefined;
}

export function command() {
  return newCommand("verify")
    .option("--deep", "read every byte, also of files whose size and time say that they are unchanged")
    .action((options: VerifyCommandOptions) => withSession(options, (session) => run(session, options)));
}

async function run(session: Session, options: VerifyCommandOptions): Promise<ExitCode> {
  const { context, output } = session;
  const store = openExistingStore(session);
  const owner = { command: "verify", runId: "verify", host: context.host };
  using _lock = await acquireLock(context.fs, store.lock, owner, context.clock);
  const report = await auditActive(context, store, options.deep ? "content" : "stat");
  const intact = report.problems.length === 0 && report.extra.length === 0;
  output.result({ intact, deep: options.deep === true, ...report }, () => lines(output, report, options));
  return intact ? EXIT.done : EXIT.refused;
}

function lines(output: Output, report: AuditReport, options: VerifyCommandOptions): string[] {
  const { release, sequence, files, problems, extra } = report;
  const name = `release ${output.paint("bold", shortDigest(release))} (sequence ${sequence})`;
  if (problems.length === 0 && extra.length === 0) {
    const how = options.deep ? "every byte read" : "changed files read; --deep reads all";
    return [`${output.paint("green", "✓")} ${name} is intact: ${plural(files, "file")}, ${how}`];
  }
  return [
    `${output.paint("red", "✗")} ${name} is not what its manifest says:`,
    ...problems.map(({ path, problem }) => `  ${path} ${problem}`),
    ...extra.map((path) => `  ${path} is not part of it`),
    ...(problems.length > 0
      ? ["  mend it with: model-sync pull   or go back with: model-sync rollback"]
      : []),
  ];
}

if (import.meta.main) await main(command());
