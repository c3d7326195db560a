import type { ComponentChildren } from "preact";
import { render } from "preact-render-to-string";
import { Layout } from "../components/Layout.tsx";
import { PageContext, type PageFacts } from "../components/PageContext.tsx";
import { addresses } from "../shared/addresses.ts";
import type { FaviconState } from "../components/favicon.ts";
import { staticAddress } from "./static.ts";

export interface Page {
  /** What the page shows, for the browser's tab: `bot-paris`. */
  readonly title: string;
  readonly facts: PageFacts;
  /** What the favicon shows of the fleet; good without it. */
  readonly state?: FaviconState;
  /** What was searched for, for the field in the header. */
  readonly search?: string;
  /** The nodes whose changes the open page follows; those of all nodes without it. */
  readonly nodes?: readonly string[];
  readonly body: ComponentChildren;
}

/** Returns a page as HTML, from its doctype on. */
export function renderPage({ title, facts, state = "good", search, nodes, body }: Page): string {
  const script = staticAddress("islands.js");
  const html = render(
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <title data-live="title">{title} · model-sync</title>
        <link rel="icon" type="image/svg+xml" href={addresses.favicon(state)} data-live="favicon" />
        <link rel="stylesheet" href={staticAddress("style.css")} />
        <link
          rel="alternate"
          type="application/atom+xml"
          href={addresses.incidentsFeed()}
          title="Incidents"
        />
        {script !== undefined && <script type="module" src={script}></script>}
      </head>
      <body
        data-since={facts.live}
        data-now={facts.now.toISOString()}
        data-nodes={nodes === undefined ? undefined : JSON.stringify(nodes)}
      >
        <PageContext.Provider value={facts}>
          <Layout search={search}>{body}</Layout>
        </PageContext.Provider>
      </body>
    </html>,
  );
  return `<!doctype html>${html}`;
}
