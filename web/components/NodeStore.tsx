import { formatBytes, plural } from "../../lib/core/format.ts";
import type { Heartbeat, Status } from "../../lib/wire/schema.ts";
import { shownText } from "../shared/shown_text.ts";
import { ReleaseChip } from "./Links.tsx";
import { Section } from "./Section.tsx";
import { Cell, Row, Table } from "./Table.tsx";
import { Time } from "./Time.tsx";

/** Renders the releases in a node's store, the withdrawn ones and its quarantine. */
export function NodeStore({ heartbeat }: { readonly heartbeat: Heartbeat | undefined }) {
  if (heartbeat === undefined) return null;
  const { releases, quarantine, withdrawn = [], current, previous } = heartbeat.status;
  return (
    <>
      {releases.length > 0 && (
        <Section
          title="Releases in the store"
          note={plural(releases.length + heartbeat.leftOut.releases, "release")}
        >
          <Table
            caption="Releases in the store"
            columns={[{ label: "Release", grows: true }, { label: "Files", align: "end" }, {
              label: "Size",
              align: "end",
            }, { label: "Created", align: "end" }]}
          >
            {releases.map((release) => (
              <Row key={release.digest}>
                <Cell
                  label=""
                  kind="head"
                  note={release.digest === current?.digest
                    ? "active"
                    : release.digest === previous?.digest
                    ? "rollback activates this one"
                    : undefined}
                >
                  <ReleaseChip release={release} />
                </Cell>
                <Cell label="Files" align="end">{String(release.files)}</Cell>
                <Cell label="Size" align="end">{formatBytes(release.bytes)}</Cell>
                <Cell label="Created" align="end">
                  <Time at={release.createdAt} />
                </Cell>
              </Row>
            ))}
          </Table>
        </Section>
      )}
      <WithdrawnReleases withdrawn={withdrawn} />
      {quarantine.length > 0 && (
        <Section
          title="Quarantine"
          note={plural(quarantine.length + heartbeat.leftOut.quarantine, "release")}
        >
          <Table
            caption="Quarantine"
            columns={[{ label: "Release" }, { label: "Reason", grows: true }, {
              label: "Since",
              align: "end",
            }]}
          >
            {quarantine.map((entry) => (
              <Row key={entry.digest}>
                <Cell label="" kind="head">
                  <ReleaseChip release={entry} />
                </Cell>
                <Cell label="Reason" kind="wide">{shownText(entry.reason)}</Cell>
                <Cell label="Since" align="end">
                  <Time at={entry.at} />
                </Cell>
              </Row>
            ))}
          </Table>
        </Section>
      )}
    </>
  );
}

function WithdrawnReleases({ withdrawn }: { readonly withdrawn: NonNullable<Status["withdrawn"]> }) {
  if (withdrawn.length === 0) return null;
  return (
    <Section title="Withdrawn by their publisher" note={plural(withdrawn.length, "release")}>
      <Table
        caption="Withdrawn by their publisher"
        columns={[{ label: "Release" }, { label: "Reason", grows: true }, {
          label: "Since",
          align: "end",
        }]}
      >
        {withdrawn.map(({ digest, at, reason = "–", isOverridden }) => (
          <Row key={digest}>
            <Cell
              label=""
              kind="head"
              note={isOverridden === true ? "activated here by force" : undefined}
            >
              <ReleaseChip release={{ digest }} />
            </Cell>
            <Cell label="Reason" kind="wide">{shownText(reason)}</Cell>
            <Cell label="Since" align="end">
              <Time at={at} />
            </Cell>
          </Row>
        ))}
      </Table>
    </Section>
  );
}
