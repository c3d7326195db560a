import { formatBytes, plural } from "../../lib/core/format.ts";
import { type ChangeSums, type FileChange, sumChanges } from "../../lib/release/file_changes.ts";
import type { Tone } from "../fleet/tone.ts";
import { shownText } from "../shared/shown_text.ts";
import type { ReleaseDiff } from "../store/read_comparison.ts";
import { Mark } from "./Mark.tsx";
import { Notice } from "./Notice.tsx";
import { Shortened } from "./Details.tsx";
import { Cell, Row, Table } from "./Table.tsx";

/** The page shows no more files; the API has all of them. */
const SHOWN_MAX = 500;
const AT_ONCE = 25;

const TONES: Readonly<Record<FileChange["kind"], Tone>> = {
  added: "good",
  removed: "bad",
  changed: "calm",
  renamed: "quiet",
};

const COLUMNS = [
  { label: "File", grows: true },
  { label: "Change" },
  { label: "Before", align: "end" },
  { label: "After", align: "end" },
  { label: "Difference", align: "end" },
] as const;

/** Renders the differences between two releases: the sums, then a row a file. */
export function FileChanges({ diff }: { readonly diff: ReleaseDiff }) {
  const { changes, comparedTo, isProven } = diff;
  return (
    <>
      {comparedTo !== undefined && (
        <Notice tone="warn" title="Only the first files were compared">
          <p>
            A node lists at most 2,000 files of a release. Files after <code>{shownText(comparedTo)}</code>
            {" "}
            are not compared.
          </p>
        </Notice>
      )}
      <p class="sums">
        {changes.length === 0
          ? comparedTo === undefined ? "Both releases have the same files." : "The first files are the same."
          : sumWords(sumChanges(changes)).map((words) => <span key={words}>{words}</span>)}
      </p>
      {changes.length > 0 && (
        <Shortened items={changes.slice(0, SHOWN_MAX)} atOnce={AT_ONCE} noun="file">
          {(some) => (
            <Table caption="Changed files" columns={COLUMNS}>
              {some.map((change) => <ChangeRow key={change.path} change={change} />)}
            </Table>
          )}
        </Shortened>
      )}
      {changes.length > SHOWN_MAX && (
        <p class="more">The first {SHOWN_MAX} of {plural(changes.length, "changed file")} are shown.</p>
      )}
      {!isProven && (
        <p class="small quiet-text">
          At least one of the two file lists is not verified: it is shown as the node reported it.
        </p>
      )}
    </>
  );
}

function ChangeRow({ change }: { readonly change: FileChange }) {
  const { path, kind, from, sizeBefore, sizeAfter } = change;
  const tone = TONES[kind];
  return (
    <Row>
      <Cell label="" kind="head" note={from === undefined ? undefined : <>was {shownText(from)}</>}>
        <code class="path">
          <bdi>{shownText(path)}</bdi>
        </code>
      </Cell>
      <Cell label="Change">
        <span class={`state tone-${tone}`}>
          <Mark tone={tone} />
          <span>{kind}</span>
        </span>
      </Cell>
      <Cell label="Before" align="end">{sizeOf(sizeBefore)}</Cell>
      <Cell label="After" align="end">{sizeOf(sizeAfter)}</Cell>
      <Cell label="Difference" align="end">{differenceOf(change)}</Cell>
    </Row>
  );
}

function sizeOf(size: number | undefined): string {
  return size === undefined ? "–" : formatBytes(size);
}

/** Returns by how much a file grew or shrank. */
function differenceOf({ sizeBefore = 0, sizeAfter = 0 }: FileChange): string {
  const by = sizeAfter - sizeBefore;
  return by === 0 ? "–" : `${by > 0 ? "+" : "−"}${formatBytes(Math.abs(by))}`;
}

/** Returns sums in words: `2 added, 3.1 MiB`. */
function sumWords({ counts, addedBytes, removedBytes, changedBytes }: ChangeSums): string[] {
  return [
    ...(counts.changed > 0
      ? [`${plural(counts.changed, "file")} changed, ${formatBytes(changedBytes)} now`]
      : []),
    ...(counts.added > 0 ? [`${plural(counts.added, "file")} added, ${formatBytes(addedBytes)}`] : []),
    ...(counts.removed > 0
      ? [`${plural(counts.removed, "file")} removed, ${formatBytes(removedBytes)}`]
      : []),
    ...(counts.renamed > 0 ? [`${plural(counts.renamed, "file")} renamed`] : []),
  ];
}
