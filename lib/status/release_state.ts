import type { QuarantineEntry } from "../store/quarantine.ts";
import type { KnownWithdrawal } from "../store/withdrawals.ts";

/** The states of a release on a machine, the most important one first. A release has the first that applies. */
export const RELEASE_STATES = [
  "in canary",
  "active",
  "withdrawn",
  "quarantined",
  "previous",
  "installed",
  "damaged",
  "published",
  "removed",
] as const;
export type ReleaseState = (typeof RELEASE_STATES)[number];

/** What a machine knows of a release. */
export interface ReleaseFacts {
  readonly isActive: boolean;
  /** A rollback activates it, unless it is quarantined. */
  readonly isPrevious: boolean;
  readonly isInCanary: boolean;
  /** `whole`: with its manifest and its folder. `partial`: an installation or a removal was interrupted. */
  readonly inStore: "whole" | "partial" | "no";
  /** Whether this machine published it. */
  readonly isPublished: boolean;
  readonly quarantine: QuarantineEntry | undefined;
  /** If its publisher withdrew it. */
  readonly withdrawal: KnownWithdrawal | undefined;
}

/** Returns the state of a release, for people and for programs. Another state belongs here. */
export function releaseState(facts: ReleaseFacts): ReleaseState {
  if (facts.isActive) return facts.isInCanary ? "in canary" : "active";
  if (facts.withdrawal !== undefined) return "withdrawn";
  if (facts.quarantine !== undefined) return "quarantined";
  if (facts.inStore === "whole") return facts.isPrevious ? "previous" : "installed";
  if (facts.inStore === "partial") return "damaged";
  return facts.isPublished ? "published" : "removed";
}
