import type { ComponentChildren } from "preact";
import { percent, type Tick } from "../charts/time_axis.ts";
import { Details } from "./Details.tsx";

interface ChartProps {
  /** The caption above the chart. */
  readonly caption: ComponentChildren;
  /** The text alternative of the chart. */
  readonly summary: string;
  /** The height of the plot in pixels. */
  readonly height: number;
  readonly yTicks?: readonly Tick[];
  /** Labels of the time axis for wide and narrow screens. */
  readonly xTicks: { readonly wide: readonly Tick[]; readonly narrow: readonly Tick[] };
  /** The legend of lines and marks. */
  readonly legend?: ComponentChildren;
  /** Marks as SVG, placed in percent. */
  readonly children: ComponentChildren;
  /** A {@link DataTable} with the data of the chart. */
  readonly table: ComponentChildren;
  readonly live?: string | undefined;
}

/**
 * Renders a chart with its caption, axes and data. Marks stretch with the page, labels keep their size, and a phone
 * shows fewer of them.
 */
export function Chart(
  { caption, summary, height, yTicks, xTicks, legend, children, table, live }: ChartProps,
) {
  return (
    <figure class="chart" data-live={live}>
      <figcaption>
        <span>{caption}</span>
        {legend !== undefined && <ul class="legend">{legend}</ul>}
      </figcaption>
      <div class={yTicks === undefined ? undefined : "chart-grid-y"}>
        {yTicks !== undefined && (
          <svg width="100%" height={height} aria-hidden="true">
            {yTicks.map(({ part, label }) => (
              <text x="100%" y={(1 - part) * height} dy=".32em" text-anchor="end">{label}</text>
            ))}
          </svg>
        )}
        <svg width="100%" height={height} role="img" aria-label={summary}>
          {yTicks?.map(({ part }) => {
            const y = (1 - part) * height;
            return <line class="gridline" x1="0" x2="100%" y1={y} y2={y} />;
          })}
          {children}
        </svg>
        <svg class="chart-x" width="100%" height="22" aria-hidden="true">
          <TimeTicks ticks={xTicks.wide} name="from-wide" />
          <TimeTicks ticks={xTicks.narrow} name="to-narrow" />
        </svg>
      </div>
      <Details summary="Data">{table}</Details>
    </figure>
  );
}

/** Labels within this distance of an end are aligned to the end. */
const EDGE = 0.04;

function TimeTicks({ ticks, name }: { readonly ticks: readonly Tick[]; readonly name: string }) {
  return (
    <g class={name}>
      {ticks.map(({ part, label }) => (
        <>
          <line class="tick" x1={percent(part)} x2={percent(part)} y1="0" y2="4" />
          <text
            x={percent(part)}
            y="17"
            text-anchor={part < EDGE ? "start" : part > 1 - EDGE ? "end" : "middle"}
          >
            {label}
          </text>
        </>
      ))}
    </g>
  );
}

interface DataTableProps {
  readonly caption: string;
  readonly columns: readonly string[];
  /** Cells, in the order of the columns. */
  readonly rows: readonly (readonly ComponentChildren[])[];
}

/** Renders the data of a chart. On a phone it scrolls sideways, because readers compare its rows. */
export function DataTable({ caption, columns, rows }: DataTableProps) {
  return (
    <div class="scroll" role="group" aria-label={caption} tabIndex={0}>
      <table class="data">
        <caption class="unseen">{caption}</caption>
        <thead>
          <tr>{columns.map((column) => <th key={column} scope="col">{column}</th>)}</tr>
        </thead>
        <tbody>
          {rows.map((cells) => (
            <tr>
              {cells.map((cell) => <td>{cell}</td>)}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** Width of the grid on which lines are drawn. It stretches with the page. */
export const COURSE_WIDTH = 1000;

/** Renders a line that stretches with the page. */
export function Course({ path, height }: { readonly path: string; readonly height: number }) {
  return (
    <svg
      width="100%"
      height={height}
      viewBox={`0 0 ${COURSE_WIDTH} ${height}`}
      preserveAspectRatio="none"
    >
      <path class="line-course" d={path} vector-effect="non-scaling-stroke" />
    </svg>
  );
}

/** Renders a sample of a line for a legend. */
export function Swatch({ name }: { readonly name: string }) {
  return (
    <svg width="20" height="12" aria-hidden="true">
      <line class={name} x1="1" x2="19" y1="6" y2="6" />
    </svg>
  );
}
