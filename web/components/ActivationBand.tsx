import { useContext } from "preact/hooks";
import { plural } from "../../lib/core/format.ts";
import { shortDigest } from "../../lib/release/manifest.ts";
import { type BandSegment, bandSegments } from "../charts/band_segments.ts";
import { partOf, percent, type Span, timeTicks } from "../charts/time_axis.ts";
import { spoken } from "../fleet/tone.ts";
import type { Activation } from "../store/rows.ts";
import { timeWords } from "../shared/time_words.ts";
import { Chart, DataTable } from "./Chart.tsx";
import { Mark } from "./Mark.tsx";
import { PageContext } from "./PageContext.tsx";
import { ReleaseChip } from "./Links.tsx";
import { Time } from "./Time.tsx";

interface ActivationBandProps {
  /** Activations of one node, in any order. */
  readonly activations: readonly Activation[];
  readonly from: Date;
  readonly to: Date;
  /** The releases that the node has quarantined. */
  readonly quarantined?: ReadonlySet<string>;
  readonly caption?: string;
  readonly live?: string;
}

/** Height for marks above the band, in pixels. */
const HEAD = 16;
const HEIGHT = 56;

/**
 * Renders the active releases over time as a band. Releases that the node rolled back from or quarantined are marked.
 */
export function ActivationBand(
  { activations, from, to, quarantined, caption = "Active releases", live }: ActivationBandProps,
) {
  const { zone } = useContext(PageContext);
  const span = { from, to };
  const segments = bandSegments(activations, from, to, quarantined);
  if (segments.length === 0) return <p class="quiet-text" data-live={live}>{caption}: none in this time.</p>;
  const marked = segments.filter(({ fate }) => fate !== "kept");
  return (
    <Chart
      caption={caption}
      summary={bandWords(segments)}
      height={HEIGHT}
      xTicks={{ wide: timeTicks(span, zone, 8), narrow: timeTicks(span, zone, 3) }}
      legend={marked.length > 0 && (
        <li>
          <Mark tone="bad" /> rolled back or quarantined
        </li>
      )}
      live={live}
      table={
        <DataTable
          caption="Releases and when they were active"
          columns={["Release", "From", "To", "Then"]}
          rows={segments.toReversed().map(({ digest, sequence, from, to, fate }) => [
            <ReleaseChip release={{ digest, ...sequence === undefined ? {} : { sequence } }} />,
            <Time at={from.toISOString()} style="clock" />,
            to.getTime() === span.to.getTime()
              ? "still active"
              : <Time at={to.toISOString()} style="clock" />,
            fate === "kept" ? "" : spoken(fate),
          ])}
        />
      }
    >
      {segments.map((segment, index) => (
        <Segment
          segment={segment}
          span={span}
          isLast={index === segments.length - 1}
          hasRoomAbove={marked.every(({ from, to }) =>
            (partOf(span, from) + partOf(span, to)) / 2 < LABEL_ABOVE
          )}
        />
      ))}
    </Chart>
  );
}

interface SegmentProps {
  readonly segment: BandSegment;
  readonly span: Span;
  readonly isLast: boolean;
  /** Whether the place of a label above the end of the band is free of marks. */
  readonly hasRoomAbove: boolean;
}

/** Where the label above the end of the band begins on the narrowest screen. */
const LABEL_ABOVE = 0.82;

function Segment({ segment, span, isLast, hasRoomAbove }: SegmentProps) {
  const { now, zone } = useContext(PageContext);
  const start = partOf(span, segment.from);
  const width = partOf(span, segment.to) - start;
  const label = segment.sequence === undefined ? shortDigest(segment.digest) : String(segment.sequence);
  const name = segment.fate !== "kept" ? "band-bad" : isLast ? "band-last" : "band-kept";
  const isAbove = isLast && hasRoomAbove && roomFor(label, width) !== "";
  const times = [segment.from, segment.to].map((time) => timeWords(time, "clock", now, zone)).join(" to ");
  return (
    // A nested drawing clips what does not fit.
    <>
      <svg x={percent(start)} y={HEAD} width={percent(width)} height={HEIGHT - HEAD} class={name}>
        <title>{`${label}, ${times}${segment.fate === "kept" ? "" : `, ${spoken(segment.fate)}`}`}</title>
        <rect width="100%" height="100%" />
        <line x1="0.5" x2="0.5" y1="0" y2="100%" />
        <text class={isAbove ? "never" : roomFor(label, width)} x="6" y="50%" dy=".34em">
          {label}
        </text>
      </svg>
      {isAbove && <text x="100%" y="9" text-anchor="end">{label}</text>}
      {segment.fate !== "kept" && (
        <svg class="tone-bad mark-at" x={percent(start + width / 2)} y="0" width="12" height="12">
          <path d={CROSS} />
        </svg>
      )}
    </>
  );
}

/** A cross around the origin. */
const CROSS = "M-4 1.5-2.5 0 0 2.5 2.5 0 4 1.5 1.5 4 4 6.5 2.5 8 0 5.5-2.5 8-4 6.5-1.5 4z";

/** The width of a digit and the padding of a label, in pixels. */
const DIGIT = 6.7;
const ROOM = 10;
/** The minimum width of the plot, by the stylesheet's classes. */
const WIDTHS = [["", 250], ["from-wide", 560], ["from-widest", 960]] as const;

/** Returns the class that shows a label if the chart is wide enough for it. */
function roomFor(label: string, width: number): string {
  const needed = label.length * DIGIT + ROOM;
  return WIDTHS.find(([, pixels]) => width * pixels >= needed)?.[0] ?? "never";
}

/** Returns a text alternative for the band. */
function bandWords(segments: readonly BandSegment[]): string {
  const last = segments.at(-1);
  if (last === undefined) return "No release was active";
  const releases = new Set(segments.map(({ digest }) => digest)).size;
  const bad = segments.filter(({ fate }) => fate !== "kept").length;
  const newest = last.sequence === undefined ? shortDigest(last.digest) : last.sequence;
  return `${plural(releases, "release")} active, release ${newest} last` +
    (bad === 0 ? "" : `, ${bad} rolled back or quarantined`);
}
