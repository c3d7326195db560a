import type { Context } from "hono";
import { addresses } from "../shared/addresses.ts";
import { Breadcrumb, PageTitle } from "../components/PageTitle.tsx";
import { Empty } from "../components/Section.tsx";
import { ReleaseChip } from "../components/Links.tsx";
import { Cell, Row, Table } from "../components/Table.tsx";
import { Time } from "../components/Time.tsx";
import type { AppEnv, Dashboard } from "./dashboard.ts";
import { pageFacts } from "./page_facts.ts";
import { renderPage } from "./render_page.tsx";
import { shownText } from "../shared/shown_text.ts";
import type { ReleaseRow } from "../store/rows.ts";

/** Longer texts in an address are cut. */
const SHOWN_CHARS = 80;

/** Returns the answer for an unknown release. */
export async function unknownReleasePage(
  { clock }: Pick<Dashboard, "clock">,
  context: Context<AppEnv>,
  typed: string,
): Promise<Response> {
  const body = (
    <>
      <Crumbs />
      <PageTitle>Release not found</PageTitle>
      <Empty
        title={`No node has reported a release that matches ${shownText(typed.slice(0, SHOWN_CHARS))}`}
        commands={["model-sync status"]}
      >
        <p>
          Use the digest, at least its first 4 digits, or the sequence. Releases older than the retention are
          deleted.
        </p>
        <p>
          <a href={addresses.releases()}>Show all releases</a>, or look up the digest on a node:
        </p>
      </Empty>
    </>
  );
  const page = { title: "Release not found", facts: pageFacts(context, clock.now(), ""), body };
  return await context.html(renderPage(page), 404);
}

/** Returns the answer for a text that matches several releases. */
export async function ambiguousReleasePage(
  { clock }: Pick<Dashboard, "clock">,
  context: Context<AppEnv>,
  typed: string,
  found: readonly ReleaseRow[],
): Promise<Response> {
  const title = `Several releases match ${shownText(typed.slice(0, SHOWN_CHARS))}`;
  const body = (
    <>
      <Crumbs />
      <PageTitle lead="Choose one, or enter more digits of the digest.">{title}</PageTitle>
      <div class="section">
        <Table
          caption="Releases"
          columns={[{ label: "Release" }, { label: "Digest", grows: true }, { label: "Seen", align: "end" }]}
        >
          {found.map((row) => (
            <Row key={row.digest}>
              <Cell label="" kind="head">
                <ReleaseChip release={row} />
              </Cell>
              <Cell label="Digest" kind="wide">
                <code class="path">{row.digest}</code>
              </Cell>
              <Cell label="Seen" align="end">
                <Time at={row.firstAt} style="clock" />
              </Cell>
            </Row>
          ))}
        </Table>
      </div>
    </>
  );
  return await context.html(renderPage({ title, facts: pageFacts(context, clock.now(), ""), body }), 300);
}

function Crumbs() {
  return <Breadcrumb crumbs={[{ label: "Releases", href: addresses.releases() }]} />;
}
