import { Cell, Row, Table } from "../../web/components/Table.tsx";
import { Command, Empty } from "../../web/components/Section.tsx";
import { FilterBar } from "../../web/components/FilterBar.tsx";
import { PageTitle } from "../../web/components/PageTitle.tsx";
import { Time } from "../../web/components/Time.tsx";
import { renderPage } from "../../web/routes/render_page.tsx";
import { staticFiles } from "../../web/routes/static.ts";
import { CONTENT_SECURITY_POLICY, openSite, type SitePage, type WebSite } from "./web_site.ts";

/** The content of the site's page. Tests change it while the page is open. */
export interface Shown {
  sentence: string;
  /** The release of each node, in the order of the rows. */
  rows: Map<string, string>;
  now: Date;
  version: string;
  /** Whether the session is over: requests redirect to the sign-in page. */
  isSignedOut: boolean;
  /** An answer instead of the page. */
  fault: (() => Response) | undefined;
}

/** A page on loopback made of the dashboard's parts, with its scripts, stylesheet and stream of changes. */
export interface LiveSite extends WebSite {
  readonly shown: Shown;
  /** How many pages hold a stream. */
  streams(): number;
  /** Resolves once some number of pages hold a stream. */
  untilStreams(count: number): Promise<void>;
  /** Sends a message to open pages. */
  send(message: unknown): void;
  /** Ends all streams, as when the platform evicts the server. */
  drop(): void;
}

export function openLiveSite(nodes?: readonly string[]): LiveSite {
  const shown: Shown = {
    sentence: "All is well.",
    rows: new Map([["bot-paris", "41"], ["bot-tokyo", "41"]]),
    now: new Date("2026-11-29T08:31:08Z"),
    version: "v1",
    isSignedOut: false,
    fault: undefined,
  };
  const streams = new Set<ReadableStreamDefaultController<Uint8Array>>();
  const waiting: (() => void)[] = [];
  const changed = () => waiting.splice(0).forEach((wake) => wake());
  const encoder = new TextEncoder();
  const site = openSite({
    ...filesOf(staticFiles),
    "/favicon.svg": () => new Response(`<svg xmlns="http://www.w3.org/2000/svg"/>`, { headers: SVG }),
    "/": (request) => {
      if (shown.isSignedOut) return redirect("/sign-in");
      if (new URL(request.url).searchParams.get("q") === "af9620290d58") {
        return redirect("/releases/af9620290d58");
      }
      return shown.fault?.() ?? html(pageOf(shown, request, nodes));
    },
    "/releases/af9620290d58": () => html("<!doctype html><title>Release 42</title><p>Release 42</p>"),
    "/sign-in": () => html("<!doctype html><title>Sign in</title><p>Who are you?</p>"),
    "/api/v1/live": () => {
      if (shown.isSignedOut) return new Response("sign in", { status: 401 });
      let own: ReadableStreamDefaultController<Uint8Array>;
      const stream = new ReadableStream<Uint8Array>({
        start: (controller) => {
          own = controller;
          streams.add(own);
          changed();
          own.enqueue(encoder.encode("retry: 50\n\n"));
        },
        cancel: () => {
          streams.delete(own);
          changed();
        },
      });
      return new Response(stream, { headers: { "content-type": "text/event-stream" } });
    },
  });
  return {
    origin: site.origin,
    requests: site.requests,
    until: (isTrue) => site.until(isTrue),
    [Symbol.asyncDispose]: () => site[Symbol.asyncDispose](),
    shown,
    streams: () => streams.size,
    untilStreams: async (count) => {
      while (streams.size !== count) await new Promise<void>((resolve) => waiting.push(resolve));
    },
    send: (message) => {
      for (const stream of streams) stream.enqueue(encoder.encode(`data: ${JSON.stringify(message)}\n\n`));
    },
    drop: () => {
      for (const stream of streams) stream.close();
      streams.clear();
    },
  };
}

const SVG = { "content-type": "image/svg+xml" };

function filesOf(files: typeof staticFiles): Record<string, SitePage> {
  return Object.fromEntries(Array.from(files, ([name, { bytes, contentType }]) => [
    `/static/${name}`,
    () => new Response(bytes, { headers: { "content-type": contentType } }),
  ]));
}

function html(text: string): Response {
  return new Response(text, {
    headers: {
      "content-type": "text/html; charset=utf-8",
      "content-security-policy": CONTENT_SECURITY_POLICY,
    },
  });
}

function redirect(path: string): Response {
  return new Response(null, { status: 303, headers: { location: path } });
}

function pageOf(
  { sentence, rows, now, version }: Shown,
  request: Request,
  nodes?: readonly string[],
): string {
  const query = new URL(request.url).searchParams.get("q") ?? "";
  const found = Array.from(rows).filter(([node]) => node.includes(query));
  const zone = /zone=([^;]+)/.exec(request.headers.get("cookie") ?? "")?.[1] ?? "UTC";
  return renderPage({
    title: sentence,
    facts: { now, zone, viewer: "operator", path: "/", live: version },
    ...(nodes === undefined ? {} : { nodes }),
    body: (
      <>
        <PageTitle live="sentence">{sentence}</PageTitle>
        {query === "" && <p data-live="newest">The newest release is 42.</p>}
        <FilterBar action="/" search={{ label: "Name", value: query }} isFiltered={query !== ""}>
          {found.length} of {rows.size} nodes
        </FilterBar>
        {found.length === 0 && <Empty title="No node matches" />}
        <Table caption="Nodes" columns={[{ label: "Node" }, { label: "Release" }]} live="nodes">
          {found.map(([node, release]) => (
            <Row live={`node:${node}`} node={node} key={node}>
              <Cell label="Node" kind="head">
                <a href={`#${node}`}>{node}</a>
              </Cell>
              <Cell label="Release">
                <details>
                  <summary>{release}</summary>
                  <Time at="2026-11-29T06:31:08Z" /> <Time at="2026-11-29T06:31:08Z" style="clock" />
                </details>
              </Cell>
            </Row>
          ))}
        </Table>
        <p id="typed">
          <input aria-label="Anything" />
        </p>
        <Command command="model-sync pull" />
      </>
    ),
  });
}
