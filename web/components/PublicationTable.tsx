import { addresses } from "../shared/addresses.ts";
import { shownText } from "../shared/shown_text.ts";
import type { Publication } from "../store/rows.ts";
import { NodeLink } from "./Links.tsx";
import { Section } from "./Section.tsx";
import { Cell, Row, Table } from "./Table.tsx";
import { Time } from "./Time.tsx";

/** Renders the publications of a release. */
export function PublicationTable({ publications }: { readonly publications: readonly Publication[] }) {
  const sorted = publications.toSorted((a, b) => b.at.localeCompare(a.at));
  return (
    <Section title="Publications" note={String(sorted.length)} id="publications">
      <Table
        caption="Publications"
        columns={[
          { label: "Published", size: "medium" },
          { label: "By", size: "large" },
          { label: "Carrier", size: "medium" },
          { label: "Revision" },
          { label: "Run", size: "medium", align: "end" },
        ]}
      >
        {sorted.map(({ node, at, carrier, revision, runId }) => (
          <Row key={`${node} ${carrier}`}>
            <Cell label="" kind="head">
              <Time at={at} style="clock" />
            </Cell>
            <Cell label="By">
              <NodeLink node={node} />
            </Cell>
            <Cell label="Carrier">{carrier === undefined ? "–" : shownText(carrier)}</Cell>
            <Cell label="Revision" kind="wide">
              {revision === undefined ? "–" : <code class="path">{shownText(revision)}</code>}
            </Cell>
            <Cell label="Run" align="end">
              <a href={addresses.run(runId, node)}>Show the run</a>
            </Cell>
          </Row>
        ))}
      </Table>
    </Section>
  );
}
