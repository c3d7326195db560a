import { useContext } from "preact/hooks";
import { addresses } from "../shared/addresses.ts";
import { formatDuration, plural } from "../../lib/core/format.ts";
import { partOf, percent, type Span } from "../charts/time_axis.ts";
import { releaseWords } from "../shared/words.ts";
import type { NodePeriods, ReleaseView } from "../fleet/view_release.ts";
import type { Tone } from "../fleet/tone.ts";
import type { ActivePeriod } from "../store/read_activations.ts";
import { timeWords } from "../shared/time_words.ts";
import { Mark } from "./Mark.tsx";
import { NodeLink } from "./Links.tsx";
import { PageContext } from "./PageContext.tsx";
import { Shortened } from "./Details.tsx";
import { Cell, Row, Table } from "./Table.tsx";
import { Time } from "./Time.tsx";
import { Section } from "./Section.tsx";

/** The page shows no more nodes; the API has all of them. */
const SHOWN_MAX = 200;
/** Nodes that are shown unfolded. The most important ones come first. */
const AT_ONCE = 12;

const TONES: Readonly<Record<NodePeriods["fate"], Tone>> = {
  "active": "good",
  "canary": "calm",
  "rolled back": "bad",
  "replaced": "quiet",
  "no longer active": "quiet",
};

interface PeriodTableProps {
  /** In display order. */
  readonly nodes: readonly NodePeriods[];
  readonly span: Span;
}

/** Renders where a release was active: a row a node, on one time axis. */
export function PeriodTable({ nodes, span }: PeriodTableProps) {
  const { now, zone } = useContext(PageContext);
  const [from, to] = [span.from, span.to].map((time) => timeWords(time, "clock", now, zone));
  const columns = [
    { label: "Node", size: "large" },
    { label: "State", size: "large" },
    { label: "Last active", size: "large" },
    { label: `${from} to ${span.to.getTime() === now.getTime() ? "now" : to}` },
  ] as const;
  return (
    <>
      <Shortened items={nodes.slice(0, SHOWN_MAX)} atOnce={AT_ONCE} noun="node">
        {(some) => (
          <Table caption="Where it was active" columns={columns}>
            {some.map((node) => <PeriodRow key={node.node} node={node} span={span} />)}
          </Table>
        )}
      </Shortened>
      {nodes.length > SHOWN_MAX && (
        <p class="more">The first {SHOWN_MAX} of {plural(nodes.length, "node")} are shown.</p>
      )}
    </>
  );
}

function PeriodRow({ node, span }: { readonly node: NodePeriods; readonly span: Span }) {
  const { periods, fate } = node;
  const last = periods.at(-1);
  if (last === undefined) return null;
  const isActive = fate === "active" || fate === "canary";
  return (
    <Row>
      <Cell label="" kind="head" note={periods.length > 1 ? `active ${periods.length} times` : undefined}>
        <NodeLink node={node.node} />
      </Cell>
      <Cell label="State">
        <span class={`state tone-${TONES[fate]}`}>
          <Mark tone={TONES[fate]} />
          <span>
            {fate === "canary" ? "in canary" : fate}
            {last.next !== null && (
              <>
                {fate === "rolled back" ? " to " : " by "}
                <a class="release" href={addresses.release(last.next.digest)} title={last.next.digest}>
                  {releaseWords(last.next)}
                </a>
              </>
            )}
          </span>
        </span>
      </Cell>
      <Cell label="Last active" note={<Until period={last} isActive={isActive} />}>
        <Time at={last.at} style="clock" />
      </Cell>
      <Cell label="When" kind="wide">
        <PeriodBars node={node} span={span} />
      </Cell>
    </Row>
  );
}

interface UntilProps {
  readonly period: ActivePeriod;
  readonly isActive: boolean;
}

/** Renders the end and the duration of a period. */
function Until({ period: { at, until }, isActive }: UntilProps) {
  const { now } = useContext(PageContext);
  if (until === null && !isActive) return <>end unknown</>;
  const end = until === null ? now.getTime() : Date.parse(until);
  const length = formatDuration(Math.max(0, end - Date.parse(at)));
  if (until === null) return <>for {length}</>;
  return (
    <>
      to <Time at={until} style="clock" />, {length}
    </>
  );
}

const HEIGHT = 14;

function PeriodBars({ node: { periods, fate }, span }: { readonly node: NodePeriods; readonly span: Span }) {
  const { now, zone } = useContext(PageContext);
  const words = periods.map(({ at, until, next }) => {
    const [from, to] = [at, until].map((time) =>
      time === null ? "now" : timeWords(new Date(time), "clock", now, zone)
    );
    return `${from} to ${to}${next === null ? "" : `, then ${releaseWords(next)}`}`;
  });
  return (
    <svg class="periods" width="100%" height={HEIGHT} role="img" aria-label={words.join("; ")}>
      <rect class="periods-ground" width="100%" height={HEIGHT} rx="2" />
      {periods.map(({ at, until, next }) => {
        const start = Math.max(0, partOf(span, new Date(at)));
        const end = Math.min(1, until === null ? 1 : partOf(span, new Date(until)));
        const tone = next?.outcome === "rolled-back" ? "bad" : next === null ? TONES[fate] : "quiet";
        return (
          <rect
            class={`tone-${tone}`}
            x={percent(start)}
            width={percent(Math.max(SEEN, end - start))}
            height={HEIGHT}
            rx="2"
          />
        );
      })}
    </svg>
  );
}

/** Minimum width as a fraction: minutes in a month must stay visible. */
const SEEN = 0.006;

interface WhereActiveProps {
  readonly view: ReleaseView;
  readonly now: Date;
}

/** Renders where a release was active, from its first activation until now or until its last node replaced it. */
export function WhereActive({ view: { nodes }, now }: WhereActiveProps) {
  const periods = nodes.flatMap((node) => node.periods);
  if (periods.length === 0) {
    return (
      <Section title="Where it was active" live="periods">
        <p class="quiet-text">No consumer has activated this release yet.</p>
      </Section>
    );
  }
  const from = new Date(periods.reduce((ms, { at }) => Math.min(ms, Date.parse(at)), now.getTime()));
  const isOver = periods.every(({ until }) => until !== null);
  const end = periods.reduce((ms, { until }) => Math.max(ms, Date.parse(until ?? "") || 0), 0);
  const span = { from, to: isOver ? new Date(end) : now };
  return (
    <Section title="Where it was active" note={plural(nodes.length, "node")} id="active" live="periods">
      <PeriodTable nodes={nodes} span={span} />
    </Section>
  );
}
