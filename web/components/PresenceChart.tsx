import { useContext } from "preact/hooks";
import { plural } from "../../lib/core/format.ts";
import { presencePath, type PresenceStep, presenceSteps } from "../charts/presence.ts";
import type { Span } from "../charts/time_axis.ts";
import type { Presence } from "../fleet/listed_release.ts";
import type { Tone } from "../fleet/tone.ts";
import { timeWords } from "../shared/time_words.ts";
import { PageContext } from "./PageContext.tsx";

const WIDTH = 200;
const HEIGHT = 24;

interface PresenceChartProps {
  readonly presences: readonly Presence[];
  readonly span: Span;
  /** The count that fills the height; the same in all rows of a table. */
  readonly most: number;
  readonly tone: Tone;
}

/** Renders on how many nodes a release was active over time, small enough for a table row. */
export function PresenceChart({ presences, span, most, tone }: PresenceChartProps) {
  const { now, zone } = useContext(PageContext);
  const steps = presenceSteps(presences, span);
  const path = presencePath(steps, span, most, { width: WIDTH, height: HEIGHT });
  return (
    <svg
      class="presence"
      viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
      preserveAspectRatio="none"
      role="img"
      aria-label={presenceWords(steps, (at) => timeWords(at, "clock", now, zone))}
    >
      <path class="presence-ground" d={`M0 ${HEIGHT - 1}H${WIDTH}V${HEIGHT}H0z`} />
      {path !== "" && <path class={`tone-${tone}`} d={path} />}
    </svg>
  );
}

/** Returns a text alternative: `Active from 12 Nov 06:02 to 13 Nov 06:01, on up to 4 nodes`. */
function presenceWords(steps: readonly PresenceStep[], words: (at: Date) => string): string {
  const first = steps.find(({ count }) => count > 0);
  const last = steps.findLast(({ count }) => count > 0);
  if (first === undefined || last === undefined) return "Not active in this time";
  const most = steps.reduce((max, { count }) => Math.max(max, count), 0);
  const end = last === steps.at(-1) ? "on" : `to ${words(steps[steps.indexOf(last) + 1]?.at ?? last.at)}`;
  return `Active from ${words(first.at)} ${end}, on up to ${plural(most, "node")}`;
}
