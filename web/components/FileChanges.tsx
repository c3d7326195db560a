import { formatBytes, plural } from "../../lib/core/format.ts";
import { addresses } from "../addresses.ts";
import type { FileChange } from "../fleet/compare_files.ts";
import type { Tone } from "../fleet/tone.ts";
import { shownText } from "../shown_text.ts";
import { Mark } from "./Mark.tsx";
import { Cell, Row, Table } from "./Table.tsx";

/** More than a person reads; the API has them all. */
const SHOWN_MAX = 500;

const TONES: Readonly<Record<FileChange["kind"], Tone>> = {
  added: "good",
  removed: "bad",
  changed: "calm",
  renamed: "quiet",
};

interface FileChangesProps {
  readonly changes: readonly FileChange[];
  /** Digests of the two releases. */
  readonly before: string;
  readonly after: string;
}

/** Renders what differs between two releases, a file a row. */
export function FileChanges({ changes, before, after }: FileChangesProps) {
  if (changes.length === 0) return <p class="lead">Both releases have the same files.</p>;
  return (
    <>
      <Table
        caption="Changed files"
        columns={[{ label: "File", grows: true }, { label: "Change" }, { label: "Before", align: "end" }, {
          label: "After",
          align: "end",
        }]}
      >
        {changes.slice(0, SHOWN_MAX).map((change) => (
          <Row key={change.path}>
            <Cell
              label=""
              kind="head"
              note={change.from === undefined ? undefined : <>was {shownText(change.from)}</>}
            >
              <code class="path">{shownText(change.path)}</code>
            </Cell>
            <Cell label="Change">
              <span class={`state tone-${TONES[change.kind]}`}>
                <Mark tone={TONES[change.kind]} />
                <span>{change.kind}</span>
              </span>
            </Cell>
            <Cell label="Before" align="end">{sizeOf(change.sizeBefore)}</Cell>
            <Cell label="After" align="end">{sizeOf(change.sizeAfter)}</Cell>
          </Row>
        ))}
      </Table>
      <p class="more">
        {changes.length > SHOWN_MAX && <>{plural(changes.length - SHOWN_MAX, "more file")}.{" "}</>}
        <a href={addresses.releaseDiff(after, before)}>Compare the two releases</a>
      </p>
    </>
  );
}

function sizeOf(size: number | undefined): string {
  return size === undefined ? "–" : formatBytes(size);
}
