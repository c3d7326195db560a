import { plural } from "../../lib/core/format.ts";
import { shortDigest } from "../../lib/release/manifest.ts";
import { shownText } from "../shared/shown_text.ts";
import type { QuarantineNote, ReleaseRow } from "../store/rows.ts";
import { Command, Section } from "./Section.tsx";
import { NodeLink } from "./Links.tsx";
import { Cell, Row, Table } from "./Table.tsx";
import { Time } from "./Time.tsx";

interface QuarantineNotesProps {
  readonly digest: ReleaseRow["digest"];
  readonly notes: readonly QuarantineNote[];
}

/** Renders which nodes have quarantined a release, why, and how to release it from quarantine. */
export function QuarantineNotes({ digest, notes }: QuarantineNotesProps) {
  return (
    <Section title="Quarantine" note={`on ${plural(notes.length, "node")}`} id="quarantine" live="quarantine">
      <Table
        caption="Quarantine"
        columns={[
          { label: "Node", size: "large" },
          { label: "Reason" },
          { label: "Since", size: "medium", align: "end" },
        ]}
      >
        {notes.map(({ node, reason, at }) => (
          <Row key={node}>
            <Cell label="" kind="head">
              <NodeLink node={node} />
            </Cell>
            <Cell label="Reason" kind="wide">{shownText(reason)}</Cell>
            <Cell label="Since" align="end">
              <Time at={at} style="clock" />
            </Cell>
          </Row>
        ))}
      </Table>
      <p class="next-step">
        Pulls on these nodes refuse the release. To release it from quarantine, run on the node:{" "}
        <Command command={`model-sync quarantine lift ${shortDigest(digest)}`} />
      </p>
    </Section>
  );
}
