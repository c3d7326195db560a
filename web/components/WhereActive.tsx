import { plural } from "../../lib/core/format.ts";
import type { ReleaseView } from "../fleet/view_release.ts";
import { PeriodTable } from "./PeriodTable.tsx";
import { Section } from "./Section.tsx";

interface WhereActiveProps {
  readonly view: ReleaseView;
  readonly now: Date;
}

/** Renders where a release was active, from its first activation on until now, or until the last node replaced it. */
export function WhereActive({ view: { nodes }, now }: WhereActiveProps) {
  const periods = nodes.flatMap((node) => node.periods);
  if (periods.length === 0) {
    return (
      <Section title="Where it was active" live="periods">
        <p class="quiet-text">No consumer has activated it yet.</p>
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
