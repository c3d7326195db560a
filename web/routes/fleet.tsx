import { Hono } from "hono";
import { useContext } from "preact/hooks";
import { plural } from "../../lib/core/format.ts";
import { addresses } from "../shared/addresses.ts";
import { Empty, Section } from "../components/Section.tsx";
import { FilterBar } from "../components/FilterBar.tsx";
import { FleetTable } from "../components/FleetTable.tsx";
import { IntakeNotice } from "../components/Notice.tsx";
import { NodeLink, ReleaseChip } from "../components/Links.tsx";
import { PageContext } from "../components/PageContext.tsx";
import { PageTitle } from "../components/PageTitle.tsx";
import { Pager } from "../components/Table.tsx";
import { RunTable } from "../components/RunTable.tsx";
import { Time } from "../components/Time.tsx";
import { TroubleList } from "../components/TroubleList.tsx";
import type { App, AppEnv, Dashboard } from "./dashboard.ts";
import {
  filterFleet,
  type FleetFilter,
  isFiltered,
  OVERVIEW_ROWS_MAX,
  PAGE_ROWS_MAX,
  parseFleetFilter,
} from "../fleet/filter_fleet.ts";
import type { Lineage } from "../fleet/lag.ts";
import { type Group, GROUPS, type NodeView, STATES } from "../fleet/node_view.ts";
import { summarize, type Summary } from "../fleet/summary.ts";
import { spoken } from "../fleet/tone.ts";
import type { FleetView } from "../fleet/view_fleet.ts";
import { pageFacts } from "./page_facts.ts";
import { renderPage } from "./render_page.tsx";
import { readableFleet } from "../viewer/readable_fleet.ts";
import { findSearched } from "../store/search.ts";
import { readNews } from "../store/read_runs.ts";
import type { RunRow } from "../store/rows.ts";

/** Problems above the first table. */
const TROUBLES_MAX = 8;

/** Runs in the activity; its own page has the rest. */
const NEWS_MAX = 12;

/** Publishers in the lead; the page of releases has the rest. */
const LINEAGES_MAX = 3;

/** Smaller fleets need no filter. */
const FILTER_NODES_MIN = 6;

/** The first page: the fleet, problems first. */
export function fleetRoutes(dashboard: Dashboard): App {
  return new Hono<AppEnv>().get("/", async (context) => {
    const filter = parseFleetFilter((name) => context.req.query(name));
    if (filter.search !== "" && context.var.viewer === "operator") {
      const found = await findSearched(dashboard.kv, filter.search);
      if (found !== undefined) return context.redirect(found, 303);
    }
    const now = dashboard.clock.now();
    const { view: fleet, version } = await readableFleet(dashboard, context.var.viewer);
    const summary = summarize(fleet.nodes);
    const problem = context.var.viewer === "operator" ? dashboard.intake.problem : undefined;
    const news = context.var.viewer === "operator" && !isFiltered(filter)
      ? (await readNews(dashboard.kv, { limit: NEWS_MAX })).rows
      : [];
    return context.html(renderPage({
      title: summary.title,
      facts: pageFacts(context, now, version),
      state: problem !== undefined ? "bad" : summary.tone === "empty" ? "good" : summary.tone,
      search: filter.search,
      body: (
        <>
          <IntakeNotice problem={problem} />
          <FleetPage fleet={fleet} summary={summary} filter={filter} news={news} />
        </>
      ),
    }));
  });
}

interface FleetPageProps {
  readonly fleet: FleetView;
  readonly summary: Summary;
  readonly filter: FleetFilter;
  readonly news: readonly RunRow[];
}

