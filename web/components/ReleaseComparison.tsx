import { useContext } from "preact/hooks";
import { addresses } from "../shared/addresses.ts";
import { shortDigest } from "../../lib/release/manifest.ts";
import type { Comparison } from "../store/read_comparison.ts";
import type { ReleaseName, ReleaseRow } from "../store/rows.ts";
import { timeWords } from "../shared/time_words.ts";
import { FileChanges } from "./FileChanges.tsx";
import { Notice } from "./Notice.tsx";
import { PageContext } from "./PageContext.tsx";
import { ReleaseChip } from "./Links.tsx";
import { shownText } from "../shared/shown_text.ts";

interface ReleaseComparisonProps {
  readonly row: ReleaseRow;
  readonly comparison: Comparison;
}

/** Renders the differences between a release and another one, with a form to choose the other one. */
export function ReleaseComparison({ row, comparison }: ReleaseComparisonProps) {
  const { against, diff, typed, meant } = comparison;
  return (
    <>
      <AgainstForm row={row} comparison={comparison} />
      {meant !== undefined && <Unclear row={row} typed={typed ?? ""} meant={meant} />}
      {meant === undefined && against !== undefined && (
        <p class="compared">
          From <ReleaseChip release={against} /> to <ReleaseChip release={row} />.{" "}
          <a href={`${addresses.releaseDiff(against.digest, row.digest)}#changes`}>Swap the two</a>
        </p>
      )}
      {diff !== undefined && <FileChanges diff={diff} />}
      {diff === undefined && against !== undefined && (
        <p class="quiet-text">
          Cannot compare these releases: the files of at least one are unknown. The publisher of a release
          reports its files.
        </p>
      )}
      {against === undefined && meant === undefined && (
        <p class="quiet-text">No earlier release is known. Choose a release to compare with.</p>
      )}
    </>
  );
}

function AgainstForm({ row, comparison: { near, against, typed, meant } }: ReleaseComparisonProps) {
  const { now, zone } = useContext(PageContext);
  // The other release may be outside of the list.
  const isNear = against === undefined || near.some(({ digest }) => digest === against.digest);
  return (
    <form class="form-line against" method="get" action={`${addresses.release(row.digest)}#changes`}>
      {near.length > 0 && (
        <label class="field">
          <span>Compare with</span>
          <select name="against">
            {!isNear && <option value={against?.digest} selected>{optionLabel(against)}</option>}
            {near.map((one) => (
              <option value={one.digest} selected={one.digest === against?.digest}>
                {`${optionLabel(one)} · ${timeWords(new Date(one.at), "clock", now, zone)}`}
              </option>
            ))}
          </select>
        </label>
      )}
      <label class="field">
        <span>{near.length > 0 ? "or with another release" : "Compare with"}</span>
        <input
          type="search"
          name="other"
          value={meant === undefined ? "" : typed ?? ""}
          placeholder="Digest or sequence"
          maxLength={80}
          autoComplete="off"
          spellcheck={false}
        />
      </label>
      <button type="submit" class="button">Compare</button>
    </form>
  );
}

function optionLabel({ digest, sequence }: ReleaseName): string {
  return sequence === undefined ? shortDigest(digest) : `${sequence} · ${shortDigest(digest)}`;
}

interface UnclearProps {
  readonly row: ReleaseRow;
  readonly typed: string;
  readonly meant: readonly ReleaseRow[];
}

/** Renders that a text matches no release, or several. */
function Unclear({ row, typed, meant }: UnclearProps) {
  if (meant.length === 0) {
    return (
      <Notice tone="warn" title={`No release matches ${shownText(typed)}`} role="alert">
        <p>
          Enter at least 4 digits of the digest, or the sequence. On a node, <code>model-sync status</code>
          {" "}
          shows both.
        </p>
      </Notice>
    );
  }
  return (
    <Notice tone="warn" title={`Several releases match ${shownText(typed)}`} role="alert">
      <ul class="plain">
        {meant.map((one) => (
          <li key={one.digest}>
            <a href={`${addresses.releaseDiff(row.digest, one.digest)}#changes`}>
              Compare with {one.sequence ?? ""} <code>{one.digest.slice("sha256:".length, 40)}</code>
            </a>
          </li>
        ))}
      </ul>
    </Notice>
  );
}
