import { cutToWidth, textWidth } from "../lib/core/text_width.ts";

/** The usual size of a terminal, for one whose size is unknown. */
const DEFAULT_ROWS = 24;

const ESCAPE = "\x1b";

/** One of our colours, which takes no column. */
const STYLE = new RegExp(`(${ESCAPE}\\[\\d+m)`);

/** The size of a terminal at present. */
export interface ScreenSize {
  readonly columns: number;
  /** `undefined` where it is unknown. */
  readonly rows: number | undefined;
}

/**
 * Draws lines at the end of a terminal, and draws them again in the same place: the rows are overwritten, so nothing
 * flickers and the rows above stay.
 */
export class Redraw {
  /** The widths of the drawn lines. */
  #drawn: readonly number[] = [];

  /** Returns the text that replaces the drawn lines. Lines are cut to the terminal's width, and the last ones left out. */
  draw(lines: readonly string[], { columns, rows = DEFAULT_ROWS }: ScreenSize): string {
    // The cursor is in the row below. A row that is full to its last column would wrap on some terminals.
    const room = Math.max(1, rows - 1);
    const fitting = lines.length <= room
      ? lines
      : [...lines.slice(0, room - 1), `… ${lines.length - room + 1} more lines`];
    const cut = fitting.map((line) => cutStyled(line, Math.max(1, columns - 1)));
    const up = this.#rowsAbove(columns);
    this.#drawn = cut.map(widthOf);
    return `${up === 0 ? "" : `\x1b[${up}A`}\r${cut.map((line) => `${line}\x1b[K\n`).join("")}\x1b[J`;
  }

  /** A terminal that has become narrower shows a drawn line in several rows. */
  #rowsAbove(columns: number): number {
    return this.#drawn.reduce((rows, width) => rows + Math.max(1, Math.ceil(width / columns)), 0);
  }
}

function widthOf(line: string): number {
  return line.split(STYLE).reduce((width, part, index) => width + (index % 2 === 1 ? 0 : textWidth(part)), 0);
}

/** Returns the beginning of a line that fits, with the colours that it began and ended. */
function cutStyled(line: string, columnsMax: number): string {
  if (widthOf(line) <= columnsMax) return line;
  let kept = "";
  let left = columnsMax;
  for (const [index, part] of line.split(STYLE).entries()) {
    if (index % 2 === 1) kept += part;
    else if (left > 0) {
      const text = cutToWidth(part, left);
      kept += text;
      left -= textWidth(text);
    }
  }
  return kept;
}
