import type { Context } from "hono";
import { formatBytes } from "../../lib/core/format.ts";
import { Facts } from "../components/Section.tsx";
import { ReleaseTitle, releaseTitle } from "../components/ReleaseTitle.tsx";
import { Time } from "../components/Time.tsx";
import { WhereActive } from "../components/PeriodTable.tsx";
import type { AppEnv, Dashboard } from "./dashboard.ts";
import { publishedAt } from "../store/read_releases.ts";
import { publicRelease } from "../viewer/public_release.ts";
import { publicNames, publicRows } from "../viewer/public_view.ts";
import { viewFleet } from "../fleet/view_fleet.ts";
import { newestDigests, type ReleaseView, viewRelease } from "../fleet/view_release.ts";
import { pageFacts } from "./page_facts.ts";
import { renderPage } from "./render_page.tsx";
import type { StoredRelease } from "../store/read_release.ts";
import { ensureSessionKey } from "../store/session_key.ts";

/**
 * Answers with a release for the public: when it was published, its size, and where it was active, with public names.
 * Everything else is removed before components see it.
 */
export async function answerPublic(
  dashboard: Dashboard,
  context: Context<AppEnv>,
  stored: StoredRelease,
): Promise<Response> {
  const now = dashboard.clock.now();
  const { rows, version } = await dashboard.fleet.read();
  const all = [...rows.values()];
  const key = await ensureSessionKey(dashboard.kv);
  const release = publicRelease(stored, publicNames(all, key));
  const { nodes, lineages } = viewFleet(publicRows(all, key), now);
  const view = viewRelease(release, nodes, newestDigests(lineages.all));
  return await context.html(renderPage({
    title: releaseTitle(release.row),
    facts: pageFacts(context, now, version),
    body: <PublicReleasePage release={release} view={view} now={now} />,
  }));
}

interface PublicReleasePageProps {
  readonly release: StoredRelease;
  readonly view: ReleaseView;
  readonly now: Date;
}

function PublicReleasePage({ release, view, now }: PublicReleasePageProps) {
  const { row } = release;
  const at = publishedAt(release);
  return (
    <>
      <ReleaseTitle release={row} words={view.words} />
      <Facts
        facts={[
          { label: "Published", value: <Time at={at} style="clock" />, note: <Time at={at} /> },
          row.bytes !== undefined && { label: "Size", value: formatBytes(row.bytes) },
          row.files !== undefined && { label: "Files", value: String(row.files) },
        ]}
      />
      <WhereActive view={view} now={now} />
    </>
  );
}
