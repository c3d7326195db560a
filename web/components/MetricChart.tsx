import { useContext } from "preact/hooks";
// @ts-types="@types/d3-shape"
import { line } from "d3-shape";
import { formatNumber } from "../../lib/canary/reading.ts";
import { plural } from "../../lib/core/format.ts";
import { metricLimits } from "../charts/metric_limits.ts";
import { partOf, percent, timeTicks } from "../charts/time_axis.ts";
import { metricAxis } from "../charts/value_axis.ts";
import { shownText } from "../shared/shown_text.ts";
import type { MetricCourse } from "../store/rows.ts";
import { Chart, Course, COURSE_WIDTH, DataTable, Swatch } from "./Chart.tsx";
import { PageContext } from "./PageContext.tsx";
import { Time } from "./Time.tsx";

const HEIGHT = 150;

/** Renders the samples of a canary's metric with its baseline and limits. */
export function MetricChart({ course }: { readonly course: MetricCourse }) {
  const { zone } = useContext(PageContext);
  const name = shownText(course.name);
  const samples = course.samples.map(({ at, value }) => ({ at: new Date(at), value }));
  const first = samples[0];
  const last = samples.at(-1);
  if (first === undefined || last === undefined) {
    return <p class="quiet-text">{name}: no sample yet.</p>;
  }
  const limits = metricLimits(course);
  const values = samples.flatMap(({ value }) => value ?? []);
  const axis = metricAxis([...values, ...limits.map(({ value }) => value)]);
  const span = { from: first.at, to: last.at };
  const x = (at: Date) => samples.length === 1 ? 0.5 : partOf(span, at);
  const y = (value: number) => HEIGHT * (1 - axis.part(value));
  const path = line<{ readonly at: Date; readonly value: number | null }>(
    ({ at }) => x(at) * COURSE_WIDTH,
    ({ value }) => y(value ?? 0),
  ).defined(({ value }) => value !== null)(samples);
  const beyond = (value: number) => limits.some((limit) => limit.isBeyond(value));
  return (
    <Chart
      caption={<bdi>{name}</bdi>}
      summary={courseWords(name, values, samples.length)}
      height={HEIGHT}
      yTicks={axis.ticks}
      xTicks={{ wide: timeTicks(span, zone, 8), narrow: timeTicks(span, zone, 3) }}
      legend={limits.map(({ label, kind, value }) => (
        <li>
          <Swatch name={`line-${kind}`} /> {label} {formatNumber(value)}
        </li>
      ))}
      table={
        <DataTable
          caption={`Samples of ${name}`}
          columns={["Time", "Value"]}
          rows={samples.toReversed().map(({ at, value }) => [
            <Time at={at.toISOString()} style="exact" />,
            value === null ? "no value" : formatNumber(value),
          ])}
        />
      }
    >
      {limits.map(({ kind, value }) => (
        <line class={`line-${kind}`} x1="0" x2="100%" y1={y(value)} y2={y(value)} />
      ))}
      {path !== null && <Course path={path} height={HEIGHT} />}
      {samples.map(({ at, value }) =>
        value !== null && (
          <circle
            class={beyond(value) ? "point-beyond" : "point-changed"}
            cx={percent(x(at))}
            cy={y(value)}
            r={beyond(value) ? 4.5 : 3}
          >
            <title>{formatNumber(value)}</title>
          </circle>
        )
      )}
    </Chart>
  );
}

function courseWords(name: string, values: readonly number[], samples: number): string {
  const last = values.at(-1);
  const gaps = samples - values.length;
  return `${name}: ${plural(values.length, "value")}` +
    (last === undefined ? "" : `, ${formatNumber(last)} last`) +
    (gaps === 0 ? "" : `, ${plural(gaps, "sample")} without a value`);
}
