import type { StateKind } from "./node_view.ts";

/** The meanings of colours and shapes. */
export const TONES = ["good", "quiet", "warn", "bad", "calm"] as const;
export type Tone = (typeof TONES)[number];

const OUTCOMES: Readonly<Record<string, Tone>> = {
  activated: "good",
  published: "good",
  proposed: "good",
  trained: "good",
  promoted: "good",
  redeployed: "good",
  lifted: "good",
  reinstated: "good",
  unchanged: "quiet",
  pruned: "quiet",
  paused: "quiet",
  resumed: "quiet",
  requested: "quiet",
  "rolled-back": "warn",
  quarantined: "warn",
  withdrawn: "warn",
  interrupted: "warn",
  failed: "bad",
  refused: "bad",
  running: "calm",
};

const STATES: Readonly<Record<StateKind, Tone>> = {
  up: "good",
  late: "warn",
  down: "bad",
  canary: "calm",
  paused: "quiet",
  "never-reported": "quiet",
};

/** Returns the tone of a run's outcome; quiet for unknown outcomes. */
export function toneOfOutcome(outcome: string): Tone {
  return Object.hasOwn(OUTCOMES, outcome) ? OUTCOMES[outcome] ?? "quiet" : "quiet";
}

/** Returns the tone of a node's state. */
export function toneOfState(state: StateKind): Tone {
  return STATES[state];
}

/** Returns an outcome or a state as shown on pages: `rolled back`, `never reported`. */
export function spoken(name: string): string {
  return name.replaceAll("-", " ");
}
