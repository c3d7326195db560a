import { formatDuration } from "../../lib/core/format.ts";
import { shownText } from "../shown_text.ts";
import type { RoleRow } from "../store/rows.ts";
import { Section } from "./Section.tsx";
import { Cell, Row, Table } from "./Table.tsx";
import { Time } from "./Time.tsx";

/** Renders when the roles of a node's daemon run; nothing for a node without a daemon. */
export function NodeSchedule({ roles }: { readonly roles: readonly RoleRow[] }) {
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
        {roles.map(({ role, times, timeZone, next, splaySeconds, pause }) => (
          <Row key={role}>
            <Cell label="" kind="head">{shownText(role)}</Cell>
            <Cell
              label="Runs at"
              note={splaySeconds > 0 ? `up to ${formatDuration(splaySeconds * 1000)} later` : undefined}
            >
              {shownText(times.join(", "))}
            </Cell>
            <Cell label="Zone">{shownText(timeZone)}</Cell>
            <Cell
              label="Next"
              align="end"
              note={pause?.reason === undefined ? undefined : shownText(pause.reason)}
            >
              {pause !== null
                ? (
                  <>
                    paused{pause.until !== null && (
                      <>
                        until <Time at={pause.until} style="clock" />
                      </>
                    )}
                  </>
                )
                : next === null
                ? "never"
                : <Time at={next} style="clock" />}
            </Cell>
          </Row>
        ))}
      </Table>
    </Section>
  );
}
