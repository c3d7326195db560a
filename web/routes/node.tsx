import { Hono } from "hono";
import { plural } from "../../lib/core/format.ts";
import type { Heartbeat } from "../../lib/wire/schema.ts";
import { addresses } from "../shared/addresses.ts";
import { ActivationBand } from "../components/ActivationBand.tsx";
import { Breadcrumb, PageTitle } from "../components/PageTitle.tsx";
import { Empty, Section } from "../components/Section.tsx";
import { NodeFacts } from "../components/NodeFacts.tsx";
import { NodeSchedule } from "../components/NodeSchedule.tsx";
import { NodeStore } from "../components/NodeStore.tsx";
import { Pager } from "../components/Table.tsx";
import { RunChart } from "../components/RunChart.tsx";
import { RunTable } from "../components/RunTable.tsx";
import { StateBadge } from "../components/Mark.tsx";
import { Time } from "../components/Time.tsx";
import { TroubleList } from "../components/TroubleList.tsx";
import type { App, AppEnv, Dashboard } from "./dashboard.ts";
import { Lineages } from "../fleet/lag.ts";
import type { NodeView } from "../fleet/node_view.ts";
import { viewNode } from "../fleet/view_fleet.ts";
import { pageFacts } from "./page_facts.ts";
import { readableRows } from "../viewer/readable_fleet.ts";
import { renderPage } from "./render_page.tsx";
import { shownText } from "../shared/shown_text.ts";
import type { RowPage } from "../store/page_range.ts";
import { type ActivePeriod, readActivations } from "../store/read_activations.ts";
import { readHeartbeat } from "../store/heartbeats.ts";
import { readRuns } from "../store/read_runs.ts";
import { openIncidentOf } from "../store/incident_rows.ts";
import type { IncidentRow, RunRow } from "../store/rows.ts";
import { notFoundPage } from "./error_page.tsx";

/** Runs per page; the charts show the same runs. */
const RUNS_MAX = 50;
/** Days in the band of active releases. */
const BAND_DAYS = 30;
const DAY_MS = 24 * 3_600_000;
const BAND_MS_MIN = 3_600_000;

/** The page of a node: its state, releases, schedule and runs. */
export function nodeRoutes(dashboard: Dashboard): App {
  return new Hono<AppEnv>().get("/nodes/:node{[\\s\\S]+}", async (context) => {
    const now = dashboard.clock.now();
    const { viewer } = context.var;
    const { rows, version } = await dashboard.fleet.read();
    const readable = Array.from(await readableRows(dashboard, viewer, rows.values()));
    const row = readable.find(({ node }) => node === context.req.param("node"));
    if (row === undefined) {
      return notFoundPage(context, dashboard, "No node with this name has reported or has a token.");
    }
    const view = viewNode(row, new Lineages(readable), now);
    const before = context.req.query("before");
    const record = viewer === "operator" ? await readRecord(dashboard.kv, row.node, now, before) : undefined;
    const worst = view.troubles[0]?.tone ?? "good";
    return context.html(renderPage({
      title: row.node,
      facts: pageFacts(context, now, version),
      state: worst,
      // The publisher's releases change how far it is behind.
      nodes: [row.node, ...(view.lag === null ? [] : [view.lag.publisher])],
      body: <NodePage view={view} record={record} now={now} isFirstPage={before === undefined} />,
    }));
  });
}

/** Data that only the page of a node needs. */
interface NodeRecord {
  readonly runs: RowPage<RunRow>;
  readonly active: readonly ActivePeriod[];
  readonly heartbeat: Heartbeat | undefined;
  readonly incident: IncidentRow | undefined;
}

async function readRecord(
  kv: Deno.Kv,
  node: string,
  now: Date,
  before: string | undefined,
): Promise<NodeRecord> {
  const from = new Date(now.getTime() - BAND_DAYS * DAY_MS).toISOString();
  const [runs, active, heartbeat, incident] = await Promise.all([
    readRuns(kv, node, { limit: RUNS_MAX, before }),
    readActivations(kv, node, { from }),
    readHeartbeat(kv, node),
    openIncidentOf(kv, node),
  ]);
  return { runs, active, heartbeat, incident };
}

interface NodePageProps {
  readonly view: NodeView;
  /** Missing for the public, which sees only states and releases. */
  readonly record: NodeRecord | undefined;
  readonly now: Date;
  readonly isFirstPage: boolean;
}

