import { Hono } from "hono";
import { useContext } from "preact/hooks";
import { plural } from "../../lib/core/format.ts";
import { addresses } from "../shared/addresses.ts";
import { Empty, Section } from "../components/Section.tsx";
import { FilterBar } from "../components/FilterBar.tsx";
import { NodeLink } from "../components/Links.tsx";
import { PageContext } from "../components/PageContext.tsx";
import { Cell, type Column, Pager, Row, Table } from "../components/Table.tsx";
import { PageTitle } from "../components/PageTitle.tsx";
import { StateBadge } from "../components/Mark.tsx";
import { Time } from "../components/Time.tsx";
import type { App, AppEnv, Dashboard } from "./dashboard.ts";
import { alertWays } from "../incidents/alerting.ts";
import {
  freshOf,
  type IncidentList,
  readableIncidents,
  UNKNOWN_NODE,
  withNews,
} from "../viewer/readable_incidents.ts";
import { incidentFeed } from "../incidents/incident_feed.ts";
import { endingWords, lengthOf } from "../incidents/incident_words.ts";
import type { NodeState, NodeView } from "../fleet/node_view.ts";
import { pageFacts } from "./page_facts.ts";
import { readableFleet } from "../viewer/readable_fleet.ts";
import { renderPage } from "./render_page.tsx";
import { shownText } from "../shared/shown_text.ts";
import type { IncidentRow } from "../store/rows.ts";

/** Incidents per page. */
const PAGE_ROWS = 50;
/** Incidents in the feed, which readers request several times a day. */
const FEED_INCIDENTS = 50;
const HOUR_MS = 3_600_000;
/** The longest list of nodes in the filter. In a larger fleet, the node's page links here. */
const FILTER_NODES_MAX = 200;

/** The page and the feed of incidents. */
export function incidentRoutes(dashboard: Dashboard): App {
  return new Hono<AppEnv>()
    .get(addresses.incidents(), async (context) => {
      const before = context.req.query("before") || undefined;
      const node = context.req.query("node") || undefined;
      const now = dashboard.clock.now();
      const fleet = await readableFleet(dashboard, context.var.viewer);
      const { nodes } = fleet.view;
      const choice = { limit: PAGE_ROWS, before, node };
      const list = withNews(await readableIncidents(dashboard.kv, fleet, choice), nodes);
      const fresh = freshOf(nodes, list.open, node);
      const troubled = [
        ...list.open,
        ...fresh.map(({ row, state }) => ({ node: row.node, kind: state.kind })),
      ];
      return context.html(renderPage({
        title: troubled.length === 0 ? "Incidents" : sentenceOf(troubled, node).replace(/\.$/, ""),
        facts: pageFacts(context, now, fleet.version),
        state: stateOf(troubled),
        body: (
          <IncidentsPage
            list={list}
            fresh={fresh}
            sentence={sentenceOf(troubled, node)}
            node={node}
            isFirstPage={before === undefined}
            ways={context.var.viewer === "operator" ? await alertWays(dashboard.readAlerting) : []}
          />
        ),
      }));
    })
    .get(addresses.incidentsFeed(), async (context) => {
      const { viewer, visit } = context.var;
      const fleet = await readableFleet(dashboard, viewer);
      const { open, over } = await readableIncidents(dashboard.kv, fleet, { limit: FEED_INCIDENTS });
      const origin = `${visit.isHttps ? "https" : "http"}://${visit.host}`;
      const newest = open.slice(0, FEED_INCIDENTS);
      const began = beginningOf(fleet.view.nodes, dashboard.clock.now());
      return context.body(await incidentFeed(origin, [...newest, ...over], began), 200, {
        "content-type": "application/atom+xml; charset=utf-8",
      });
    });
}

/**
 * Returns when the first node reported. Before that, the current hour, so that the feed does not change with every
 * request.
 */
