import type { Context } from "hono";
import { formatBytes, plural } from "../../lib/core/format.ts";
import { Facts } from "../components/Facts.tsx";
import { NodeLink } from "../components/NodeLink.tsx";
import { ReleaseTitle, releaseTitle } from "../components/ReleaseTitle.tsx";
import { Section } from "../components/Section.tsx";
import { Time } from "../components/Time.tsx";
import type { AppEnv, Dashboard } from "../dashboard.ts";
import { Lineages } from "../fleet/lag.ts";
import { newestPublication } from "../fleet/listed_release.ts";
import type { NodeView } from "../fleet/node_view.ts";
import type { ReachWords } from "../fleet/release_reach.ts";
import { newestDigests, viewRelease } from "../fleet/view_release.ts";
import { viewFleet } from "../fleet/view_fleet.ts";
import { pageFacts } from "../page_facts.ts";
import { readableRows } from "../readable_rows.ts";
import { renderPage } from "../render_page.tsx";
import type { StoredRelease } from "../store/read_release.ts";

/** The public sees when a release was published, its size, and on which nodes it is active, under their public names. */
export async function answerPublic(
  dashboard: Dashboard,
  context: Context<AppEnv>,
  release: StoredRelease,
): Promise<Response> {
  const now = dashboard.clock.now();
  const { rows, version } = await dashboard.fleet.read();
  const readable = [...await readableRows(dashboard, context.var.viewer, rows.values())];
  const { digest } = release.row;
  const newest = newestDigests(new Lineages(readable).all);
  const { words } = viewRelease(release, viewFleet(rows.values(), now).nodes, newest);
  const active = viewFleet(readable, now).nodes.filter(({ group, row }) =>
    group === "consumers" && row.active?.digest === digest
  );
  return await context.html(renderPage({
    title: releaseTitle(release.row),
    facts: pageFacts(context, now, version),
    body: <PublicReleasePage release={release} words={words} active={active} />,
  }));
}

interface PublicReleasePageProps {
  readonly release: StoredRelease;
  readonly words: ReachWords;
  readonly active: readonly NodeView[];
}

function PublicReleasePage({ release, words, active }: PublicReleasePageProps) {
  const { row, publications } = release;
  const at = newestPublication(publications)?.at ?? row.firstAt;
  return (
    <>
      <ReleaseTitle release={row} words={words} />
      <Facts
        facts={[
          { label: "Published", value: <Time at={at} style="clock" />, note: <Time at={at} /> },
          row.bytes !== undefined && { label: "Size", value: formatBytes(row.bytes) },
          row.files !== undefined && { label: "Files", value: String(row.files) },
        ]}
      />
      {active.length > 0 && (
        <Section title="Where it is active" note={plural(active.length, "node")} live="active">
          <ul class="plain">
            {active.map(({ row: { node } }) => (
              <li key={node}>
                <NodeLink node={node} />
              </li>
            ))}
          </ul>
        </Section>
      )}
    </>
  );
}
