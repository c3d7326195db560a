import { useContext } from "preact/hooks";
import { formatDuration } from "../../lib/core/format.ts";
import { dueOf } from "../fleet/node_state.ts";
import { shownText } from "../shared/shown_text.ts";
import type { NodeRow, RoleRow } from "../store/rows.ts";
import { PageContext } from "./PageContext.tsx";
import { Section } from "./Section.tsx";
import { Cell, Row, Table } from "./Table.tsx";
import { Time } from "./Time.tsx";

/** Renders the schedule of a node's daemon; nothing for a node without a daemon. */
export function NodeSchedule({ row }: { readonly row: NodeRow }) {
  const roles = row.report?.roles ?? [];
  if (roles.length === 0) return null;
  return (
    <Section title="Schedule" note="of its daemon">
      <Table
        caption="Schedule"
        columns={[{ label: "Role" }, { label: "Runs at", grows: true }, { label: "Zone" }, {
          label: "Next",
          align: "end",
        }]}
      >
        {roles.map((role) => (
          <Row key={role.role}>
            <Cell label="" kind="head">{shownText(role.role)}</Cell>
            <Cell
              label="Runs at"
              note={role.splaySeconds > 0
                ? `up to ${formatDuration(role.splaySeconds * 1000)} later`
                : undefined}
            >
              {shownText(role.times.join(", "))}
            </Cell>
            <Cell label="Zone">{shownText(role.timeZone)}</Cell>
            <Cell
              label="Next"
              align="end"
              note={role.pause?.reason === undefined ? undefined : shownText(role.pause.reason)}
            >
              <RoleNext row={row} role={role} />
            </Cell>
          </Row>
        ))}
      </Table>
    </Section>
  );
}

function RoleNext({ row, role }: { readonly row: NodeRow; readonly role: RoleRow }) {
  const { now } = useContext(PageContext);
  const { pause } = role;
  if (pause === null) {
    const due = dueOf(row, role, now);
    if (due === undefined) return <>–</>;
    return due === null ? <>never</> : <Time at={due.at} style="clock" />;
  }
  return (
    <>
      paused{pause.until !== null && (
        <>
          until <Time at={pause.until} style="clock" />
        </>
      )}
    </>
  );
}
