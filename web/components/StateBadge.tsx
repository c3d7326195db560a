import { type StateKind } from "../fleet/node_view.ts";
import { spoken, type Tone, toneOfState } from "../fleet/tone.ts";
import { Mark, type Shape } from "./Mark.tsx";

const SHAPES: Readonly<Record<StateKind, Shape>> = {
  up: "disc",
  late: "triangle",
  down: "cross",
  canary: "target",
  paused: "bars",
  "never-reported": "dashed",
};

interface StateBadgeProps {
  readonly state: StateKind;
  /** Instead of the state's own word: `canary, 38 min left`, `rolled back`. */
  readonly label?: string;
  /** Where a trouble weighs more than the state. */
  readonly tone?: Tone;
}

/** Renders a node's state as a shape and a word. */
export function StateBadge({ state, label = spoken(state), tone }: StateBadgeProps) {
  const shown = tone ?? toneOfState(state);
  const own = tone === undefined || tone === toneOfState(state);
  return (
    <span class={`state tone-${shown}`}>
      {own ? <Mark tone={shown} shape={SHAPES[state]} /> : <Mark tone={shown} />}
      <span>{label}</span>
    </span>
  );
}
