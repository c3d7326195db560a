import { formatBytes } from "../../lib/core/format.ts";
import { addresses } from "../shared/addresses.ts";
import type { NodeView } from "../fleet/node_view.ts";
import { behindWords } from "../fleet/troubles.ts";
import { shownText } from "../shared/shown_text.ts";
import type { IncidentRow, NodeRow } from "../store/rows.ts";
import { type Fact, Facts } from "./Section.tsx";
import { NodeLink, ReleaseChip } from "./Links.tsx";
import { Time } from "./Time.tsx";

interface NodeFactsProps {
  readonly view: NodeView;
  readonly incident: IncidentRow | undefined;
}

/** Renders the main facts about a node. */
export function NodeFacts({ view, incident }: NodeFactsProps) {
  return <Facts facts={[...releaseFacts(view), ...timeFacts(view, incident), ...machineFacts(view.row)]} />;
}

type MaybeFact = Fact | false;

function releaseFacts({ row, lag, group }: NodeView): MaybeFact[] {
  const { active, activation, published: [newest] } = row;
  const isPublisher = group === "publishers" && newest !== undefined;
  const behind = lag === null ? "" : behindWords(lag);
  return [
    isPublisher && {
      label: "Newest release",
      value: <ReleaseChip release={newest} />,
      note: (
        <>
          published <Time at={newest.at} />
        </>
      ),
    },
    active !== null && !isPublisher && {
      label: "Active release",
      value: <ReleaseChip release={active} />,
      ...(activation?.digest === active.digest
        ? {
          note: (
            <>
              activated <Time at={activation.at} />
            </>
          ),
        }
        : {}),
    },
    lag !== null && {
      label: "Behind its publisher",
      value: behind === "" ? "no" : <span class="behind">{behind}</span>,
      note: (
        <>
          of <NodeLink node={lag.publisher} />
        </>
      ),
    },
  ];
}

function timeFacts({ row, next }: NodeView, incident: IncidentRow | undefined): MaybeFact[] {
  const { lastReceivedAt, lastSuccessAt } = row;
  return [
    next === null
      ? { label: "Next run", value: "–" }
      : { label: "Next run", value: <Time at={next.at} style="clock" />, note: shownText(next.role) },
    lastSuccessAt !== null && { label: "Last success", value: <Time at={lastSuccessAt} /> },
    lastReceivedAt !== null && { label: "Last report", value: <Time at={lastReceivedAt} /> },
    incident !== undefined && {
      label: "Open incident",
      value: <a href={`${addresses.incidents()}?node=${encodeURIComponent(row.node)}`}>{incident.kind}</a>,
      note: (
        <>
          since <Time at={incident.startedAt} style="clock" />
        </>
      ),
    },
  ];
}

function machineFacts({ host, report }: NodeRow): MaybeFact[] {
  const ofReport: MaybeFact[] = report === null ? [] : [
    // Hidden from the public.
    report.version !== "" && { label: "Version", value: shownText(report.version) },
    report.configFingerprint !== "" && {
      label: "Configuration",
      value: (
        <code title="Fingerprint of the settings">{shownText(report.configFingerprint).slice(0, 8)}</code>
      ),
    },
    report.freeBytes !== null && { label: "Free disk", value: formatBytes(report.freeBytes) },
  ];
  return [host !== null && { label: "Host", value: shownText(host) }, ...ofReport];
}