function beginningOf(nodes: readonly NodeView[], now: Date): Date {
  const firsts = nodes.map(({ row }) => row.firstReceivedAt).filter((at) => at !== null);
  const first = firsts.sort()[0];
  return first === undefined ? new Date(now.getTime() - now.getTime() % HOUR_MS) : new Date(first);
}

/** A node or incident that the sentence counts. */
type Troubled = Pick<NodeState, "kind">;

function stateOf(open: readonly Troubled[]): "good" | "warn" | "bad" {
  if (open.some(({ kind }) => kind === "down")) return "bad";
  return open.length === 0 ? "good" : "warn";
}

interface IncidentsPageProps {
  readonly list: IncidentList;
  readonly fresh: readonly NodeView[];
  readonly sentence: string;
  readonly node: string | undefined;
  readonly isFirstPage: boolean;
  /** The ways in which alerts are sent. */
  readonly ways: readonly string[];
}

function IncidentsPage({ list, fresh, sentence, node, isFirstPage, ways }: IncidentsPageProps) {
  const { open, over, older, nodes } = list;
  const isEmpty = open.length === 0 && over.length === 0 && fresh.length === 0;
  return (
    <>
      <PageTitle
        live="sentence"
        lead="Late: the node missed its schedule. Down: the node stopped reporting."
      >
        {sentence}
      </PageTitle>
      {(node !== undefined || (!isEmpty && nodes.length > 1 && nodes.length <= FILTER_NODES_MAX)) && (
        <FilterBar
          action={addresses.incidents()}
          selects={[{ name: "node", label: "Node", value: node ?? "", options: optionsOf(nodes, node) }]}
          isFiltered={node !== undefined}
        />
      )}
      {isEmpty && isFirstPage && <NoIncident node={node} ways={ways} />}
      {isFirstPage && open.length > 0 && (
        <Section title="Open" note={String(open.length)} live="open">
          <IncidentTable caption="Open incidents" incidents={open} />
        </Section>
      )}
      {isFirstPage && fresh.length > 0 && (
        <Section
          title="Not yet an incident"
          note="An incident opens after the dashboard has been listening long enough"
          live="fresh"
        >
          <FreshTable nodes={fresh} />
        </Section>
      )}
      {over.length > 0 && (
        <Section title="Past" live="over">
          <IncidentTable caption="Past incidents" incidents={over} />
        </Section>
      )}
      <Pager
        what="incidents"
        newer={isFirstPage ? undefined : pageAddress(node, undefined)}
        older={older === undefined ? undefined : pageAddress(node, older)}
      />
    </>
  );
}

function sentenceOf(open: readonly Troubled[], node: string | undefined): string {
  if (node !== undefined) {
    return open.length === 0 ? "This node is neither late nor down." : "This node is late or down.";
  }
  const [down, late] = [
    open.filter(({ kind }) => kind === "down"),
    open.filter(({ kind }) => kind === "late"),
  ];
  const parts = [
    ...(down.length === 0 ? [] : [`${plural(down.length, "node")} ${down.length === 1 ? "is" : "are"} down`]),
    ...(late.length === 0 ? [] : [`${plural(late.length, "node")} ${late.length === 1 ? "is" : "are"} late`]),
  ];
  return parts.length === 0 ? "No node is late or down." : `${parts.join(", ")}.`;
}

function optionsOf(nodes: readonly string[], node: string | undefined) {
  const names = node === undefined || nodes.includes(node) ? nodes : [node, ...nodes];
  return [
    { value: "", label: "All nodes" },
    ...names.slice(0, FILTER_NODES_MAX).map((name) => ({ value: name, label: name })),
  ];
}

function pageAddress(node: string | undefined, before: string | undefined): string {
  const query = new URLSearchParams({
    ...(node === undefined ? {} : { node }),
    ...(before === undefined ? {} : { before }),
  });
  return query.size === 0 ? addresses.incidents() : `${addresses.incidents()}?${query}`;
}

