import type { WithdrawalResult } from "../lib/carriers/withdrawal_target.ts";
import {
  previewWithdrawal,
  recordedWithdrawal,
  WITHDRAWAL_CARRIERS,
  type WithdrawChoices,
} from "../lib/pipeline/recorded_withdrawal.ts";
import type { Timed } from "../lib/pipeline/run_report.ts";
import type { WithdrawReport } from "../lib/pipeline/withdraw.ts";
import { shortDigest, type Withdrawal } from "../lib/release/manifest.ts";
import { withdrawnWords } from "../lib/release/withdrawals.ts";
import { SUMMARIES } from "./_help.ts";
import { choiceOption, type Options, switchOption, textOption } from "./_declaration.ts";
import { oneOperand } from "./_arguments.ts";
import { command, type CommandFlags, main, type Program } from "./_command.ts";
import { GIT_OPTIONS, HUB_OPTIONS } from "./_options.ts";
import type { Output } from "./_output.ts";
import { narrowPermissions, type Session } from "./_session.ts";

const OPTIONS = {
  reason: textOption({
    group: "Options",
    placeholder: "TEXT",
    brief: "Reason that clients, alerts and the dashboard show",
  }),
  undo: switchOption({ group: "Options", brief: "End the withdrawal: clients accept the release again" }),
  carrier: choiceOption({
    group: "Options",
    placeholder: "CARRIER",
    brief: "Only this registry; archives are those of train",
    standard: "every registry that is configured",
  }, WITHDRAWAL_CARRIERS),
  dryRun: switchOption({ group: "Options", brief: "Show what would be published, and change nothing" }),
  ...GIT_OPTIONS,
  repoId: HUB_OPTIONS.repoId,
  revision: HUB_OPTIONS.revision,
} satisfies Options;

type WithdrawFlags = CommandFlags<typeof OPTIONS>;

const RELEASE = oneOperand(
  "RELEASE",
  "The release's digest, the beginning of it, its sequence number, or active for the newest release",
  { completion: "releases" },
);

export const program: Program = {
  name: "withdraw",
  command: command({
    summary: SUMMARIES.withdraw,
    options: OPTIONS,
    operands: RELEASE,
    examples: [
      ["Withdraw the newest release", "model-sync withdraw active --reason 'wrong labels'"],
      ["Show what would be published", "model-sync withdraw 3f2a9c --dry-run"],
      ["Let clients accept a release again", "model-sync withdraw 3f2a9c --undo"],
    ],
    run: (session, flags, release) =>
      flags.dryRun ? preview(session, choices(flags, release)) : run(session, choices(flags, release)),
  }),
};

function choices(flags: WithdrawFlags, release: string): WithdrawChoices {
  return {
    release,
    undo: flags.undo === true,
    reason: flags.reason,
    carrier: flags.carrier,
    allowDirtyWorktree: flags.allowDirtyWorktree === true,
  };
}

async function run(session: Session, chosen: WithdrawChoices): Promise<void> {
  const { output } = session;
  narrowPermissions(session, ["net", "run"]);
  const report = await recordedWithdrawal(session, chosen);
  output.result(reportJson(report), () => reportLines(output, report));
}

async function preview(session: Session, chosen: WithdrawChoices): Promise<void> {
  const { output } = session;
  const { withdrawal, registries } = await previewWithdrawal(session, chosen);
  output.answer({ dryRun: true, withdrawal, registries: registries.map(registryJson) }, () => [
    `would ${withdrawal.state === "withdrawn" ? "withdraw" : "reinstate"} release ${
      output.paint("bold", shortDigest(withdrawal.digest))
    }`,
    ...registries.flatMap((registry) =>
      registry.outcome === "unchanged"
        ? [`  ${registry.target}: nothing to publish, it says so already`]
        : [`  ${registry.target}: as sequence ${registry.sequence}${offeredWords(registry)}`]
    ),
    ...(registries.length > 0 ? [] : ["  nothing is published: the next archive of train carries it"]),
  ]);
}

function reportJson(report: Timed<WithdrawReport>): Record<string, unknown> {
  const { outcome, withdrawal, registries, durationMs, runId } = report;
  return { outcome, withdrawal, registries: registries.map(registryJson), durationMs, runId };
}

function registryJson(registry: WithdrawalResult): Record<string, unknown> {
  const { carrier, target, outcome, release, sequence, replaced, commit } = registry;
  return { carrier, target, outcome, release, sequence, replaced: replaced ?? null, commit: commit ?? null };
}

function reportLines(output: Output, { outcome, withdrawal, registries }: WithdrawReport): string[] {
  const name = output.paint("bold", shortDigest(withdrawal.digest));
  return [
    `${output.paint("green", "✓")} ${headline(outcome, name, withdrawal)}`,
    ...registries.map((registry) => {
      const { target, sequence, commit } = registry;
      if (registry.outcome === "unchanged") return `  ${target} says so already`;
      return `  published to ${target} as ${commit?.slice(0, 12)}, sequence ${sequence}${
        offeredWords(registry)
      }`;
    }),
    ...(registries.length > 0 ? [] : [archiveLine(outcome)]),
    ...(outcome === "withdrawn" && registries.length > 0
      ? ["  clients refuse it, and those that have it active roll back at their next pull"]
      : []),
    ...(outcome === "reinstated" && registries.length > 0 ? [acceptedLine(withdrawal, registries)] : []),
  ];
}

function acceptedLine({ digest }: Withdrawal, registries: readonly WithdrawalResult[]): string {
  const isNewest = registries.every(({ release }) => release === digest);
  return `  clients accept it again${isNewest ? "" : "; to make it the newest release, publish it"}`;
}

function headline(outcome: WithdrawReport["outcome"], name: string, withdrawal: Withdrawal): string {
  if (outcome === "withdrawn") return `withdrew release ${name}`;
  if (outcome === "reinstated") return `release ${name} is no longer withdrawn`;
  return withdrawal.state === "withdrawn"
    ? `unchanged: release ${name} was withdrawn ${withdrawnWords(withdrawal)}`
    : `unchanged: release ${name} is no longer withdrawn since ${withdrawal.at}`;
}

/** Returns which release takes the place of the withdrawn one. */
function offeredWords({ release, replaced }: WithdrawalResult): string {
  return replaced === undefined ? "" : `; the newest release is ${shortDigest(release)} again`;
}

/** Returns what carries the change where no registry does. */
function archiveLine(outcome: WithdrawReport["outcome"]): string {
  return outcome === "unchanged"
    ? "  archives of train carry it"
    : "  noted here; nothing was published yet: the next archive of train carries it";
}

if (import.meta.main) await main(program);
