import { spoken, type Tone, toneOfOutcome, toneOfState } from "../fleet/tone.ts";
import { shownText } from "../shared/shown_text.ts";
import { type StateKind } from "../fleet/node_view.ts";
import type { ReachWords } from "../fleet/release_reach.ts";

/** Shapes that distinguish states without colours. */
type Shape = "disc" | "ring" | "target" | "triangle" | "square" | "cross" | "bars" | "dashed" | "dash";

const PATHS: Readonly<Record<Shape, string>> = {
  disc: "M6 1.5a4.5 4.5 0 1 1 0 9 4.5 4.5 0 0 1 0-9z",
  ring: "M6 1a5 5 0 1 1 0 10A5 5 0 0 1 6 1zm0 2.2a2.8 2.8 0 1 0 0 5.6 2.8 2.8 0 0 0 0-5.6z",
  target:
    "M6 .5a5.5 5.5 0 1 1 0 11 5.5 5.5 0 0 1 0-11zm0 1.7a3.8 3.8 0 1 0 0 7.6 3.8 3.8 0 0 0 0-7.6zM6 4a2 2 0 1 1 0 4 2 2 0 0 1 0-4z",
  triangle: "M6 .8 11.6 11H.4z",
  square: "M1.5 1.5h9v9h-9z",
  cross: "M2.6.9 6 4.3 9.4.9l1.7 1.7L7.7 6l3.4 3.4-1.7 1.7L6 7.7l-3.4 3.4L.9 9.4 4.3 6 .9 2.6z",
  bars: "M2.2 1.5h2.6v9H2.2zm5 0h2.6v9H7.2z",
  dashed:
    "M4.6 1.2a5 5 0 0 1 2.8 0l-.6 2a3 3 0 0 0-1.6 0zM10.8 4.6a5 5 0 0 1 0 2.8l-2-.6a3 3 0 0 0 0-1.6zM7.4 10.8a5 5 0 0 1-2.8 0l.6-2a3 3 0 0 0 1.6 0zM1.2 7.4a5 5 0 0 1 0-2.8l2 .6a3 3 0 0 0 0 1.6z",
  dash: "M1.5 4.8h9v2.4h-9z",
};

const SHAPES: Readonly<Record<Tone, Shape>> = {
  good: "disc",
  quiet: "dash",
  warn: "triangle",
  bad: "cross",
  calm: "ring",
};

/** Renders the mark of a tone. The word beside it names the meaning. */
export function Mark({ tone, shape = SHAPES[tone] }: { readonly tone: Tone; readonly shape?: Shape }) {
  return (
    <svg class={`mark tone-${tone}`} viewBox="0 0 12 12" width="12" height="12" aria-hidden="true">
      <path fill-rule="evenodd" d={PATHS[shape]} />
    </svg>
  );
}

/** Renders the outcome of a run as a mark and a word. */
export function Outcome({ outcome }: { readonly outcome: string }) {
  const tone = toneOfOutcome(outcome);
  return (
    <span class={`state tone-${tone}`}>
      <Mark tone={tone} />
      <span>{shownText(spoken(outcome))}</span>
    </span>
  );
}

const STATE_SHAPES: Readonly<Record<StateKind, Shape>> = {
  up: "disc",
  late: "triangle",
  down: "cross",
  canary: "target",
  paused: "bars",
  "never-reported": "dashed",
};

interface StateBadgeProps {
  readonly state: StateKind;
  /** Replaces the state's own word: `canary, 38 min left`, `rolled back`. */
  readonly label?: string;
  /** Replaces the state's tone if a problem is more urgent. */
  readonly tone?: Tone;
}

/** Renders a node's state as a mark and a word. */
export function StateBadge({ state, label = spoken(state), tone }: StateBadgeProps) {
  const shown = tone ?? toneOfState(state);
  const own = tone === undefined || tone === toneOfState(state);
  return (
    <span class={`state tone-${shown}`}>
      {own ? <Mark tone={shown} shape={STATE_SHAPES[state]} /> : <Mark tone={shown} />}
      <span>{label}</span>
    </span>
  );
}

/** Renders where a release is active, as a mark and words. */
export function ReachState({ words: { tone, now } }: { readonly words: ReachWords }) {
  return (
    <span class={`state tone-${tone}`}>
      <Mark tone={tone} />
      <span>{now}</span>
    </span>
  );
}
