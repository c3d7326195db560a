import { formatBytes, formatDuration, plural } from "../../lib/core/format.ts";
import { shortDigest } from "../../lib/release/manifest.ts";
import { WITHDRAWN } from "../../lib/release/withdrawals.ts";
import { releaseWords, sentence } from "../shared/words.ts";
import type { NodeRow, RunRow } from "../store/rows.ts";
import { isFailure, namesActiveRelease } from "../store/outcomes.ts";
import type { Lag, NodeState, Trouble } from "./node_view.ts";

/** How long a consumer may be behind: until its next pull, a canary elsewhere and a night have passed. */
const BEHIND_PATIENCE_MS = 26 * 3_600_000;

/** Most releases need more, and the system's logs soon fill the rest. */
export const FREE_BYTES_MIN = 1024 ** 3;

/** The facts from which the problems of a node are derived. */
export interface Circumstances {
  readonly row: NodeRow;
  readonly state: NodeState;
  readonly lag: Lag | null;
  readonly clockAheadMs: number;
  readonly now: Date;
}

/** Returns the problems of a node, most urgent first. Runs and releases of a paused node are not problems. */
export function troublesOf(node: Circumstances): Trouble[] {
  const isPaused = node.state.kind === "paused";
  return [
    ...silenceTrouble(node),
    ...(isPaused ? [] : [...lastRunTrouble(node), ...interruptedTroubles(node)]),
    ...faultTroubles(node),
    ...withdrawnTrouble(node),
    ...quarantineTrouble(node),
    ...(isPaused ? [] : releaseTroubles(node)),
    ...clockTrouble(node),
  ].sort((a, b) => Number(b.tone === "bad") - Number(a.tone === "bad"));
}

function silenceTrouble({ state, row }: Circumstances): Trouble[] {
  if (state.kind !== "down" && state.kind !== "late") return [];
  const { kind, reason, since } = state;
  const at = since ?? row.lastReceivedAt ?? "";
  return [{
    tone: kind === "down" ? "bad" : "warn",
    kind,
    label: kind,
    title: `is ${kind}`,
    text: reason,
    at,
  }];
}

function lastRunTrouble({ row }: Circumstances): Trouble[] {
  const { last, strip } = row;
  if (last === null) return [];
  if (last.outcome === "rolled-back" && last.command !== "rollback") return [rolledBackTrouble(row, last)];
  if (!isFailure(last.outcome)) return [];
  const streak = strip.toReversed().findIndex(({ outcome }) => !isFailure(outcome));
  const failures = streak === -1 ? strip.length : streak;
  const again = failures > 1 ? ` It is the ${ordinal(failures)} failure in a row.` : "";
  const why = last.error === undefined ? "The node reported no error." : sentence(last.error.message);
  return [{
    tone: last.outcome === "interrupted" ? "warn" : "bad",
    kind: "failed",
    label: last.outcome,
    title: failureWords(last),
    text: `${why}${again}`,
    at: last.startedAt,
  }];
}

/** Returns the killed runs that have no record yet. The public strip has no run ids. */
function interruptedTroubles({ row: { report, strip } }: Circumstances): Trouble[] {
  const unrecorded = (report?.interrupted ?? []).filter((killed) =>
    !strip.some(({ command, startedAt }) => command === killed.command && startedAt === killed.startedAt)
  );
  return unrecorded.map(({ command, startedAt, step }) => ({
    tone: "warn",
    kind: "failed",
    label: "interrupted",
    title: `was interrupted during ${command}`,
    text: `It was killed${step === null ? "" : ` in its step "${step}"`}. ` +
      "The next run undoes or completes its work.",
    at: startedAt,
  }));
}

/** Commands that are verbs: `failed to pull`. */
const VERBS: readonly string[] = ["pull", "publish", "train", "redeploy", "prune"];
const PULLS: readonly string[] = ["pull", "hf-pull", "artifact-pull", "runpod-pull"];

/** Returns what a failed run did, worded to follow the node's name. */
function failureWords({ outcome, command }: RunRow): string {
  const work = VERBS.includes(command) ? command : `run ${command}`;
  if (outcome === "interrupted") return `was interrupted during ${command}`;
  if (outcome !== "refused") return `failed to ${work}`;
  return PULLS.includes(command) ? "refused a release" : `refused to ${work}`;
}

function rolledBackTrouble(row: NodeRow, last: RunRow): Trouble {
  const isRolledBackTo = row.active === null || !namesActiveRelease(last.command)
    ? ""
    : ` to release ${releaseWords(row.active)}`;
  // A withdrawn release is not to be activated. A redeployment quarantines nothing: it publishes the previous release again.
  const replaced = last.previous === undefined || last.previous === last.release ||
      !namesActiveRelease(last.command) || last.error?.code === WITHDRAWN
    ? undefined
    : { digest: last.previous };
  return {
    tone: "bad",
    kind: "rolled-back",
    label: "rolled back",
    title: `rolled back${isRolledBackTo}`,
    text: `${last.error === undefined ? "" : `${sentence(last.error.message)} `}${
      replaced === undefined ? "" : "The replaced release is quarantined there. To activate it anyway, run:"
    }`.trim(),
    at: last.startedAt,
    ...(replaced === undefined ? {} : { command: `model-sync rollback --to ${releaseWords(replaced)}` }),
  };
}