function FleetPage({ fleet, summary, filter, news }: FleetPageProps) {
  if (fleet.nodes.length === 0) return <EmptyFleet />;
  const nodes = filterFleet(fleet.nodes, filter);
  const filtered = isFiltered(filter);
  return (
    <>
      <PageTitle live="sentence">
        {summary.troubled !== "" && <em class={`tone-${summary.tone}`}>{summary.troubled}</em>} {summary.rest}
      </PageTitle>
      {!filtered && <Newest fleet={fleet} />}
      {!filtered && <Troubles nodes={nodes} />}
      {(filtered || fleet.nodes.length >= FILTER_NODES_MIN) && (
        <FleetFilterBar filter={filter} shown={nodes.length} all={fleet.nodes.length} />
      )}
      {nodes.length === 0 && (
        <Empty title="No node matches the filter">
          <a href={addresses.fleet()}>Show all {plural(fleet.nodes.length, "node")}</a>
        </Empty>
      )}
      {GROUPS.map((group) => (
        <GroupSection
          key={group}
          group={group}
          nodes={nodes.filter((node) => node.group === group)}
          filter={filter}
        />
      ))}
      {news.length > 0 && (
        <Section title="Activity" id="news">
          <RunTable caption="Activity" runs={news} namesNodes live="news" />
          <p class="more">
            <a href={addresses.news()}>All activity</a>
          </p>
        </Section>
      )}
    </>
  );
}

/** Renders the newest releases, and which consumers have them. */
function Newest({ fleet }: { readonly fleet: FleetView }) {
  const { all } = fleet.lineages;
  const { now } = useContext(PageContext);
  const [due] = fleet.nodes
    .flatMap(({ row, next }) =>
      next === null || Date.parse(next.at) < now.getTime() ? [] : [{ node: row.node, at: next.at }]
    )
    .sort((a, b) => a.at.localeCompare(b.at));
  return (
    <ul class="newest" data-live="newest">
      {all.slice(0, LINEAGES_MAX).map((lineage) => (
        <li key={lineage.publisher}>
          <LineageSentence lineage={lineage} nodes={fleet.nodes} />
        </li>
      ))}
      {all.length > LINEAGES_MAX && (
        <li>
          <a href={addresses.releases()}>{plural(all.length - LINEAGES_MAX, "more publisher")}</a>
        </li>
      )}
      {due !== undefined && (
        <li>
          Next run: <NodeLink node={due.node} />, <Time at={due.at} style="clock" />.
        </li>
      )}
    </ul>
  );
}

function LineageSentence(
  { lineage, nodes }: { readonly lineage: Lineage; readonly nodes: readonly NodeView[] },
) {
  const [newest] = lineage.published;
  if (newest === undefined) return null;
  const consumers = nodes.filter(({ lag }) => lag?.publisher === lineage.publisher);
  const current = consumers.filter(({ lag }) => lag?.releases === 0).length;
  const where = consumers.length === 0
    ? "no consumer has reported it yet"
    : current === 0
    ? consumers.length === 1
      ? "its consumer does not have it yet"
      : `none of its ${consumers.length} consumers has it yet`
    : current === consumers.length
    ? `it is active on ${consumers.length === 1 ? "its consumer" : `all ${consumers.length} consumers`}`
    : `it is active on ${current} of ${plural(consumers.length, "consumer")}`;
  return (
    <>
      <NodeLink node={lineage.publisher} /> published release <ReleaseChip release={newest} />{" "}
      <Time at={newest.at} style="clock" />; {where}.
    </>
  );
}

/** Renders an entry for each node: its worst problem, with the others in a sentence. */
function Troubles({ nodes }: { readonly nodes: readonly NodeView[] }) {
  const entries = nodes.flatMap(({ row, troubles: [worst, ...others] }) => {
    if (worst === undefined) return [];
    const also = others.length === 0 ? "" : ` It also ${others.map(({ title }) => title).join(", and ")}.`;
    return [{ node: row.node, trouble: { ...worst, text: `${worst.text}${also}` } }];
  });
  const rest = entries.length - TROUBLES_MAX;
  return (
    <div data-live="troubles">
      <TroubleList entries={entries.slice(0, TROUBLES_MAX)} />
      {rest > 0 && (
        <p class="more">
          <a href={`${addresses.fleet()}?state=trouble`}>{plural(rest, "more node")} with problems</a>
        </p>
      )}
    </div>
  );
}

