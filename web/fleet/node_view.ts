import type { NodeRow, ReleaseName } from "../store/rows.ts";

/** What a node is, most urgent first. */
export const STATES = ["down", "late", "canary", "paused", "never-reported", "up"] as const;
export type StateKind = (typeof STATES)[number];

export interface NodeState {
  readonly kind: StateKind;
  /** When it began; `null` where that is unknown. */
  readonly since: string | null;
  /** Why, in a sentence; empty for `up`. */
  readonly reason: string;
}

/** What an operator has to know of a node, in the order of urgency. */
export interface Trouble {
  readonly tone: "bad" | "warn";
  readonly kind: "down" | "late" | "failed" | "rolled-back" | "behind" | "fault" | "clock";
  /** In a word or two, for the table: `rolled back`. */
  readonly label: string;
  /** What happened, after the node's name: `rolled back to release 41`. */
  readonly title: string;
  /** Why, in a sentence or two. */
  readonly text: string;
  readonly at: string;
  /** What to type on the node. */
  readonly command?: string;
}

/** How far a consumer is behind its publisher. */
export interface Lag {
  /** The newest release of the publisher. */
  readonly newest: ReleaseName;
  readonly publisher: string;
  /** How many releases newer than the active one there are; `null` where that is unknown. */
  readonly releases: number | null;
  /** Whether there are more than the dashboard remembers. */
  readonly isAtLeast: boolean;
  /** When the first of those was published; `null` where the node is on the newest. */
  readonly since: string | null;
}

export const GROUPS = ["consumers", "publishers", "references"] as const;
export type Group = (typeof GROUPS)[number];

/** When a role of a node is due. */
export interface Due {
  readonly role: string;
  readonly at: string;
}

/** A node as pages show it. */
export interface NodeView {
  readonly row: NodeRow;
  readonly group: Group;
  readonly state: NodeState;
  readonly troubles: readonly Trouble[];
  /** `null` for what is no consumer, and where no publisher reports. */
  readonly lag: Lag | null;
  readonly next: Due | null;
  /** How far the node's clock is ahead of the dashboard's, in milliseconds; 0 within the time that a report takes. */
  readonly clockAheadMs: number;
}
