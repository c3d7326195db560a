import type { ComponentChildren } from "preact";
import { render } from "preact-render-to-string";
import { Layout } from "../components/Layout.tsx";
import { PageContext, type PageFacts } from "../components/PageContext.tsx";
import { addresses } from "../shared/addresses.ts";
import type { FaviconState } from "../components/favicon.ts";
import { staticAddress } from "./static.ts";

export interface Page {
  /** The title of the page, for the tab: `bot-paris`. */
  readonly title: string;
  readonly facts: PageFacts;
  /** The state in the favicon; `good` by default. */
  readonly state?: FaviconState;
  /** The text in the search field of the header. */
  readonly search?: string;
  /** The nodes whose changes refresh the open page; all nodes by default. */
  readonly nodes?: readonly string[];
  readonly body: ComponentChildren;
}

/** Returns a page as HTML with its doctype. */
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
