import { Hono } from "hono";
import { plural } from "../../lib/core/format.ts";
import { addresses } from "../shared/addresses.ts";
import { Empty, Section } from "../components/Section.tsx";
import { FilterBar } from "../components/FilterBar.tsx";
import { NodeLink, ReleaseChip } from "../components/Links.tsx";
import { PageTitle } from "../components/PageTitle.tsx";
import { Pager } from "../components/Table.tsx";
import { ReleaseTable } from "../components/ReleaseTable.tsx";
import { Time } from "../components/Time.tsx";
import type { App, AppEnv, Dashboard } from "./dashboard.ts";
import type { Lineage } from "../fleet/lag.ts";
import { newestPublication } from "../store/read_releases.ts";
import { reachWords } from "../fleet/release_reach.ts";
import { pageFacts } from "./page_facts.ts";
import { renderPage } from "./render_page.tsx";
import { PERIOD_NODES_MAX } from "../store/read_activations.ts";
import {
  PUBLISHERS_MAX,
  readReleaseList,
  type ReleaseFilter,
  type ReleaseGroup,
  type ReleaseList,
} from "./release_list.ts";
import { releaseRoute } from "./release.tsx";

/** Shorter lists need no filter. */
const FILTER_MIN = 8;

/** The pages of all releases and of each release. */
export function releaseRoutes(dashboard: Dashboard): App {
  return new Hono<AppEnv>()
    .get("/releases", async (context) => {
      const now = dashboard.clock.now();
      const list = await readReleaseList(dashboard, context, now);
      return context.html(renderPage({
        title: "Releases",
        facts: pageFacts(context, now, list.version),
        body: <ReleasesPage list={list} />,
      }));
    })
    .get("/releases/:digest", (context) => releaseRoute(dashboard, context));
}

function ReleasesPage({ list }: { readonly list: ReleaseList }) {
  const { filter, lineages, groups } = list;
  const count = groups.reduce((sum, { releases }) => sum + releases.length, 0);
  const isFiltered = filter.search !== "" || filter.publisher !== "";
  if (count === 0 && !isFiltered && filter.before === undefined) return <EmptyReleases />;
  return (
    <>
      <PageTitle lead={<Lead list={list} />} live="releases-title">Releases</PageTitle>
      {(isFiltered || count >= FILTER_MIN || lineages.length > 1) && (
        <ReleaseFilterBar filter={filter} lineages={lineages} />
      )}
      {count === 0 && <NothingFound list={list} />}
      {groups.map((group) => <GroupSection key={group.title} group={group} list={list} />)}
      <Pager
        what="releases"
        newer={filter.before === undefined ? undefined : listAddress(filter)}
        older={list.older === undefined ? undefined : listAddress({ ...filter, before: list.older })}
      />
      {lineages.length > PUBLISHERS_MAX && !isFiltered && (
        <p class="more">
          {plural(lineages.length - PUBLISHERS_MAX, "more publisher")}: choose one above.
        </p>
      )}
      {list.unseen > 0 && (
        <p class="small quiet-text">
          Earlier activity is shown for {PERIOD_NODES_MAX} of {PERIOD_NODES_MAX + list.unseen} consumers.
        </p>
      )}
    </>
  );
}

function listAddress({ search, publisher, before }: Partial<ReleaseFilter>): string {
  const query = new URLSearchParams({
    ...(search ? { q: search } : {}),
    ...(publisher ? { publisher } : {}),
    ...(before === undefined ? {} : { before }),
  });
  return query.size === 0 ? addresses.releases() : `${addresses.releases()}?${query}`;
}

/** Renders the newest release in a sentence. */
function Lead({ list: { filter, lineages, groups } }: { readonly list: ReleaseList }) {
  const [lineage] = filter.publisher === ""
    ? lineages
    : lineages.filter(({ publisher }) => publisher === filter.publisher);
  if (lineages.length > 1 && filter.publisher === "") {
    return <>{lineages.length} publishers, each with releases of its own.</>;
  }
  const [newest] = lineage?.published ?? [];
  if (lineage === undefined || newest === undefined) {
    if (filter.publisher !== "") return <>No publisher with this name reports to this page.</>;
    return <>No publisher reports to this page. The list shows the releases that consumers reported.</>;
  }
  const listed = groups.flatMap(({ releases }) => releases).find(({ row }) => row.digest === newest.digest);
  const words = listed && reachWords(listed.reach, true);
  return (
    <>
      <NodeLink node={lineage.publisher} /> published release <ReleaseChip release={newest} />{" "}
      <Time at={newest.at} style="clock" />
      {words === undefined ? "." : `: ${words.now}${words.rest === "" ? "" : `, ${words.rest}`}.`}
    </>
  );
}

interface ReleaseFilterBarProps {
  readonly filter: ReleaseFilter;
  readonly lineages: readonly Lineage[];
}

function ReleaseFilterBar({ filter, lineages }: ReleaseFilterBarProps) {
  const { search, publisher } = filter;
  const names = lineages.map((lineage) => lineage.publisher);
  const all = publisher === "" || names.includes(publisher) ? names : [...names, publisher];
  const options = [
    { value: "", label: "All publishers" },
    ...all.map((name) => ({ value: name, label: name })),
  ];
  return (
    <FilterBar
      action={addresses.releases()}
      search={{ label: "Digest or sequence", value: search }}
      selects={all.length > 1 || publisher !== ""
        ? [{ name: "publisher", label: "Publisher", value: publisher, options }]
        : []}
      isFiltered={search !== "" || publisher !== ""}
    />
  );
}

function GroupSection({ group, list }: { readonly group: ReleaseGroup; readonly list: ReleaseList }) {
  const { publisher, title, releases, span, isWhole } = group;
  if (releases.length === 0) return null;
  const isAlone = list.groups.length === 1;
  const table = (
    <ReleaseTable
      caption={isAlone ? "Releases" : title}
      releases={releases}
      span={span}
      namesPublishers={publisher === undefined && list.lineages.length > 1}
      isSigned={list.isSigned}
      live={`releases:${title}`}
    />
  );
  if (isAlone) return <div class="section">{table}</div>;
  return (
    <Section
      title={publisher === undefined ? title : <NodeLink node={publisher} />}
      note={<Newest group={group} />}
    >
      {table}
      {!isWhole && publisher !== undefined && (
        <p class="more">
          <a href={listAddress({ publisher })}>All releases of this publisher</a>
        </p>
      )}
    </Section>
  );
}

function Newest({ group: { publisher, releases: [newest] } }: { readonly group: ReleaseGroup }) {
  if (newest === undefined) return null;
  return publisher === undefined ? <>reported only by consumers</> : (
    <>
      newest published <Time at={newestPublication(newest.publications)?.at ?? newest.row.firstAt} />
    </>
  );
}

function NothingFound({ list: { filter, isCut } }: { readonly list: ReleaseList }) {
  if (isCut) {
    return <Empty title="No release matches so far">Older releases have not been searched yet.</Empty>;
  }
  const isFiltered = filter.search !== "" || filter.publisher !== "";
  return (
    <Empty title={isFiltered ? "No release matches the filter" : "There are no older releases"}>
      <a href={addresses.releases()}>Show all releases</a>
    </Empty>
  );
}

function EmptyReleases() {
  return (
    <>
      <PageTitle>Releases</PageTitle>
      <Empty title="No release is known yet" commands={["model-sync publish"]}>
        <p>
          A release appears here when a machine that reports to this page publishes or activates it. On the
          machine with the models, run:
        </p>
      </Empty>
    </>
  );
}
