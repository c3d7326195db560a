import { useContext } from "preact/hooks";
import { formatBytes, plural } from "../../lib/core/format.ts";
import type { Span } from "../charts/time_axis.ts";
import type { ListedRelease } from "../fleet/listed_release.ts";
import { newestPublication, publishedAt } from "../store/read_releases.ts";
import { reachWords } from "../fleet/release_reach.ts";
import { isWithdrawn } from "../fleet/view_release.ts";
import { shownText } from "../shared/shown_text.ts";
import type { Publication, ReleaseRow } from "../store/rows.ts";
import { timeWords } from "../shared/time_words.ts";
import { NodeLink, ReleaseChip } from "./Links.tsx";
import { PageContext } from "./PageContext.tsx";
import { PresenceChart } from "./PresenceChart.tsx";
import { ReachState } from "./Mark.tsx";
import { Cell, Row, Table } from "./Table.tsx";
import { Time } from "./Time.tsx";

interface ReleaseTableProps {
  readonly caption: string;
  /** Newest first. */
  readonly releases: readonly ListedRelease[];
  /** The span of the drawings. */
  readonly span: Span;
  /** Whether releases may have different publishers, so that each row names its publisher. */
  readonly namesPublishers?: boolean;
  /** Whether any release on the page is signed. If so, rows show the signer. */
  readonly isSigned: boolean;
  readonly live: string;
}

/** Renders releases: a row each, with where they were active on one time axis. */
export function ReleaseTable(props: ReleaseTableProps) {
  const { caption, releases, span, namesPublishers = false, isSigned, live } = props;
  const { now, zone, viewer } = useContext(PageContext);
  const [from, to] = [span.from, span.to].map((time) => timeWords(time, "date", now, zone));
  const most = releases.reduce((max, { reach }) => Math.max(max, reach.consumers), 1);
  const columns = [
    { label: "Release", size: "large" as const },
    { label: "Published", size: "medium" as const },
    { label: "Where", size: "large" as const },
    { label: from === to ? `Active ${from}` : `Active, ${from} to ${to}` },
    ...(isSigned ? [{ label: "Signed by", size: "medium" as const }] : []),
    { label: "Size", size: "small" as const, align: "end" as const },
  ];
  return (
    <Table caption={shownText(caption)} columns={columns} live={live}>
      {releases.map((release) => {
        const { row, publications, reach, presences, isNewest } = release;
        const words = reachWords(reach, isNewest, isWithdrawn(row));
        return (
          <Row key={row.digest}>
            <Cell label="" kind="head" note={isNewest ? "newest" : undefined}>
              <ReleaseChip release={row} />
            </Cell>
            <Cell
              label="Published"
              note={viewer === "operator"
                ? <By publications={publications} row={row} namesPublisher={namesPublishers} />
                : undefined}
            >
              {publications.length === 0 && "first seen "}
              <Time at={publishedAt(release)} style="clock" />
            </Cell>
            <Cell label="Where" note={words.rest === "" ? undefined : words.rest}>
              <ReachState words={words} />
            </Cell>
            <Cell label="Active" kind="wide">
              <PresenceChart presences={presences} span={span} most={most} tone={words.tone} />
            </Cell>
            {isSigned && <Cell label="Signed by">{signerOf(row)}</Cell>}
            <Cell
              label="Size"
              align="end"
              note={row.files === undefined ? undefined : plural(row.files, "file")}
            >
              {row.bytes === undefined ? "–" : formatBytes(row.bytes)}
            </Cell>
          </Row>
        );
      })}
    </Table>
  );
}

interface ByProps {
  readonly publications: readonly Publication[];
  readonly row: ReleaseRow;
  readonly namesPublisher: boolean;
}

/** Renders the publisher and the carriers of a release. */
function By({ publications, row: { carriers }, namesPublisher }: ByProps) {
  const publisher = newestPublication(publications)?.node;
  const names = shownText(carriers.join(", "));
  return (
    <>
      {namesPublisher && publisher !== undefined && (
        <>
          by <NodeLink node={publisher} />
          {names !== "" && ", "}
        </>
      )}
      {names}
    </>
  );
}

/** Enough digits to distinguish the keys of a fleet. */
const SIGNER_CHARS = 12;

function signerOf({ signer }: ReleaseRow) {
  if (signer === undefined) return <span class="quiet-text">unsigned</span>;
  const shown = shownText(signer);
  return <code title={shown}>{shown.slice(0, SIGNER_CHARS)}</code>;
}
