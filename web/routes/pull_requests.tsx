import { Hono } from "hono";
import { plural } from "../../lib/core/format.ts";
import { addresses, webLink } from "../shared/addresses.ts";
import { Empty, Section } from "../components/Section.tsx";
import { FilterBar } from "../components/FilterBar.tsx";
import { Mark } from "../components/Mark.tsx";
import { NodeLink } from "../components/Links.tsx";
import { PageTitle } from "../components/PageTitle.tsx";
import { Cell, Pager, Row, Table } from "../components/Table.tsx";
import { Time } from "../components/Time.tsx";
import type { App, AppEnv, Dashboard } from "./dashboard.ts";
import { spoken, type Tone } from "../fleet/tone.ts";
import { pageFacts } from "./page_facts.ts";
import { renderPage } from "./render_page.tsx";
import { shownText } from "../shared/shown_text.ts";
import { readPullRequests } from "../store/pull_request_rows.ts";
import type { PullRequestRow } from "../store/rows.ts";
import { notFoundPage } from "./error_page.tsx";

/** Pull requests per page. */
const ROWS_MAX = 100;

/** The pull requests of reference syncs. For operators only, because they name repositories. */
export function pullRequestRoutes(dashboard: Dashboard): App {
  return new Hono<AppEnv>().get("/pull-requests", async (context) => {
    if (context.var.viewer === "public") return notFoundPage(context, dashboard);
    const { version } = await dashboard.fleet.read();
    const all = await readPullRequests(dashboard.kv);
    const repository = (context.req.query("repository") ?? "").slice(0, 300);
    const page = pageNumber(context.req.query("page"));
    return context.html(renderPage({
      title: "Pull requests",
      facts: pageFacts(context, dashboard.clock.now(), version),
      body: <PullRequestsPage all={all} repository={repository} page={page} />,
    }));
  });
}

function pageNumber(text: string | undefined): number {
  return text !== undefined && /^[1-9]\d{0,3}$/.test(text) ? Number(text) : 1;
}

/** Returns whether a pull request is open as far as syncs know. They do not see merges and closures by people. */
function isOpen({ outcome }: PullRequestRow): boolean {
  return outcome !== "closed" && outcome !== "declined";
}

interface PullRequestsPageProps {
  /** Last changed first. */
  readonly all: readonly PullRequestRow[];
  /** Empty for all. */
  readonly repository: string;
  readonly page: number;
}

function PullRequestsPage({ all, repository, page }: PullRequestsPageProps) {
  if (all.length === 0) return <NoPullRequests />;
  const repositories = [...new Set(all.map((row) => row.repository))].sort();
  const wanted = repository === "" ? all : all.filter((row) => row.repository === repository);
  const open = wanted.filter(isOpen);
  const sorted = [...open, ...wanted.filter((row) => !isOpen(row))];
  const first = (page - 1) * ROWS_MAX;
  const shown = sorted.slice(first, first + ROWS_MAX);
  const address = (number: number) => pageAddress(repository, number);
  return (
    <>
      <PageTitle live="pull-requests-title" lead={<Lead open={open} />}>Pull requests</PageTitle>
      {(repositories.length > 1 || repository !== "") && (
        <RepositoryFilter repository={repository} repositories={repositories} count={wanted.length} />
      )}
      {wanted.length === 0 && (
        <Empty title="No pull requests for this repository">
          <a href={addresses.pullRequests()}>Show all pull requests</a>
        </Empty>
      )}
      <Group title="Open" rows={shown.filter(isOpen)} />
      <Group title="Closed" rows={shown.filter((row) => !isOpen(row))} />
      <Pager
        what="pull requests"
        newer={page > 1 ? address(page - 1) : undefined}
        older={first + ROWS_MAX < sorted.length ? address(page + 1) : undefined}
      />
    </>
  );
}

