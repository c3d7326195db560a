import { formatBytes, plural } from "../../lib/core/format.ts";
import type { ListedFile } from "../../lib/release/file_changes.ts";
import { shownText } from "../shared/shown_text.ts";
import type { ReleaseRow } from "../store/rows.ts";
import { Details } from "./Details.tsx";
import { Notice } from "./Notice.tsx";
import { Cell, Row, Table } from "./Table.tsx";

/** The page shows no more files; the API has all of them. */
const SHOWN_MAX = 500;
/** Up to this many files are shown unfolded. */
const OPEN_MAX = 30;
/** Enough digits to distinguish the files of a release. */
const SHORT_DIGITS = 12;

const COLUMNS = [
  { label: "File", grows: true },
  { label: "SHA-256" },
  { label: "Size", align: "end" },
] as const;

interface ReleaseFilesProps {
  readonly row: ReleaseRow;
  readonly files: readonly ListedFile[] | undefined;
}

/** Renders the files of a release, and whether their list is verified. */
export function ReleaseFiles({ row, files }: ReleaseFilesProps) {
  if (files === undefined || files.length === 0) {
    return (
      <p class="quiet-text">
        No node has reported the files of this release. The publisher of a release reports them.
      </p>
    );
  }
  return (
    <>
      <Trust row={row} files={files} />
      {files.length <= OPEN_MAX
        ? <FileTable files={files} />
        : (
          <Details summary={`Show ${plural(Math.min(files.length, SHOWN_MAX), "file")}`}>
            <FileTable files={files} />
          </Details>
        )}
      {files.length > SHOWN_MAX && (
        <p class="more">The list shows the first {SHOWN_MAX} of {plural(files.length, "listed file")}.</p>
      )}
    </>
  );
}

/** Renders whether the list matches the digest. */
function Trust({ row, files }: { readonly row: ReleaseRow; readonly files: readonly ListedFile[] }) {
  if (row.fileList === "proven") {
    return <p>Verified: the digest of this list is the digest of the release.</p>;
  }
  const total = row.files ?? files.length;
  return (
    <Notice tone="warn" title="This file list is not verified">
      {files.length < total
        ? (
          <p>
            The publisher listed {files.length} of{" "}
            {plural(total, "file")}. An incomplete list cannot be checked against the digest. Run{" "}
            <code>model-sync verify</code> on a node to check the files there.
          </p>
        )
        : (
          <p>
            The listed files do not match the digest of the release. Run <code>model-sync verify</code>{" "}
            on the nodes that have the release, and check the node that reported the list.
          </p>
        )}
    </Notice>
  );
}

function FileTable({ files }: { readonly files: readonly ListedFile[] }) {
  return (
    <Table caption="Files" columns={COLUMNS}>
      {files.slice(0, SHOWN_MAX).map(({ path, size, sha256 }) => (
        <Row key={path}>
          <Cell label="" kind="head">
            <code class="path">
              <bdi>{shownText(path)}</bdi>
            </code>
          </Cell>
          <Cell label="SHA-256">
            <code title={sha256}>{sha256.slice(0, SHORT_DIGITS)}</code>
          </Cell>
          <Cell label="Size" align="end">{formatBytes(size)}</Cell>
        </Row>
      ))}
    </Table>
  );
}
