import { Hono } from "hono";
import { addresses } from "../shared/addresses.ts";
import { Breadcrumb, PageTitle } from "../components/PageTitle.tsx";
import { Empty } from "../components/Section.tsx";
import { Pager } from "../components/Table.tsx";
import { RunTable } from "../components/RunTable.tsx";
import type { App, AppEnv, Dashboard } from "./dashboard.ts";
import { pageFacts } from "./page_facts.ts";
import { renderPage } from "./render_page.tsx";
import type { RowPage } from "../store/page_range.ts";
import { readNews } from "../store/read_runs.ts";
import type { RunRow } from "../store/rows.ts";

const NEWS_MAX = 100;

/** The activity of the fleet: runs that changed something or failed. */
export function newsRoutes(dashboard: Dashboard): App {
  return new Hono<AppEnv>().get(addresses.news(), async (context) => {
    const before = context.req.query("before");
    const { version } = await dashboard.fleet.read();
    const news = await readNews(dashboard.kv, { limit: NEWS_MAX, before });
    return context.html(renderPage({
      title: "Activity",
      facts: pageFacts(context, dashboard.clock.now(), version),
      body: <NewsPage news={news} isFirstPage={before === undefined} />,
    }));
  });
}

function NewsPage({ news, isFirstPage }: { readonly news: RowPage<RunRow>; readonly isFirstPage: boolean }) {
  const { rows, older } = news;
  return (
    <>
      <Breadcrumb crumbs={[{ label: "Fleet", href: addresses.fleet() }]} />
      <PageTitle lead="Runs that changed something or failed. The page of a node also lists its unchanged runs.">
        Activity
      </PageTitle>
      {rows.length === 0
        ? <Empty title="No activity yet">Runs that change something or fail appear here.</Empty>
        : <RunTable caption="Activity" runs={rows} namesNodes live="news" />}
      <Pager
        what="changes"
        newer={isFirstPage ? undefined : addresses.news()}
        older={older === undefined ? undefined : `${addresses.news()}?before=${encodeURIComponent(older)}`}
      />
    </>
  );
}
