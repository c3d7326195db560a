import { formatDuration } from "../../lib/core/format.ts";
import { percent } from "../charts/time_axis.ts";
import { type Step, stepScale } from "../charts/step_scale.ts";
import { type Tone, toneOfOutcome } from "../fleet/tone.ts";
import { shownText } from "../shared/shown_text.ts";

interface StepChartProps {
  /** In the order of their starts. They may overlap. */
  readonly steps: readonly Step[];
  /** The outcome of the run: the last step of a failed run is marked. */
  readonly outcome: string;
}

/** Renders the steps of a run on a time axis, as a table. Overlapping steps are below each other. */
export function StepChart({ steps, outcome }: StepChartProps) {
  if (steps.length === 0) return null;
  const { part, isCompressed } = stepScale(steps);
  const runTone = toneOfOutcome(outcome);
  const last = steps.reduce((latest, step) => endOf(step) >= endOf(latest) ? step : latest);
  return (
    <figure class="chart">
      <table class="steps">
        <caption class="unseen">Steps of the run</caption>
        <thead class="unseen">
          <tr>
            <th scope="col">Step</th>
            <th scope="col">When</th>
            <th scope="col">Time</th>
          </tr>
        </thead>
        <tbody>
          {steps.map((step) => {
            const tone: Tone = step === last && (runTone === "bad" || runTone === "warn") ? runTone : "calm";
            const start = formatDuration(step.startMs);
            return (
              <tr class={`tone-${tone}`}>
                <th scope="row">{shownText(step.name)}</th>
                <td>
                  <svg width="100%" height="14" role="img" aria-label={`starts after ${start}`}>
                    <title>{`starts after ${start}`}</title>
                    <line x1={percent(part(step.startMs))} x2={percent(part(endOf(step)))} y1="7" y2="7" />
                  </svg>
                </td>
                <td>{formatDuration(step.durationMs)}</td>
              </tr>
            );
          })}
        </tbody>
      </table>
      {isCompressed && (
        <figcaption class="chart-note">
          Not to scale: long steps are shortened so that short ones stay visible.
        </figcaption>
      )}
    </figure>
  );
}

function endOf({ startMs, durationMs }: Step): number {
  return startMs + durationMs;
}