function NodePage({ view, record, now, isFirstPage }: NodePageProps) {
  const { row, state, troubles } = view;
  const [trouble] = troubles;
  const aside = trouble === undefined
    ? <StateBadge state={state.kind} />
    : <StateBadge state={state.kind} label={trouble.label} tone={trouble.tone} />;
  return (
    <>
      <Breadcrumb crumbs={[{ label: "Fleet", href: addresses.fleet() }]} />
      <PageTitle aside={aside} live="node-title" lead={troubles.length > 0 ? undefined : state.reason}>
        <bdi>{shownText(row.node)}</bdi>
      </PageTitle>
      <TroubleList entries={troubles.map((one) => ({ trouble: one }))} live="troubles" />
      <div data-live="facts">
        <NodeFacts view={view} incident={record?.incident} />
      </div>
      {record !== undefined && (
        <>
          <Band record={record} now={now} view={view} />
          <Running view={view} />
          <Charts runs={record.runs.rows} />
          <NodeSchedule row={row} />
          <NodeStore heartbeat={record.heartbeat} />
          <Runs view={view} runs={record.runs} isFirstPage={isFirstPage} />
        </>
      )}
    </>
  );
}

/**
 * Renders the band of active releases. A new machine's band starts with its first release, because hours would be
 * invisible in a month.
 */
function Band(
  { record: { active }, view, now }: Pick<NodePageProps, "view" | "now"> & { readonly record: NodeRecord },
) {
  const [first] = active;
  if (first === undefined) return null;
  const month = now.getTime() - BAND_DAYS * DAY_MS;
  const begun = Math.min(Date.parse(first.at), now.getTime() - BAND_MS_MIN);
  return (
    <Section title="Release history" note={begun > month ? undefined : `${BAND_DAYS} days`}>
      <ActivationBand
        activations={active}
        from={new Date(Math.max(month, begun))}
        to={now}
        quarantined={new Set(view.row.report?.quarantine)}
        live="band"
      />
    </Section>
  );
}

function Running({ view: { row } }: { readonly view: NodeView }) {
  return (
    <div data-live="running">
      {row.running.length > 0 && (
        <Section title="Running now">
          <ul class="plain">
            {row.running.map(({ runId, command, startedAt, step }) => (
              <li>
                <a class="name" href={addresses.run(runId, row.node)}>{shownText(command)}</a>
                {step !== null && `, ${shownText(step)}`}, started <Time at={startedAt} />
              </li>
            ))}
          </ul>
        </Section>
      )}
    </div>
  );
}

/** Renders charts of the command with the most runs, because only runs of the same command are comparable. */
function Charts({ runs }: { readonly runs: readonly RunRow[] }) {
  const [main] = [...Map.groupBy(runs, ({ command }) => command).values()].sort((a, b) =>
    b.length - a.length
  );
  if (main === undefined || main.length < 3) return null;
  const hasBytes = main.some(({ writtenBytes }) => writtenBytes !== undefined && writtenBytes > 0);
  return (
    <Section title={`The last ${plural(main.length, "run")} of ${main[0]?.command ?? ""}`}>
      <div class="charts">
        <RunChart runs={main} measure="duration" live="chart:duration" />
        {hasBytes && <RunChart runs={main} measure="bytes" live="chart:bytes" />}
      </div>
    </Section>
  );
}

interface RunsProps extends Pick<NodePageProps, "view" | "isFirstPage"> {
  readonly runs: RowPage<RunRow>;
}

function Runs({ view: { row }, runs, isFirstPage }: RunsProps) {
  if (runs.rows.length === 0) {
    return (
      <Empty title="No run has ended yet" commands={["model-sync status"]}>
        <p>Runs appear here when they end. To check what the machine is doing, run:</p>
      </Empty>
    );
  }
  const page = addresses.node(row.node);
  const older = runs.older === undefined ? undefined : `${page}?before=${encodeURIComponent(runs.older)}`;
  return (
    <Section title="Runs" note={`${isFirstPage ? "the newest" : "older"} ${runs.rows.length}`} id="runs">
      <RunTable caption="Runs" runs={runs.rows} live="runs" />
      <Pager what="runs" newer={isFirstPage ? undefined : page} older={older} />
    </Section>
  );
}