interface FleetFilterBarProps {
  readonly filter: FleetFilter;
  readonly shown: number;
  readonly all: number;
}

function FleetFilterBar({ filter, shown, all }: FleetFilterBarProps) {
  const states = [
    { value: "any", label: "Any state" },
    { value: "trouble", label: "With problems" },
    ...STATES.map((state) => ({ value: state, label: spoken(state) })),
  ];
  const groups = [
    { value: "any", label: "All groups" },
    ...GROUPS.map((value) => ({ value, label: TITLES[value] })),
  ];
  return (
    <FilterBar
      action={addresses.fleet()}
      search={{ label: "Search", value: filter.search }}
      selects={[
        { name: "state", label: "State", value: filter.state, options: states },
        { name: "group", label: "Group", value: filter.group, options: groups },
      ]}
      isFiltered={isFiltered(filter)}
    >
      {isFiltered(filter) ? `${shown} of ${plural(all, "node")}` : plural(all, "node")}
    </FilterBar>
  );
}

const TITLES: Readonly<Record<Group, string>> = {
  consumers: "Consumers",
  publishers: "Publishers",
  references: "Reference syncs",
};

interface GroupSectionProps {
  readonly group: Group;
  readonly nodes: readonly NodeView[];
  readonly filter: FleetFilter;
}

/** Renders a group of nodes: its first rows, or a page of it if only this group is shown. */
function GroupSection({ group, nodes, filter }: GroupSectionProps) {
  if (nodes.length === 0) return null;
  const isWhole = filter.group === group;
  const size = isWhole ? PAGE_ROWS_MAX : OVERVIEW_ROWS_MAX;
  const first = isWhole ? (filter.page - 1) * size : 0;
  const shown = nodes.slice(first, first + size);
  const address = (changes: Readonly<Record<string, string>>) => groupAddress(filter, { group, ...changes });
  const note = nodes.length > shown.length
    ? `${first + 1} to ${first + shown.length} of ${nodes.length}`
    : `${nodes.length}`;
  return (
    <Section title={TITLES[group]} note={note} id={group} live={`group:${group}`}>
      <FleetTable caption={TITLES[group]} nodes={shown} />
      {!isWhole && nodes.length > shown.length && (
        <p class="more">
          <a href={address({})}>Show all {nodes.length}</a>
        </p>
      )}
      {isWhole && (
        <Pager
          what={TITLES[group].toLowerCase()}
          newer={filter.page > 1 ? address({ page: String(filter.page - 1) }) : undefined}
          older={first + size < nodes.length ? address({ page: String(filter.page + 1) }) : undefined}
        />
      )}
    </Section>
  );
}

function groupAddress({ search, state }: FleetFilter, changes: Readonly<Record<string, string>>): string {
  const query = new URLSearchParams({
    ...(search === "" ? {} : { q: search }),
    ...(state === "any" ? {} : { state }),
    ...changes,
  });
  return `${addresses.fleet()}?${query}`;
}

function EmptyFleet() {
  return (
    <>
      <PageTitle live="sentence">No node has reported yet.</PageTitle>
      <Empty title="Add this machine" commands={["model-sync pull", "model-sync publish"]}>
        Runs of this machine with the same configuration appear here automatically.
      </Empty>
      <Empty title="Add another machine">
        <ol>
          <li>
            Create a node token under <a href={addresses.settings()}>Settings</a>.
          </li>
          <li>
            On the machine, set <code>model_sync.report.url</code> in <code>configs/bot.yaml</code>{" "}
            to the address of this page, and <code>MODEL_SYNC_REPORT_TOKEN</code> to the token.
          </li>
          <li>
            Run <code>model-sync doctor</code> to check the connection. Then run any command: it appears here.
          </li>
        </ol>
      </Empty>
    </>
  );
}
