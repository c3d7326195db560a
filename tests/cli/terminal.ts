import { textWidth } from "../../lib/core/text_width.ts";
import { PROJECT } from "../helpers/run_cli.ts";
import { GIT_ENV } from "../helpers/test_git.ts";

interface Row {
  cells: string[];
  /** Marks that the text continues in the next row, because the terminal is not wider. */
  isWrapped: boolean;
}

const ESCAPE = String.fromCharCode(0x1b);
const CONTROL = new RegExp(`${ESCAPE}\\[(\\d*)([A-Za-z])|[^]`, "gu");

/**
 * Emulates a terminal: carriage returns, line ends, wrapping, wide characters, erasing sequences, moving the cursor up, and
 * wrapping rows again when it is resized, like most terminals. It throws on other control sequences.
 */
export class FakeTerminal {
  #columns: number;
  #rows: Row[] = [{ cells: [], isWrapped: false }];
  #row = 0;
  #column = 0;

  constructor(columns: number) {
    this.#columns = columns;
  }

  get columns(): number {
    return this.#columns;
  }

  /** The visible rows, without empty ones at the end. */
  get rows(): string[] {
    const rows = this.#rows.map(({ cells }) => Array.from(cells, (cell) => cell ?? " ").join("").trimEnd());
    while (rows.at(-1) === "") rows.pop();
    return rows;
  }

  write(text: string): void {
    for (const [char, count = "", command] of text.matchAll(CONTROL)) {
      if (command !== undefined) this.#obey(command, Number(count || "0"));
      else if (char === "\r") this.#column = 0;
      else if (char === "\n") this.#nextRow(false);
      else this.#put(char);
    }
  }

  resize(columns: number): void {
    const before = this.#rows.slice(0, this.#row).filter(({ isWrapped }) => !isWrapped).length;
    const start = this.#rows.slice(0, this.#row).findLastIndex(({ isWrapped }) => !isWrapped) + 1;
    const offset = this.#rows.slice(start, this.#row).reduce((sum, { cells }) => sum + cells.length, 0) +
      this.#column;
    const lines: string[][] = [[]];
    for (const { cells, isWrapped } of this.#rows) {
      lines.at(-1)?.push(...cells);
      if (!isWrapped) lines.push([]);
    }
    lines.pop();
    this.#columns = columns;
    this.#rows = [];
    for (const [index, cells] of lines.entries()) {
      if (index === before) {
        this.#row = this.#rows.length + Math.floor(Math.max(0, offset - 1) / columns);
        this.#column = offset - Math.floor(Math.max(0, offset - 1) / columns) * columns;
      }
      for (let from = 0; from === 0 || from < cells.length; from += columns) {
        this.#rows.push({
          cells: cells.slice(from, from + columns),
          isWrapped: from + columns < cells.length,
        });
      }
    }
  }

  #put(char: string): void {
    const width = textWidth(char);
    if (width === 0) return;
    if (this.#column + width > this.#columns) this.#nextRow(true);
    const { cells } = this.#current;
    cells[this.#column] = char;
    if (width === 2) cells[this.#column + 1] = "";
    this.#column += width;
  }

  #nextRow(isWrapped: boolean): void {
    this.#current.isWrapped = isWrapped;
    this.#row++;
    this.#column = 0;
    this.#rows[this.#row] ??= { cells: [], isWrapped: false };
  }

  #obey(command: string, count: number): void {
    if (command === "m") return;
    if (command === "A") this.#row = Math.max(0, this.#row - (count || 1));
    else if ((command === "K" || command === "J") && count === 0) {
      this.#current.cells.length = Math.min(this.#current.cells.length, this.#column);
      this.#current.isWrapped = false;
      if (command === "J") this.#rows.length = this.#row + 1;
    } else throw new Error(`this terminal does not know \\x1b[${count}${command}`);
  }

  get #current(): Row {
    return this.#rows[this.#row] ??= { cells: [], isWrapped: false };
  }
}

/** Runs a program on a terminal of a given width, without input, and copies its output. */
const SCRIPT = `
import fcntl, os, pty, struct, sys, termios
columns, *command = sys.argv[1:]
pid, terminal = pty.fork()
if pid == 0:
    fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack("HHHH", 24, int(columns), 0, 0))
    os.execvp(command[0], command)
while True:
    try:
        piece = os.read(terminal, 65536)
    except OSError:
        break
    if not piece:
        break
    os.write(1, piece)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
`;

/** Whether this machine can run programs on a terminal. */
export const HAS_PTY = Deno.build.os !== "windows" && (() => {
  try {
    return new Deno.Command("python3", { args: ["-c", "import pty"], stderr: "null" }).outputSync().success;
  } catch {
    return false;
  }
})();

/** Runs a command of the program on a terminal. @returns its exit code and every byte that the terminal got */
export async function runOnTerminal(
  columns: number,
  args: readonly string[],
  { cwd }: { readonly cwd: string },
): Promise<{ readonly code: number; readonly written: string }> {
  const deno = [
    "run",
    "--quiet",
    "--no-prompt",
    "--config",
    `${PROJECT}deno.json`,
    "-A",
    `${PROJECT}cli/main.ts`,
  ];
  const result = await new Deno.Command("python3", {
    args: ["-c", SCRIPT, String(columns), Deno.execPath(), ...deno, ...args],
    cwd,
    env: { ...GIT_ENV, NO_COLOR: "1" },
    stdin: "null",
  }).output();
  return { code: result.code, written: new TextDecoder().decode(result.stdout) };
}