function pageAddress(repository: string, page: number): string {
  const query = new URLSearchParams({
    ...(repository === "" ? {} : { repository }),
    ...(page === 1 ? {} : { page: String(page) }),
  });
  return query.size === 0 ? addresses.pullRequests() : `${addresses.pullRequests()}?${query}`;
}

function Lead({ open }: { readonly open: readonly PullRequestRow[] }) {
  if (open.length === 0) return <>No pull request is open as of the last sync.</>;
  const repositories = new Set(open.map(({ repository }) => repository)).size;
  const are = open.length === 1 ? "pull request is" : "pull requests are";
  return (
    <>
      {open.length} {are} open in {repositories === 1 ? "1 repository" : `${repositories} repositories`}{" "}
      as of the last sync of each. Later merges show only on GitHub.
    </>
  );
}

interface RepositoryFilterProps {
  readonly repository: string;
  readonly repositories: readonly string[];
  readonly count: number;
}

function RepositoryFilter({ repository, repositories, count }: RepositoryFilterProps) {
  const known = repository === "" || repositories.includes(repository)
    ? repositories
    : [...repositories, repository];
  const options = [
    { value: "", label: "All repositories" },
    ...known.map((name) => ({ value: name, label: name })),
  ];
  return (
    <FilterBar
      action={addresses.pullRequests()}
      selects={[{ name: "repository", label: "Repository", value: repository, options }]}
      isFiltered={repository !== ""}
    >
      {plural(count, "pull request")}
    </FilterBar>
  );
}

const COLUMNS = [
  { label: "Pull request" },
  { label: "Last sync", size: "medium" },
  { label: "Models", size: "small", align: "end" },
  { label: "Opened", size: "medium" },
  { label: "Last changed", size: "medium" },
  { label: "Node", size: "large" },
] as const;

function Group({ title, rows }: { readonly title: string; readonly rows: readonly PullRequestRow[] }) {
  if (rows.length === 0) return null;
  return (
    <Section title={title} note={String(rows.length)} live={`pull-requests:${title}`}>
      <Table caption={`${title} pull requests`} columns={COLUMNS}>
        {rows.map((row) => <PullRequest key={`${row.node} ${row.repository} ${row.number}`} row={row} />)}
      </Table>
    </Section>
  );
}

const TONES: Readonly<Record<string, Tone>> = { created: "good", updated: "calm", declined: "warn" };

function PullRequest({ row }: { readonly row: PullRequestRow }) {
  const { repository, number, url, outcome, changes, node, runId, firstAt, at } = row;
  const link = webLink(url);
  const tone = Object.hasOwn(TONES, outcome) ? TONES[outcome] ?? "quiet" : "quiet";
  const name = (
    <>
      <bdi>{shownText(repository)}</bdi> #{number}
    </>
  );
  return (
    <Row>
      <Cell label="" kind="head">
        {link === undefined
          ? <span class="name">{name}</span>
          : <a class="name" href={link} rel="noreferrer">{name}</a>}
      </Cell>
      <Cell label="Last sync">
        <span class={`state tone-${tone}`}>
          <Mark tone={tone} />
          <span>{shownText(spoken(outcome))}</span>
        </span>
      </Cell>
      <Cell label="Models" align="end">{String(changes)}</Cell>
      <Cell label="Opened">
        <Time at={firstAt} style="clock" />
      </Cell>
      <Cell label="Last changed" note={<a href={addresses.run(runId, node)}>Show the run</a>}>
        <Time at={at} style="clock" />
      </Cell>
      <Cell label="Node">
        <NodeLink node={node} />
      </Cell>
    </Row>
  );
}

function NoPullRequests() {
  return (
    <>
      <PageTitle>Pull requests</PageTitle>
      <Empty
        title="No reference sync has opened a pull request yet"
        commands={["model-sync references-sync --dry-run", "model-sync references-sync"]}
      >
        <p>
          A reference sync compares the model references in your repositories with those of the primary
          repository, and opens pull requests for the differences. They appear here when the machine reports
          to this page. Preview the changes first:
        </p>
      </Empty>
    </>
  );
}
