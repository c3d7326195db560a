import type { Context } from "hono";
import type { Span } from "../charts/time_axis.ts";
import type { AppEnv, Dashboard } from "./dashboard.ts";
import { type Lineage, Lineages } from "../fleet/lag.ts";
import { type ConsumerPeriods, type ListedRelease, listReleases } from "../fleet/listed_release.ts";
import type { NodeView } from "../fleet/node_view.ts";
import { viewFleet } from "../fleet/view_fleet.ts";
import { newestDigests } from "../fleet/view_release.ts";
import { readableRows } from "../viewer/readable_fleet.ts";
import {
  findReleases,
  type FoundReleases,
  publishedAt,
  type PublishedRelease,
  readReleaseRows,
  withPublications,
} from "../store/read_releases.ts";
import { beginningOf } from "../store/search.ts";
import { PERIOD_NODES_MAX, readFleetPeriods } from "../store/read_activations.ts";
import type { ReleaseRow } from "../store/rows.ts";
import type { Viewer } from "../shared/web.ts";

/** Releases per page. */
const RELEASES_MAX = 25;
/** Releases per publisher in the overview of several publishers. */
const OVERVIEW_MAX = 6;
/** How many of the newest releases the overview searches for releases without a known publisher. */
const UNCLAIMED_SCANNED_MAX = 100;
/** Publishers in the overview. The filter leads to the others. */
export const PUBLISHERS_MAX = 10;
const DAY_MS = 24 * 3_600_000;

/** The filter of the page of releases. */
export interface ReleaseFilter {
  readonly search: string;
  /** The name that the viewer knows; empty for all. */
  readonly publisher: string;
  readonly before: string | undefined;
}

function parseFilter(query: (name: string) => string | undefined): ReleaseFilter {
  return {
    search: (query("q") ?? "").trim().slice(0, 200),
    publisher: (query("publisher") ?? "").slice(0, 200),
    before: query("before") || undefined,
  };
}

/** A section of the page: releases of one publisher, or all that match. */
export interface ReleaseGroup {
  /** Missing if the releases may have several publishers, or none that reports. */
  readonly publisher: string | undefined;
  readonly title: string;
  readonly releases: readonly ListedRelease[];
  readonly span: Span;
  readonly isWhole: boolean;
}

/** The data of the page of releases. */
export interface ReleaseList {
  /** The version of the fleet. */
  readonly version: string;
  readonly filter: ReleaseFilter;
  /** With the names that the viewer knows. */
  readonly lineages: readonly Lineage[];
  readonly groups: readonly ReleaseGroup[];
  readonly older: string | undefined;
  readonly isCut: boolean;
  /** Whether the viewer may see signers and any release has one. */
  readonly isSigned: boolean;
  /** Number of consumers whose periods are not shown. */
  readonly unseen: number;
}

/** Returns the data of the page of releases for a request. */
export async function readReleaseList(
  dashboard: Dashboard,
  context: Context<AppEnv>,
  now: Date,
): Promise<ReleaseList> {
  const { viewer } = context.var;
  const filter = parseFilter((name) => context.req.query(name));
  const { rows, version } = await dashboard.fleet.read();
  const readable = await readableRows(dashboard, viewer, rows.values());
  const lineages = new Lineages(readable).all;
  const all = viewFleet(rows.values(), now).nodes.filter(({ group }) => group === "consumers");
  const isOverview = lineages.length > 1 && filter.search === "" && filter.publisher === "" &&
    filter.before === undefined;
  const found = isOverview
    ? { pages: await readOverview(dashboard.kv, lineages), older: undefined, isCut: false }
    : await readPageOf(dashboard.kv, filter, lineages, viewer);
  const from = oldestOf(found.pages.flatMap(({ releases }) => releases), now);
  const consumers = filter.publisher === "" ? all : ofPublishers(all, found.pages);
  const nodes = consumers.map(({ row }) => row.node);
  const periods = await readFleetPeriods(dashboard.kv, nodes, from.toISOString());
  const newest = newestDigests(lineages);
  return {
    version,
    filter,
    lineages,
    groups: found.pages.map((page) => listGroup(page, { consumers, periods }, newest, filter, now)),
    older: found.older,
    isCut: found.isCut,
    isSigned: viewer === "operator" &&
      found.pages.some(({ releases }) => releases.some(({ row }) => row.signer !== undefined)),
    unseen: Math.max(0, nodes.length - PERIOD_NODES_MAX),
  };
}

