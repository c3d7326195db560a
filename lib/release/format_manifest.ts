import { AFTER_FILES, BEFORE_FILES, type Manifest, type ReleaseFile } from "./manifest.ts";

/**
 * Returns the text of a manifest: one line for each file and each withdrawal, for readable diffs in a registry that
 * compress well.
 */
export function formatManifest(manifest: Manifest): string {
  return [...formatPieces(manifest)].join("");
}

/** The lines of a piece of text: the lines of many files would be in memory twice. */
const PIECE_LINES = 1024;

/** Yields the text of {@link formatManifest} in pieces. */
export function* formatPieces({ files, ...head }: Manifest): Generator<string> {
  yield `${formatHead(head)}${BEFORE_FILES}    `;
  for (let start = 0; start < files.length; start += PIECE_LINES) {
    const lines = files.slice(start, start + PIECE_LINES).map(formatFile).join(LINE_BREAK);
    yield start === 0 ? lines : `${LINE_BREAK}${lines}`;
  }
  yield AFTER_FILES;
}

/** Returns the beginning of the text of a manifest: all but the list of its files. */
export function formatHead({ withdrawals = [], ...head }: Omit<Manifest, "files">): string {
  const list = withdrawals.length === 0
    ? ""
    : `,\n${lineList("withdrawals", withdrawals.map((withdrawal) => JSON.stringify(withdrawal)))}`;
  return JSON.stringify(head, undefined, 2).replace(/\n}$/, "") + list;
}

/** Returns the line of a file. Other fields of the object are left out. */
export function formatFile({ path, size, sha256, contentChunks }: ReleaseFile): string {
  return JSON.stringify(
    contentChunks === undefined ? { path, size, sha256 } : { path, size, sha256, contentChunks },
  );
}

const LINE_BREAK = ",\n    ";
const LIST_END = "\n  ]";

function lineList(key: string, values: readonly string[]): string {
  return `  "${key}": [\n    ${values.join(LINE_BREAK)}${LIST_END}`;
}
