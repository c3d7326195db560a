import type { Sha256 } from "../core/hash.ts";
import { SHA256_DIGITS } from "../core/sha256_column.ts";
import type { ReadColumns, StatColumns } from "./stat_columns.ts";

/** What identifies the present content of a file without reading it. */
export interface FileStamp {
  readonly size: number;
  readonly mtimeMs: number;
  readonly ctimeMs: number;
  readonly inode: number;
}

/** A file with its digest, when it was hashed. */
export interface StampedFile {
  readonly stamp: FileStamp;
  readonly sha256: Sha256;
}

/**
 * Returns the columns of a list of files, of which most are copied from other columns in few pieces.
 *
 * @param changes the files that are not copied
 */
export function joinColumns(
  base: ReadColumns,
  paths: readonly string[],
  changes: ReadonlyMap<string, StampedFile>,
): StatColumns {
  const columns = emptyColumns(paths.length);
  const sha256s: string[] = [];
  for (const part of partsOf((path) => base.paths.find(path), paths, changes)) {
    sha256s.push("file" in part ? setRow(columns, part) : copyRows(base, columns, part));
  }
  return { ...columns, paths, sha256s, isWhole: false };
}

/**
 * Returns the columns of a list of the same files, some of which changed.
 *
 * @param count the number of the files
 * @returns `undefined` if the list has other files
 */
export function changeColumns(
  base: ReadColumns,
  count: number,
  changes: ReadonlyMap<string, StampedFile>,
): StatColumns | undefined {
  if (base.paths.count !== count) return undefined;
  const changed: ChangedRow[] = [];
  for (const [path, file] of changes) {
    const row = base.paths.find(path);
    if (row === undefined) return undefined;
    changed.push({ row, file });
  }
  const columns = emptyColumns(count);
  copyRows(base, columns, { row: 0, from: 0, count });
  const sha256s: string[] = [];
  let done = 0;
  for (const change of changed.sort((a, b) => a.row - b.row)) {
    sha256s.push(digitsOf(base, done, change.row), setRow(columns, change));
    done = change.row + 1;
  }
  sha256s.push(digitsOf(base, done, count));
  return { ...columns, paths: [base.paths.joined], sha256s, isWhole: false };
}

/** Rows that follow each other in both columns are one part. */
function* partsOf(
  rowOf: (path: string) => number | undefined,
  paths: readonly string[],
  changes: ReadonlyMap<string, StampedFile>,
): Generator<RowRun | ChangedRow> {
  let run: RowRun | undefined;
  for (const [row, path] of paths.entries()) {
    const file = changes.get(path);
    const from = file === undefined ? rowOf(path) : undefined;
    if (run !== undefined && from === run.from + run.count) {
      run.count++;
      continue;
    }
    if (run !== undefined) yield run;
    run = from === undefined ? undefined : { row, from, count: 1 };
    if (file !== undefined) yield { row, file };
  }
  if (run !== undefined) yield run;
}

/** A file's row in new columns. */
interface ChangedRow {
  readonly row: number;
  readonly file: StampedFile;
}

/** Rows that are copied from other columns. */
interface RowRun {
  readonly row: number;
  readonly from: number;
  count: number;
}

type Numbers = Pick<StatColumns, "sizes" | "mtimesMs" | "ctimesMs" | "inodes">;

function emptyColumns(rows: number): Numbers {
  const column = () => new Float64Array(rows);
  return { sizes: column(), mtimesMs: column(), ctimesMs: column(), inodes: column() };
}

/** @returns its digest */
function setRow(columns: Numbers, { row, file: { stamp, sha256 } }: ChangedRow): Sha256 {
  columns.sizes[row] = stamp.size;
  columns.mtimesMs[row] = stamp.mtimeMs;
  columns.ctimesMs[row] = stamp.ctimeMs;
  columns.inodes[row] = stamp.inode;
  return sha256;
}

/** @returns their digests */
function copyRows(
  base: ReadColumns,
  columns: Numbers,
  { row, from, count }: RowRun,
): string {
  for (const name of ["sizes", "mtimesMs", "ctimesMs", "inodes"] as const) {
    columns[name].set(base[name].subarray(from, from + count), row);
  }
  return digitsOf(base, from, from + count);
}

function digitsOf({ sha256s }: ReadColumns, start: number, end: number): string {
  return sha256s.slice(start * SHA256_DIGITS, end * SHA256_DIGITS);
}