/** Returns the consumers that may have had a release of the page. The publisher of some is unknown. */
function ofPublishers(consumers: readonly NodeView[], pages: readonly GroupPage[]): readonly NodeView[] {
  const releases = pages.flatMap((page) => page.releases);
  const publishers = new Set(releases.flatMap(({ publications }) => publications.map(({ node }) => node)));
  return consumers.filter(({ lag }) => lag === null || publishers.has(lag.publisher));
}

/** A section before the periods of its releases are known. */
interface GroupPage extends Pick<ReleaseGroup, "publisher" | "title" | "isWhole"> {
  readonly releases: readonly PublishedRelease[];
}

function listGroup(
  { releases, ...group }: GroupPage,
  active: ConsumerPeriods,
  newest: ReadonlySet<string>,
  { before }: ReleaseFilter,
  now: Date,
): ReleaseGroup {
  const span = { from: oldestOf(releases, now), to: now };
  const shown = before === undefined ? span : { ...span, to: endOfOlder(releases, now) };
  return { ...group, span: shown, releases: listReleases(releases, active, newest) };
}

function oldestOf(releases: readonly PublishedRelease[], now: Date): Date {
  const oldest = releases.reduce((ms, { row }) => Math.min(ms, Date.parse(row.firstAt)), now.getTime());
  return new Date(oldest);
}

/** Returns the end of the span for older releases: some time after the last of them was published. */
function endOfOlder(releases: readonly PublishedRelease[], now: Date): Date {
  const oldest = oldestOf(releases, now).getTime();
  const newest = releases.reduce((ms, release) => Math.max(ms, Date.parse(publishedAt(release))), oldest);
  return new Date(Math.min(now.getTime(), newest + DAY_MS + (newest - oldest) / 4));
}

/** Returns the newest releases of each publisher. */
async function readOverview(kv: Deno.Kv, lineages: readonly Lineage[]): Promise<readonly GroupPage[]> {
  const pages: GroupPage[] = [];
  for (const { publisher, published } of lineages.slice(0, PUBLISHERS_MAX)) {
    const digests = published.slice(0, OVERVIEW_MAX).map(({ digest }) => digest);
    const releases = await withPublications(kv, await readReleaseRows(kv, digests));
    pages.push({ publisher, title: publisher, releases, isWhole: published.length <= OVERVIEW_MAX });
  }
  const unclaimed = await findReleases(kv, {
    row: () => true,
    publications: (publications) => publications.length === 0,
  }, { limit: OVERVIEW_MAX, scannedMax: UNCLAIMED_SCANNED_MAX });
  if (unclaimed.rows.length === 0) return pages;
  const title = "Without a known publisher";
  return [...pages, { publisher: undefined, title, releases: unclaimed.rows, isWhole: true }];
}

/** Returns a page of the releases that match the filter. */
async function readPageOf(
  kv: Deno.Kv,
  { search, publisher, before }: ReleaseFilter,
  lineages: readonly Lineage[],
  viewer: Viewer,
): Promise<Omit<FoundReleases, "rows"> & { readonly pages: readonly GroupPage[] }> {
  const matchesText = textMatcher(search, viewer);
  // Publications have the true names of publishers, which the public does not know.
  const known = viewer === "public" && publisher !== ""
    ? new Set<string>(lineages.find((one) => one.publisher === publisher)?.published.map((one) => one.digest))
    : undefined;
  const { rows, older, isCut } = await findReleases(kv, {
    row: (row) => matchesText(row) && (known === undefined || known.has(row.digest)),
    publications: viewer === "operator" && publisher !== ""
      ? (publications) => publications.some(({ node }) => node === publisher)
      : undefined,
  }, { limit: RELEASES_MAX, before });
  const title = search !== "" || publisher !== "" || before !== undefined ? "Found" : "All releases";
  return {
    pages: [{ publisher: publisher || undefined, title, releases: rows, isWhole: true }],
    older,
    isCut,
  };
}

/**
 * Returns a filter by sequence or beginning of the digest; for operators also by carrier or beginning of the signer.
 */
function textMatcher(search: string, viewer: Viewer): (row: ReleaseRow) => boolean {
  if (search === "") return () => true;
  const text = search.toLowerCase();
  const digits = beginningOf(text);
  const sequence = /^\d{1,9}$/.test(text) ? Number(text) : undefined;
  return (row) =>
    (sequence !== undefined && row.sequence === sequence) ||
    (digits !== undefined && row.digest.startsWith(`sha256:${digits}`)) ||
    (viewer === "operator" &&
      (row.carriers.some((carrier) => carrier.toLowerCase() === text) ||
        (row.signer?.toLowerCase().startsWith(text) ?? false)));
}
