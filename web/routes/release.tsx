import type { Context } from "hono";
import { formatBytes, plural } from "../../lib/core/format.ts";
import { addresses } from "../shared/addresses.ts";
import { CanaryCourses } from "../components/CanaryCourses.tsx";
import { Facts, Section } from "../components/Section.tsx";
import { NodeLink } from "../components/Links.tsx";
import { PublicationTable } from "../components/PublicationTable.tsx";
import { QuarantineNotes } from "../components/QuarantineNotes.tsx";
import { ReleaseComparison } from "../components/ReleaseComparison.tsx";
import { ReleaseFiles } from "../components/ReleaseFiles.tsx";
import { ReleaseTitle, releaseTitle } from "../components/ReleaseTitle.tsx";
import { Time } from "../components/Time.tsx";
import { WithdrawalNote } from "../components/WithdrawalNote.tsx";
import { WhereActive } from "../components/PeriodTable.tsx";
import type { AppEnv, Dashboard } from "./dashboard.ts";
import { newestPublication } from "../store/read_releases.ts";
import { viewFleet } from "../fleet/view_fleet.ts";
import { newestDigests, type ReleaseView, viewRelease } from "../fleet/view_release.ts";
import { pageFacts } from "./page_facts.ts";
import { renderPage } from "./render_page.tsx";
import { shownText } from "../shared/shown_text.ts";
import { isDigest } from "../store/keys.ts";
import { type Comparison, readComparison } from "../store/read_comparison.ts";
import { readRelease, type StoredRelease } from "../store/read_release.ts";
import { resolveRelease } from "../store/search.ts";
import { answerPublic } from "./release_public.tsx";
import { ambiguousReleasePage, unknownReleasePage } from "./unknown_release.tsx";

/** Answers with a release: where it was active, its changes and its files. */
export async function releaseRoute(
  dashboard: Dashboard,
  context: Context<AppEnv>,
): Promise<Response> {
  const typed = context.req.param("digest") ?? "";
  const release = isDigest(typed) ? await readRelease(dashboard.kv, typed) : undefined;
  if (release === undefined) return await answerTyped(dashboard, context, typed);
  return context.var.viewer === "operator"
    ? await answerOperator(dashboard, context, release)
    : await answerPublic(dashboard, context, release);
}

/** Answers an address that a person typed: the beginning of a digest, or a sequence. */
async function answerTyped(
  dashboard: Dashboard,
  context: Context<AppEnv>,
  typed: string,
): Promise<Response> {
  const found = await resolveRelease(dashboard.kv, typed);
  const [only] = found;
  if (only === undefined) return await unknownReleasePage(dashboard, context, typed);
  if (found.length > 1) return await ambiguousReleasePage(dashboard, context, typed, found);
  return context.redirect(addresses.release(only.digest), 303);
}

async function answerOperator(
  dashboard: Dashboard,
  context: Context<AppEnv>,
  release: StoredRelease,
): Promise<Response> {
  const now = dashboard.clock.now();
  const { rows, version } = await dashboard.fleet.read();
  const { nodes, lineages } = viewFleet(rows.values(), now);
  const publisher = newestPublication(release.publications)?.node;
  const lineage = lineages.all.find((one) => one.publisher === publisher);
  const newest = newestDigests(lineages.all);
  const typed = context.req.query("other")?.trim() || context.req.query("against")?.trim() || undefined;
  const comparison = await readComparison(
    dashboard.kv,
    release,
    lineage?.published ?? [],
    typed?.slice(0, 80),
  );
  return await context.html(renderPage({
    title: releaseTitle(release.row),
    facts: pageFacts(context, now, version),
    body: (
      <ReleasePage
        release={release}
        view={viewRelease(release, nodes, newest)}
        comparison={comparison}
        now={now}
      />
    ),
  }));
}

interface ReleasePageProps {
  readonly release: StoredRelease;
  readonly view: ReleaseView;
  readonly comparison: Comparison;
  readonly now: Date;
}

function ReleasePage({ release, view, comparison, now }: ReleasePageProps) {
  const { row, publications, files, quarantines, canaries } = release;
  const sorted = canaries.toSorted((a, b) => b.startedAt.localeCompare(a.startedAt));
  return (
    <>
      <ReleaseTitle release={row} words={view.words} />
      <ReleaseFacts release={release} />
      <WithdrawalNote row={row} />
      {quarantines.length > 0 && <QuarantineNotes digest={row.digest} notes={quarantines} />}
      <WhereActive view={view} now={now} />
      {sorted.length > 0 && (
        <Section title="Canaries" note={plural(sorted.length, "node")} id="canaries">
          <CanaryCourses canaries={sorted} />
        </Section>
      )}
      <Section title="Changes" id="changes">
        <ReleaseComparison row={row} comparison={comparison} />
      </Section>
      {publications.length > 0 && <PublicationTable publications={publications} />}
      <Section
        title="Files"
        note={row.files === undefined ? undefined : filesNote(row.files, row.bytes)}
        id="files"
      >
        <ReleaseFiles row={row} files={files} />
      </Section>
    </>
  );
}

function filesNote(files: number, bytes: number | undefined): string {
  return bytes === undefined ? plural(files, "file") : `${plural(files, "file")}, ${formatBytes(bytes)}`;
}

function ReleaseFacts({ release: { row, publications } }: { readonly release: StoredRelease }) {
  const published = newestPublication(publications);
  return (
    <Facts
      facts={[
        published === undefined
          ? {
            label: "First seen",
            value: <Time at={row.firstAt} style="clock" />,
            note: "no publisher has reported it",
          }
          : {
            label: "Published",
            value: <Time at={published.at} style="clock" />,
            note: <Time at={published.at} />,
          },
        published !== undefined && { label: "Publisher", value: <NodeLink node={published.node} /> },
        row.bytes !== undefined && {
          label: "Size",
          value: formatBytes(row.bytes),
          note: row.files === undefined ? undefined : plural(row.files, "file"),
        },
        row.carriers.length > 0 && { label: "Carriers", value: shownText(row.carriers.join(", ")) },
        {
          label: "Signed by",
          value: row.signer === undefined
            ? <span class="quiet-text">no signature reported</span>
            : <code title={shownText(row.signer)}>{shownText(row.signer).slice(0, 16)}</code>,
        },
        published !== undefined && isEarlier(row.firstAt, published.at) && {
          label: "First seen",
          value: <Time at={row.firstAt} style="clock" />,
        },
      ]}
    />
  );
}

/**
 * A release is first seen when the run that publishes it starts. If it was seen more than this before, it was published
 * again.
 */
const PUBLISHING_MS = 24 * 3_600_000;

function isEarlier(firstAt: string, publishedAt: string): boolean {
  return Date.parse(publishedAt) - Date.parse(firstAt) > PUBLISHING_MS;
}
