import { spoken, type Tone, toneOfOutcome, TONES } from "../fleet/tone.ts";

/** Runs in a strip. */
const STRIP_SLOTS = 30;

const SLOT = 6;
const BAR = 4;
const HEIGHT = 22;

/** Heights of bars: failures stand out even without colours. */
const TALL: Readonly<Record<Tone, number>> = { good: 13, quiet: 5, warn: 18, bad: 22, calm: 9 };

/** The part of a run that a strip needs. */
interface StripBar {
  readonly outcome: string;
}

/** Returns an SVG path for each tone of the newest runs, which are at the right end. */
export function stripPaths(runs: readonly StripBar[]): ReadonlyMap<Tone, string> {
  const shown = runs.slice(-STRIP_SLOTS);
  const first = STRIP_SLOTS - shown.length;
  const paths = new Map<Tone, string>();
  for (const [index, { outcome }] of shown.entries()) {
    const tone = toneOfOutcome(outcome);
    const tall = TALL[tone];
    const bar = `M${(first + index) * SLOT} ${HEIGHT - tall}h${BAR}v${tall}h-${BAR}z`;
    paths.set(tone, (paths.get(tone) ?? "") + bar);
  }
  return paths;
}

/** Returns a text alternative: `Last 30 runs: 28 good, 1 failed, 1 rolled back`. */
export function stripWords(runs: readonly StripBar[]): string {
  const shown = runs.slice(-STRIP_SLOTS);
  if (shown.length === 0) return "No runs yet";
  const counts = new Map<string, number>();
  for (const { outcome } of shown) {
    const tone = toneOfOutcome(outcome);
    const word = tone === "good" ? "good" : spoken(outcome);
    counts.set(word, (counts.get(word) ?? 0) + 1);
  }
  const words = [...counts].sort(([, one], [, other]) => other - one).map(([word, count]) =>
    `${count} ${word}`
  );
  return `Last ${shown.length === 1 ? "run" : `${shown.length} runs`}: ${words.join(", ")}`;
}

/** The drawing of a strip. Rows of nodes stay in memory between pages, and their drawings with them. */
interface Drawing {
  readonly paths: ReadonlyMap<Tone, string>;
  readonly words: string;
}
const drawings = new WeakMap<readonly StripBar[], Drawing>();

function drawingOf(runs: readonly StripBar[]): Drawing {
  const known = drawings.get(runs);
  if (known !== undefined) return known;
  const drawing = { paths: stripPaths(runs), words: stripWords(runs) };
  drawings.set(runs, drawing);
  return drawing;
}

/** Renders the last runs of a node as bars, oldest on the left. The array of runs must not change afterwards. */
export function RunStrip({ runs }: { readonly runs: readonly StripBar[] }) {
  const { paths, words } = drawingOf(runs);
  const free = STRIP_SLOTS - Math.min(runs.length, STRIP_SLOTS);
  return (
    <svg
      class="strip"
      viewBox={`0 0 ${STRIP_SLOTS * SLOT - (SLOT - BAR)} ${HEIGHT}`}
      role="img"
      aria-label={words}
    >
      {free > 0 && <path class="strip-free" d={`M0 ${HEIGHT - 1}h${free * SLOT - (SLOT - BAR)}v1H0z`} />}
      {TONES.map((tone) => {
        const path = paths.get(tone);
        return path === undefined ? null : <path key={tone} class={`tone-${tone}`} d={path} />;
      })}
    </svg>
  );
}
