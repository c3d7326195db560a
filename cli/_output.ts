import { isoSeconds } from "../lib/core/clock.ts";
import { cleanLine } from "../lib/core/clean_text.ts";
import type { ExitCode } from "../lib/core/errors.ts";
import { hideSecrets } from "../lib/core/known_secrets.ts";
import { type Log, LOG_LEVELS, type LogFields, type LogLevel } from "../lib/core/log.ts";
import { oneLine, printableJson, printableLines } from "../lib/core/quote.ts";
import { LineReader } from "./_line_reader.ts";
import type { Screen, Terminal } from "./_world.ts";
import { DEFAULT_COLUMNS, Progress } from "./_progress.ts";
import { Redraw } from "./_redraw.ts";
import { describeError } from "./_shown_error.ts";
import { Warnings } from "./_warnings.ts";

/** Results go to standard output, everything else to standard error. */
export interface OutputOptions {
  /** One JSON object on standard output, and nothing but errors on standard error. */
  readonly json: boolean;
  readonly logFormat: "text" | "json";
  /** The least level that is shown. */
  readonly level: LogLevel | "silent";
}

const STYLES = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33, cyan: 36 } as const;
export type Style = keyof typeof STYLES;

const OWN_STYLE = new RegExp(`(\\u001b\\[(?:${[0, ...Object.values(STYLES)].join("|")})m)`);

/** Text that another program reads byte by byte, such as a patch. On a terminal, it is made safe like any other text. */
export class Verbatim {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** How much of the programs' output a quiet command keeps, to show it if the command fails. */
const HELD_BYTES_MAX = 64 * 1024;

/** Returns a result as text. */
type Lines = () => readonly (string | Verbatim)[];

/** The only writer to the terminal. */
export class Output {
  readonly options: OutputOptions;
  readonly #screen: Screen;
  readonly #encoder = new TextEncoder();
  readonly #progressShown: Progress;
  readonly #warnings: Warnings;
  #drawsProgress: boolean | undefined;
  readonly #closed = new Set<Terminal>();
  #answers: LineReader | undefined;
  #isAsking = false;
  readonly #redraw = new Redraw();
  /** The end of the programs' output, while this output is quiet. */
  #held: Uint8Array[] = [];
  #heldBytes = 0;

  constructor(
    options: OutputOptions,
    screen: Screen,
    progress: Progress = new Progress(screen),
    warnings: Warnings = new Warnings(),
  ) {
    this.options = options;
    this.#screen = screen;
    this.#progressShown = progress;
    this.#warnings = warnings;
  }