function NoIncident({ node, ways }: Pick<IncidentsPageProps, "node" | "ways">) {
  const { viewer } = useContext(PageContext);
  if (node !== undefined) {
    return (
      <Empty title="No incidents for this node">
        <a href={addresses.incidents()}>Show all incidents</a>
      </Empty>
    );
  }
  if (viewer === "public") return <Empty title="No incidents so far" />;
  if (ways.length > 0) {
    return (
      <Empty title="No incidents so far" commands={["model-sync doctor"]}>
        <p>When an incident opens, an alert is sent {LIST.format(ways)}. To check the channels, run:</p>
      </Empty>
    );
  }
  return (
    <Empty title="No incidents so far" commands={["model-sync doctor"]}>
      <p>
        No alert channel is configured. To get alerts by mail, chat or webhook, set{" "}
        <code>model_sync.alerts</code> in{" "}
        <code>configs/bot.yaml</code>. On Deno Deploy, put the same settings into{" "}
        <code>MODEL_SYNC_DASHBOARD_ALERTS</code>. Then check the channels:
      </p>
    </Empty>
  );
}

const LIST = new Intl.ListFormat("en");

function FreshTable({ nodes }: { readonly nodes: readonly NodeView[] }) {
  const columns = [...COLUMNS.slice(0, 3), { label: "Since", size: "medium", align: "end" } as const];
  return (
    <Table caption="Nodes that are late or down" columns={columns}>
      {nodes.map(({ row, state }) => (
        <Row key={row.node} node={row.node}>
          <Cell label="" kind="head">
            <NodeLink node={row.node} />
          </Cell>
          <Cell label="State">
            <StateBadge state={state.kind} />
          </Cell>
          <Cell label="Reason" kind="wide">{shownText(state.reason)}</Cell>
          <Cell label="Since" align="end">
            {state.since === null ? "–" : <Time at={state.since} style="clock" />}
          </Cell>
        </Row>
      ))}
    </Table>
  );
}

interface IncidentTableProps {
  readonly caption: string;
  readonly incidents: readonly IncidentRow[];
}

const COLUMNS: readonly Column[] = [
  { label: "Node", size: "large" },
  { label: "State", size: "small" },
  { label: "Reason" },
  { label: "Started", size: "medium" },
  { label: "Duration", size: "medium", align: "end" },
];
const ALERTED: Column = { label: "Alert", size: "medium", align: "end" };

function IncidentTable({ caption, incidents }: IncidentTableProps) {
  const { viewer } = useContext(PageContext);
  const isOperator = viewer === "operator";
  return (
    <Table caption={caption} columns={isOperator ? [...COLUMNS, ALERTED] : COLUMNS}>
      {incidents.map((incident) => (
        <IncidentTableRow
          key={`${incident.startedAt} ${incident.node}`}
          incident={incident}
          isOperator={isOperator}
        />
      ))}
    </Table>
  );
}

interface IncidentTableRowProps {
  readonly incident: IncidentRow;
  readonly isOperator: boolean;
}

function IncidentTableRow({ incident, isOperator }: IncidentTableRowProps) {
  const { now } = useContext(PageContext);
  const { node, kind, reason, startedAt, endedAt, alertedAt } = incident;
  const length = lengthOf(incident, now);
  return (
    <Row node={node}>
      <Cell label="" kind="head">
        {node === UNKNOWN_NODE && !isOperator ? "a removed node" : <NodeLink node={node} />}
      </Cell>
      <Cell label="State">
        {endedAt === null
          ? <StateBadge state={kind} />
          : <StateBadge state={kind} label={`was ${kind}`} tone="quiet" />}
      </Cell>
      <Cell label="Reason" kind="wide">{shownText(reason)}</Cell>
      <Cell label="Started">
        <Time at={startedAt} style="clock" />
      </Cell>
      <Cell label="Duration" align="end" note={endingWords(incident) || undefined}>
        {endedAt === null ? `${length} so far` : length}
      </Cell>
      {isOperator && (
        <Cell label="Alert" align="end">
          {alertedAt === null ? <span class="quiet-text">none</span> : <Time at={alertedAt} style="clock" />}
        </Cell>
      )}
    </Row>
  );
}
