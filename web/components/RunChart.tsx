import { useContext } from "preact/hooks";
// @ts-types="@types/d3-shape"
import { line } from "d3-shape";
import { plural } from "../../lib/core/format.ts";
import { addresses } from "../shared/addresses.ts";
import { partOf, percent, timeTicks } from "../charts/time_axis.ts";
import { formatValue, type Unit, valueAxis } from "../charts/value_axis.ts";
import { type RunPoint, runPoints } from "../charts/run_points.ts";
import type { RunRow } from "../store/rows.ts";
import { timeWords } from "../shared/time_words.ts";
import { Chart, Course, COURSE_WIDTH, DataTable, Swatch } from "./Chart.tsx";
import { Mark, Outcome } from "./Mark.tsx";
import { PageContext } from "./PageContext.tsx";
import { Time } from "./Time.tsx";

interface RunChartProps {
  /** Runs of one node, in any order. Runs in progress are left out. */
  readonly runs: readonly RunRow[];
  /** The value to draw: duration or bytes written. */
  readonly measure: Unit;
  readonly caption?: string;
  readonly live?: string;
}

const HEIGHT = 150;
/** More points than this are drawn smaller, because they would touch. */
const DENSE = 90;

const CAPTIONS: Readonly<Record<Unit, string>> = { duration: "Duration", bytes: "Bytes written" };

/** Renders the durations or the written bytes of runs over time. */
export function RunChart({ runs, measure, caption = CAPTIONS[measure], live }: RunChartProps) {
  const { zone } = useContext(PageContext);
  const { points, median, limit } = runPoints(runs, measure);
  const first = points[0];
  const last = points.at(-1);
  if (first === undefined || last === undefined) {
    return <p class="quiet-text" data-live={live}>{caption}: no run has ended yet.</p>;
  }
  const span = { from: first.at, to: last.at };
  const axis = valueAxis(limit, measure);
  const x = (point: RunPoint) => points.length === 1 ? 0.5 : partOf(span, point.at);
  const y = (value: number) => HEIGHT * (1 - Math.min(1, axis.part(value)));
  const course = points.filter(({ kind }) => kind === "changed");
  const path = line<RunPoint>((point) => x(point) * COURSE_WIDTH, (point) => y(point.value))(course);
  const kinds = new Set(points.map(({ kind }) => kind));
  return (
    <Chart
      caption={caption}
      summary={runChartWords(points, median, measure)}
      height={HEIGHT}
      yTicks={axis.ticks}
      xTicks={{ wide: timeTicks(span, zone, 8), narrow: timeTicks(span, zone, 3) }}
      legend={
        <>
          {median !== null && (
            <li>
              <Swatch name="line-median" /> median {formatValue(median, measure)}
            </li>
          )}
          {kinds.has("unchanged") && (
            <li>
              <Mark tone="quiet" shape="ring" /> nothing changed
            </li>
          )}
          {kinds.has("failed") && (
            <li>
              <Mark tone="bad" /> failed or rolled back
            </li>
          )}
        </>
      }
      live={live}
      table={
        <DataTable
          caption={`${caption} of runs`}
          columns={["Start", "Outcome", CAPTIONS[measure]]}
          rows={points.toReversed().map(({ run, value }) => [
            <a href={addresses.run(run.runId, run.node)}>
              <Time at={run.startedAt} style="clock" />
            </a>,
            <Outcome outcome={run.outcome} />,
            formatValue(value, measure),
          ])}
        />
      }
    >
      {median !== null && <line class="line-median" x1="0" x2="100%" y1={y(median)} y2={y(median)} />}
      {path !== null && course.length > 1 && <Course path={path} height={HEIGHT} />}
      {points.map((point) => (
        <Point
          point={point}
          x={percent(x(point))}
          y={y(point.value)}
          unit={measure}
          isCut={point.value > axis.top}
          radius={points.length > DENSE ? 1.75 : 3.25}
        />
      ))}
    </Chart>
  );
}

interface PointProps {
  readonly point: RunPoint;
  readonly x: string;
  readonly y: number;
  readonly unit: Unit;
  /** Whether its value is above the chart. */
  readonly isCut: boolean;
  readonly radius: number;
}

/** A cross and an arrow around the origin. */
const CROSS = "M-4.5-3-3-4.5 0-1.5 3-4.5 4.5-3 1.5 0 4.5 3 3 4.5 0 1.5-3 4.5-4.5 3-1.5 0z";
const ARROW = "M0-5 5 3H-5z";

function Point({ point: { run, value, kind, at }, x, y, unit, isCut, radius }: PointProps) {
  const { now, zone } = useContext(PageContext);
  const title = (
    <title>{`${timeWords(at, "clock", now, zone)}: ${run.outcome}, ${formatValue(value, unit)}`}</title>
  );
  if (kind === "failed" || isCut) {
    return (
      <svg class={`mark-at tone-${kind === "failed" ? "bad" : "calm"}`} x={x} y={y}>
        {title}
        <path d={isCut ? ARROW : CROSS} />
        {isCut && <text class="from-wide" x="9" dy=".4em">{formatValue(value, unit)}</text>}
      </svg>
    );
  }
  return <circle class={`point-${kind}`} cx={x} cy={y} r={radius}>{title}</circle>;
}

function runChartWords(points: readonly RunPoint[], median: number | null, unit: Unit): string {
  const failed = points.filter(({ kind }) => kind === "failed").length;
  const middle = median === null ? "" : `, median ${formatValue(median, unit)}`;
  return `${plural(points.length, "run")}${middle}${failed === 0 ? "" : `, ${failed} failed or rolled back`}`;
}
