import { ActivationBand } from "../../web/components/ActivationBand.tsx";
import { MetricChart } from "../../web/components/MetricChart.tsx";
import { PageTitle } from "../../web/components/PageTitle.tsx";
import { RunChart } from "../../web/components/RunChart.tsx";
import { Section } from "../../web/components/Section.tsx";
import { StepChart } from "../../web/components/StepChart.tsx";
import type { Activation, MetricCourse, RunRow } from "../../web/store/rows.ts";
import { digestOf, minutesAgo, NOW } from "./gallery_data.ts";

const DAY = 24 * 60;

/** Returns activations by days ago and sequence. A lower sequence is a rollback. */
export function activationsOf(days: readonly (readonly [number, number])[]): readonly Activation[] {
  return days.map(([ago, sequence], index) => {
    const before = days[index - 1]?.[1] ?? 0;
    return {
      node: "bot-paris",
      digest: digestOf(`${sequence}c571816245a5`),
      sequence,
      at: minutesAgo(ago * DAY),
      runId: `run-${index}`,
      outcome: sequence < before ? "rolled-back" : "activated",
    };
  });
}

/** Returns a run a day from durations in milliseconds: negative ones failed, those below 500 ms changed nothing. */
export function runRows(durations: readonly number[]): readonly RunRow[] {
  return durations.map((duration, index) => ({
    node: "bot-paris",
    runId: `run-${index}`,
    command: "pull",
    outcome: duration < 0 ? "failed" : duration < 500 ? "unchanged" : "activated",
    startedAt: minutesAgo((durations.length - index) * DAY),
    durationMs: Math.abs(duration),
    ...duration < 500 ? {} : { writtenBytes: duration * 7_919 },
  }));
}

function courseOf(values: readonly (number | null)[], rest: Partial<MetricCourse> = {}): MetricCourse {
  return {
    name: "win_rate",
    direction: "higher",
    baseline: 0.55,
    maxDegradation: 0.15,
    catastrophic: 0.4,
    samples: values.map((value, index) => ({ at: minutesAgo(150 - index * 3), value })),
    ...rest,
  };
}

const MONTH = [
  8,
  7.6,
  0.2,
  8.2,
  9,
  0.3,
  7.9,
  8.1,
  8.4,
  7.7,
  12,
  8,
  0.2,
  8.3,
  7.9,
  -8.2,
  8.8,
  9.4,
  8.1,
  7.9,
  8,
  8.5,
];
const FROM = new Date(NOW.getTime() - 30 * DAY * 60_000);

const PULL = [
  { name: "resolve", startMs: 0, durationMs: 210 },
  { name: "download", startMs: 210, durationMs: 4_120 },
  { name: "verify", startMs: 2_300, durationMs: 2_400 },
  { name: "validate", startMs: 4_700, durationMs: 2_180 },
  { name: "activate", startMs: 6_880, durationMs: 22 },
  { name: "reload", startMs: 6_902, durationMs: 790 },
];

/** Renders every chart. */
export function ChartsSample() {
  return (
    <>
      <PageTitle>Charts</PageTitle>
      <Section title="Release history" note="30 days">
        <ActivationBand
          from={FROM}
          to={NOW}
          activations={activationsOf([[35, 37], [26, 38], [19, 39], [18, 40], [9.5, 41], [1.3, 42], [
            0.8,
            41,
          ]])}
        />
      </Section>
      <Section title="Runs" note="30 days">
        <div class="charts">
          <RunChart runs={runRows(MONTH.map((seconds) => seconds * 1_000))} measure="duration" />
          <RunChart runs={runRows(MONTH.map((seconds) => seconds * 1_000))} measure="bytes" />
        </div>
      </Section>
      <Section title="Canary" note="rolled back after 31 min">
        <div class="charts">
          <MetricChart
            course={courseOf([
              0.55,
              0.54,
              0.56,
              null,
              null,
              0.53,
              0.52,
              0.5,
              0.49,
              0.51,
              0.47,
              0.46,
              0.44,
              0.39,
            ])}
          />
          <MetricChart
            course={courseOf([210, 190, 220, 240, 230, 215, 200, 260, 250, 222], {
              name: "latency_p95_ms",
              direction: "lower",
              baseline: 200,
              maxDegradation: 0.5,
              catastrophic: null,
            })}
          />
        </div>
      </Section>
      <div class="charts">
        <Section title="Pull of today, 06:00" note="7.7 s">
          <StepChart steps={PULL} outcome="activated" />
        </Section>
        <Section title="Pull with its canary" note="rolled back after 4 h">
          <StepChart
            steps={[...PULL, { name: "canary", startMs: 7_692, durationMs: 4 * 3_600_000 }]}
            outcome="rolled-back"
          />
        </Section>
      </div>
    </>
  );
}

/** Renders charts of rare and of hostile data. */
export function ExtremesSample() {
  const minute = 1 / DAY;
  return (
    <>
      <PageTitle>Extremes</PageTitle>
      <Section title="Nothing, and one">
        <ActivationBand from={FROM} to={NOW} activations={[]} />
        <ActivationBand from={FROM} to={NOW} activations={activationsOf([[3, 1]])} />
        <RunChart runs={[]} measure="duration" />
        <RunChart runs={runRows([8_100])} measure="duration" />
        <MetricChart course={courseOf([])} />
        <MetricChart course={courseOf([0.5])} />
        <StepChart steps={[{ name: "resolve", startMs: 0, durationMs: 0 }]} outcome="failed" />
      </Section>
      <Section title="Many releases">
        <ActivationBand
          from={FROM}
          to={NOW}
          activations={activationsOf(
            Array.from({ length: 120 }, (_, index) => [30 - index / 4, index + 900]),
          )}
          quarantined={new Set([digestOf("930c571816245a5")])}
        />
        <ActivationBand
          caption="An hour"
          from={new Date(NOW.getTime() - 3_600_000)}
          to={NOW}
          activations={activationsOf([[55 * minute, 41], [20 * minute, 42], [19 * minute, 41]])}
        />
      </Section>
      <Section title="Outliers">
        <RunChart
          runs={runRows([
            8_000,
            8_200,
            7_900,
            8_100,
            14_400_000,
            8_000,
            -900_000,
            8_100,
            8_300,
            8_000,
            8_100,
            7_000,
          ])}
          measure="duration"
        />
        <RunChart
          runs={runRows(Array.from({ length: 150 }, (_, index) => 500 + (index * 7_919) % 9_000))}
          measure="bytes"
        />
        <RunChart runs={runRows(Array.from({ length: 30 }, () => -120))} measure="duration" />
      </Section>
      <Section title="Odd metrics">
        <MetricChart course={courseOf([1, 1, 1], { baseline: null, catastrophic: null, name: "constant" })} />
        <MetricChart
          course={courseOf([null, null], { baseline: 0, direction: "lower", name: "no values" })}
        />
        <MetricChart
          course={courseOf([1e308, -1e308, 0], {
            direction: null,
            name: `\u202e${"drawdown_of_the_month_".repeat(6)}`,
          })}
        />
        <MetricChart course={courseOf([1.2e-9, 1.4e-9, 1.3e-9], { baseline: 1.3e-9, catastrophic: null })} />
      </Section>
      <Section title="Odd steps">
        <StepChart
          steps={Array.from({ length: 12 }, (_, index) => ({
            name: index === 5 ? "a-step-with-a-name-that-is-far-too-long\u0007" : `step-${index}`,
            startMs: index,
            durationMs: index === 9 ? 14_400_000 : 1,
          }))}
          outcome="failed"
        />
      </Section>
    </>
  );
}