function faultTroubles({ row: { report } }: Circumstances): Trouble[] {
  if (report === null) return [];
  const { fault, freeBytes, receivedAt: at } = report;
  const isFull = freeBytes !== null && freeBytes < FREE_BYTES_MIN;
  return [
    ...(fault === null ? [] : [
      {
        tone: "bad",
        kind: "fault",
        label: "fault",
        title: "has a fault in its store",
        text: sentence(fault),
        at,
        command: "model-sync doctor",
      } as const,
    ]),
    ...(isFull
      ? [
        {
          tone: "warn",
          kind: "fault",
          label: "disk nearly full",
          title: "has a nearly full disk",
          text: freeBytes === 0 ? "Almost no space is left." : `${formatBytes(freeBytes)} are free.`,
          at,
          command: "model-sync prune",
        } as const,
      ]
      : []),
  ];
}

/** Whether a node reports that the publisher withdrew its active release, and no operator activated it by force. */
export function isWithdrawn({ active, report }: Pick<NodeRow, "active" | "report">): boolean {
  return active !== null && report?.withdrawn?.includes(active.digest) === true;
}

/** A withdrawn release stays active until the next pull, or if the node holds no other one. */
function withdrawnTrouble({ row }: Circumstances): Trouble[] {
  const { active, report } = row;
  if (active === null || report === null || !isWithdrawn(row)) return [];
  return [{
    tone: "bad",
    kind: "fault",
    label: "withdrawn release",
    title: `has the withdrawn release ${releaseWords(active)} active`,
    text:
      "Its publisher withdrew it. The next pull rolls back from it, if there is another release. To pull now, run:",
    at: report.receivedAt,
    command: "model-sync pull",
  }];
}

/** A quarantined release stays active until the next pull or rollback. */
function quarantineTrouble({ row: { active, report } }: Circumstances): Trouble[] {
  if (active === null || report === null || !report.quarantine.includes(active.digest)) return [];
  return [{
    tone: "warn",
    kind: "fault",
    label: "quarantined release",
    title: `has the quarantined release ${releaseWords(active)} active`,
    text: "Consumers still load it. To roll back to the previous release, run:",
    at: report.receivedAt,
    command: "model-sync rollback",
  }];
}

/**
 * Returns problems with the node's release. After a rollback, the last run shows the problem until the next pull. Then
 * the quarantine of the newest release does.
 */
function releaseTroubles(node: Circumstances): Trouble[] {
  const { lag, row } = node;
  const { last, report, active } = row;
  // Nothing newer exists that the node may have.
  if (lag !== null && report?.withdrawn?.includes(lag.newest.digest) === true) return [];
  const isRejected = lag !== null && active?.digest !== lag.newest.digest &&
    report?.quarantine.includes(lag.newest.digest) === true;
  if (!isRejected) return behindTrouble(node);
  if (last?.outcome === "rolled-back") return [];
  const newest = releaseWords(lag.newest);
  return [{
    tone: "warn",
    kind: "rolled-back",
    label: `${newest} in quarantine`,
    title: `keeps release ${newest} in quarantine`,
    text: `It is the newest release of ${lag.publisher}. ${
      active === null ? "No release is active there" : `Release ${releaseWords(active)} stays active`
    } until a newer one is published. To release it from quarantine, run:`,
    at: lag.since ?? report?.receivedAt ?? "",
    command: `model-sync quarantine lift ${shortDigest(lag.newest.digest)}`,
  }];
}

function behindTrouble({ lag, now }: Circumstances): Trouble[] {
  if (lag === null || lag.releases === null || lag.releases === 0 || lag.since === null) return [];
  const behindMs = now.getTime() - Date.parse(lag.since);
  if (behindMs < BEHIND_PATIENCE_MS) return [];
  const count = behindWords(lag);
  return [{
    tone: "warn",
    kind: "behind",
    label: count,
    title: `is ${count}`,
    text: `${lag.publisher} published a newer release ${formatDuration(behindMs)} ago; the newest is ${
      releaseWords(lag.newest)
    }.`,
    at: lag.since,
  }];
}

/** Returns how far a node is behind, in words; empty if it has the newest release. */
export function behindWords({ releases, isAtLeast }: Lag): string {
  if (releases === null) return "not on the newest release";
  return releases === 0 ? "" : `${isAtLeast ? "at least " : ""}${plural(releases, "release")} behind`;
}

function clockTrouble({ clockAheadMs, row: { report } }: Circumstances): Trouble[] {
  if (clockAheadMs === 0 || report === null) return [];
  const by = `${formatDuration(Math.abs(clockAheadMs))} ${clockAheadMs > 0 ? "ahead" : "behind"}`;
  return [{
    tone: "warn",
    kind: "clock",
    label: "wrong clock",
    title: `has a clock that is ${by}`,
    text: "Its schedule and the times of its runs are off by the same amount. Set the clock and enable NTP.",
    at: report.receivedAt,
  }];
}

function ordinal(count: number): string {
  const end = count % 100 >= 11 && count % 100 <= 13 ? "th" : ["th", "st", "nd", "rd"][count % 10] ?? "th";
  return `${count}${end}`;
}