  /** Shows what a command did: as text, which `--quiet` leaves out, or as an object with the logged warnings. */
  result(object: object, lines: Lines): void {
    this.#dropHeld();
    if (this.options.json || this.#shows("info")) this.answer(object, lines);
  }

  /** Shows the answer to a question, such as a state, a plan or a fault: as a result, with `--quiet` too. */
  answer(object: object, lines: Lines): void {
    this.document({ ...object, warnings: this.#warnings.take() }, lines);
  }

  /** Shows the result of a check: a problem is an answer, which `--quiet` does not hide. */
  verdict(isGood: boolean, object: object, lines: Lines): void {
    if (isGood) this.result(object, lines);
    else this.answer(object, lines);
  }

  /** Shows a document with a format of its own, such as a JSON schema: an answer without warnings. */
  document(object: unknown, lines: Lines): void {
    this.#clearBar();
    this.#endLine();
    const text = this.options.json
      ? printableJson(object)
      : lines().map((line) => this.#shownLine(line)).join("\n");
    if (text !== "") this.#write(this.#screen.stdout, `${text}\n`);
  }

  /** Whether a question waits for its answer, or was interrupted: then no work is in progress. */
  get isAsking(): boolean {
    return this.#isAsking;
  }

  /** Whether a question can be answered at the terminal. */
  get canAsk(): boolean {
    const { stdin, stderr } = this.#screen;
    return !this.options.json && this.#shows("info") && stdin?.isTerminal() === true && stderr.isTerminal();
  }

  /** Asks a question at the terminal. Anything but a yes is a no. @throws the signal's reason */
  async ask(question: string, signal: AbortSignal): Promise<boolean> {
    return /^y(?:es)?$/i.test(await this.prompt(`${question} [y/N] `, signal) ?? "");
  }

  /**
   * Asks for a line at the terminal. Returns it without blanks around it; `undefined` at the end of the input.
   *
   * @throws the signal's reason
   */
  async prompt(question: string, signal: AbortSignal): Promise<string | undefined> {
    const { stdin } = this.#screen;
    if (stdin === undefined) return undefined;
    signal.throwIfAborted();
    this.#clearBar();
    this.#endLine();
    const bytes = this.#encoder.encode(oneLine(question));
    this.#writeBytes(this.#screen.stderr, bytes);
    // Without an answer, the next line of the output must not follow the question.
    this.#progressShown.passed(bytes);
    this.#answers ??= new LineReader(stdin);
    this.#isAsking = true;
    const answer = await this.#answers.next(signal);
    this.#isAsking = false;
    if (answer !== undefined) this.#progressShown.endLine();
    return answer?.trim();
  }

  /** Shows lines between questions. */
  note(lines: readonly string[]): void {
    this.#write(this.#screen.stderr, lines.map((line) => `${oneLine(line)}\n`).join(""));
  }

  /** Whether results go to a terminal as text, so that {@link redraw} works. */
  get isLive(): boolean {
    return !this.options.json && this.#screen.stdout.isTerminal();
  }

  /** Shows lines in the place of those that were shown in this way before. */
  redraw(lines: readonly string[]): void {
    const size = { columns: this.columns ?? DEFAULT_COLUMNS, rows: this.#screen.rows?.() || undefined };
    this.#write(this.#screen.stdout, this.#redraw.draw(lines.map((line) => this.#shownLine(line)), size));
  }

  /** Shows text unchanged, such as the help. */
  text(text: string): void {
    this.#write(this.#screen.stdout, `${text}\n`);
  }

  /** Shows an error in one line with its hint, or as one JSON object. @returns its exit code */
  error(error: unknown): ExitCode {
    this.#clearBar();
    this.showHeld();
    this.#endLine();
    const shown = describeError(error);
    if (this.options.json || this.options.logFormat === "json") {
      const { message, code, hint, exitCode, fields } = shown;
      const warnings = this.options.json ? this.#warnings.take() : [];
      const listed = warnings.length === 0 ? {} : { warnings };
      const object = { code, message, hint: hint ?? null, exitCode, ...fields, ...listed };
      this.#write(this.#screen.stderr, `${JSON.stringify(object)}\n`);
    } else {
      this.#write(this.#screen.stderr, `${this.#paintErr("red", "error")}: ${shown.message}\n`);
      if (shown.hint !== undefined) {
        this.#write(this.#screen.stderr, `${this.#paintErr("dim", "next")}:  ${shown.hint}\n`);
      }
      if (shown.stack !== undefined) this.#write(this.#screen.stderr, `${shown.stack}\n`);
    }
    return shown.exitCode;
  }

  /** Makes a line safe that quotes files and servers: without known secrets, and without control codes but our colours. */
  #shownLine(line: string | Verbatim): string {
    const { stdout, noColor } = this.#screen;
    const isTerminal = stdout.isTerminal();
    if (line instanceof Verbatim && !isTerminal) return line.text;
    const text = hideSecrets(line instanceof Verbatim ? line.text : line);
    if (!isTerminal || noColor) return printableLines(text);
    return text.split(OWN_STYLE).map((part, index) => index % 2 === 1 ? part : printableLines(part)).join("");
  }

  /** Shows the output of a program that we run as it arrives. `--quiet` keeps its end in case the command fails. */
  passThrough(chunk: Uint8Array): void {
    this.#clearBar();
    if (this.options.level !== "warn") {
      this.#progressShown.passed(chunk);
      return this.#writeBytes(this.#screen.stderr, chunk);
    }
    this.#held.push(chunk.slice());
    this.#heldBytes += chunk.length;
    for (let [oldest] = this.#held; oldest !== undefined; [oldest] = this.#held) {
      if (this.#heldBytes - oldest.length < HELD_BYTES_MAX) return;
      this.#heldBytes -= oldest.length;
      this.#held.shift();
    }
  }

  /** Shows the output of programs that a quiet command kept, after their work failed. */
  showHeld(): void {
    let tooMany = this.#heldBytes - HELD_BYTES_MAX;
    for (const chunk of this.#held) {
      this.#progressShown.passed(chunk);
      this.#writeBytes(this.#screen.stderr, chunk.subarray(Math.max(0, tooMany)));
      tooMany -= chunk.length;
    }
    this.#dropHeld();
  }

  #dropHeld(): void {
    this.#held = [];
    this.#heldBytes = 0;
  }

  /** The width of the terminal that shows results; `undefined` for a file or a pipe. */
  get columns(): number | undefined {
    // A terminal without a size reports 0 columns.
    return this.#screen.stdout.isTerminal() ? this.#screen.columns() || DEFAULT_COLUMNS : undefined;
  }

  /** Whether the reader of standard output has ended, as `head` does. A command that runs until it is stopped ends then. */
  get isClosed(): boolean {
    return this.#closed.has(this.#screen.stdout);
  }

  /** Colours a part of a result, on a terminal that shows colours. */
  paint(style: Style, text: string): string {
    return this.options.json ? text : this.#colored(this.#screen.stdout, style, text);
  }

  /** Returns the same output with debug messages, unless `--quiet` was given. */
  inDetail(): Output {
    if (this.options.level === "warn") return this;
    return new Output({ ...this.options, level: "debug" }, this.#screen, this.#progressShown, this.#warnings);
  }

  /** Returns the same output for one of several runs, with warnings of its own. */
  forOneRun(): Output {
    return new Output(this.options, this.#screen, this.#progressShown);
  }

  /** The log of the command. */
  readonly log: Log = {
    debug: (message, fields) => this.#logLine("debug", message, fields),
    info: (message, fields) => this.#logLine("info", message, fields),
    warn: (message, fields) => this.#logLine("warn", message, fields),
    error: (message, fields) => this.#logLine("error", message, fields),
    progress: (label, doneBytes, totalBytes) => this.#progress(label, doneBytes, totalBytes),
  };

  #logLine(level: LogLevel, message: string, fields: LogFields = {}): void {
    // There may be one for each of many thousand files.
    if (level === "debug" && !this.#shows(level)) return;
    const text = cleanLine(message);
    if (level === "warn" || level === "error") this.#warnings.add(text);
    if (!this.#shows(level)) return;
    this.#clearBar();
    if (level === "error") this.showHeld();
    this.#endLine();
    const time = isoSeconds(this.#screen.clock.now());
    if (this.options.logFormat === "json") {
      const line = { time, level, message: text, ...cleanFields(fields) };
      this.#write(this.#screen.stderr, `${JSON.stringify(line)}\n`);
    } else if (this.#screen.stderr.isTerminal()) {
      const mark = { debug: "·", info: "→", warn: "!", error: "✗" }[level];
      const style = { debug: "dim", info: "cyan", warn: "yellow", error: "red" } as const;
      this.#write(this.#screen.stderr, `${this.#paintErr(style[level], mark)} ${text}\n`);
    } else {
      this.#write(this.#screen.stderr, `${time} ${level.padEnd(5)} ${text}\n`);
    }
  }

  #shows(level: LogLevel): boolean {
    const { level: least } = this.options;
    return least !== "silent" && LOG_LEVELS.indexOf(level) >= LOG_LEVELS.indexOf(least);
  }

  #progress(label: string, doneBytes: number, totalBytes: number | undefined): void {
    if (!this.#shows("info")) return;
    // Asked once: progress may be reported for each of many thousand files.
    this.#drawsProgress ??= this.options.logFormat === "text" && this.#screen.stderr.isTerminal();
    if (this.#drawsProgress) {
      const drawn = this.#progressShown.draw(label, doneBytes, totalBytes);
      if (drawn !== "") this.#write(this.#screen.stderr, drawn);
      return;
    }
    const line = this.#progressShown.say(label, doneBytes, totalBytes);
    if (line !== undefined) this.#logLine("info", line, { doneBytes, totalBytes });
  }

  /** Erases the progress bar before anything else is printed. */
  #clearBar(): void {
    const erased = this.#progressShown.erase();
    this.#progressShown.spoke();
    if (erased !== "") this.#write(this.#screen.stderr, erased);
  }

  /** Ends another program's open line. */
  #endLine(): void {
    const ended = this.#progressShown.endLine();
    if (ended !== "") this.#write(this.#screen.stderr, ended);
  }

  #paintErr(style: Style, text: string): string {
    return this.#colored(this.#screen.stderr, style, text);
  }

  #colored(stream: Terminal, style: Style, text: string): string {
    return stream.isTerminal() && !this.#screen.noColor ? `\x1b[${STYLES[style]}m${text}\x1b[0m` : text;
  }

  #write(stream: Terminal, text: string): void {
    this.#writeBytes(stream, this.#encoder.encode(text));
  }

  #writeBytes(stream: Terminal, bytes: Uint8Array): void {
    try {
      let offset = 0;
      while (offset < bytes.length) offset += stream.writeSync(bytes.subarray(offset));
    } catch (error) {
      // The reader has ended (`| head`), which must not fail a run.
      if (!(error instanceof Deno.errors.BrokenPipe)) throw error;
      this.#closed.add(stream);
    }
  }
}

function cleanFields(fields: LogFields): LogFields {
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [
      name,
      typeof value === "string" ? cleanLine(value) : value,
    ]),
  );
}
