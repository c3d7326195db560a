import type { Clock } from "../lib/core/clock.ts";
import { formatBytes, formatDuration } from "../lib/core/format.ts";
import { oneLine } from "../lib/core/quote.ts";
import { cutToWidth, textWidth } from "../lib/core/text_width.ts";

/** A bar that is drawn more often flickers and costs time. Work that ends sooner shows no bar. */
const DRAW_EVERY_MS = 100;

/** Without a terminal, a log line is written this often during long work: some CI services end silent jobs. */
const SAY_EVERY_MS = 15_000;

/** A bar that moved this recently is not replaced by work whose only known figure is its duration. */
const MOVING_MS = 2_000;

/** Work without a report for this long has ended, and its label starts over. Networks pause for less. */
const OVER_AFTER_MS = 60_000;
/** The same for work that only reports its duration, which it does every second. */
const STILL_OVER_AFTER_MS = 3_000;

/** The roles of a daemon run in parallel, each with one piece of work at a time. */
const WORKS_MAX = 8;

/** The usual width of a terminal, for one whose size is unknown. */
export const DEFAULT_COLUMNS = 80;

const [LONG_BAR, SHORT_BAR] = [24, 10];

const NEWLINE = "\n".charCodeAt(0);

/** How far work is. */
export interface Amount {
  readonly doneBytes: number;
  /** `undefined` while it is unknown. Without bytes done either, only the elapsed time is shown. */
  readonly totalBytes: number | undefined;
  readonly elapsedMs: number;
  /** The bytes at the start, which a resumed download already has. */
  readonly startedBytes: number;
}

interface Work {
  readonly startedMs: number;
  readonly startedBytes: number;
  doneBytes: number;
  seenMs: number;
}

export interface ProgressScreen {
  readonly clock: Clock;
  /** Returns the present width of the terminal; `undefined` where it is unknown. */
  columns(): number | undefined;
}

/** Shows progress: one line that a terminal redraws, or a log line every 15 s. */
export class Progress {
  readonly #screen: ProgressScreen;
  readonly #works = new Map<string, Work>();
  /** The bar on the last line of the terminal. */
  #bar: { readonly label: string; movedMs: number; drawnMs: number; width: number } | undefined;
  #spokenMs: number | undefined;
  #isMidLine = false;

  constructor(screen: ProgressScreen) {
    this.#screen = screen;
  }

  /** Returns the text that draws the bar on the terminal's last line; empty while it is too early to redraw. */
  draw(label: string, doneBytes: number, totalBytes: number | undefined): string {
    const nowMs = this.#screen.clock.monotonicMs();
    const amount = this.#amount(label, doneBytes, totalBytes, nowMs);
    const bar = this.#bar ??= { label, movedMs: nowMs, drawnMs: nowMs, width: 0 };
    if (this.#isMidLine || isNew(amount)) return "";
    const isMoving = bar.label !== label && nowMs - bar.movedMs < MOVING_MS;
    if (isStill(amount) && isMoving) return "";
    if (!isStill(amount)) bar.movedMs = nowMs;
    if (nowMs - bar.drawnMs < DRAW_EVERY_MS) return "";
    const columns = this.#columns();
    const line = progressLine(oneLine(label), amount, columns - 1);
    const erased = eraseLine(bar.width, columns);
    const movedMs = isStill(amount) ? bar.movedMs : nowMs;
    this.#bar = { label, movedMs, drawnMs: nowMs, width: textWidth(line) };
    return `${erased}${line}`;
  }

  /** Returns the text that erases the bar, before something else is printed there. */
  erase(): string {
    const bar = this.#bar;
    this.#bar = undefined;
    return bar === undefined || bar.width === 0 ? "" : eraseLine(bar.width, this.#columns());
  }

  /** Returns a line for the log; `undefined` until the last line is old enough. */
  say(label: string, doneBytes: number, totalBytes: number | undefined): string | undefined {
    const nowMs = this.#screen.clock.monotonicMs();
    const amount = this.#amount(label, doneBytes, totalBytes, nowMs);
    this.#spokenMs ??= nowMs;
    if (nowMs - this.#spokenMs < SAY_EVERY_MS || isNew(amount)) return undefined;
    this.#spokenMs = nowMs;
    return `${label}: ${describeAmount(amount)}`;
  }

  /** Notes that something else was printed, which postpones the next line for the log. */
  spoke(): void {
    this.#spokenMs = this.#screen.clock.monotonicMs();
  }

  /** Notes the output of another program. While its last line is open, as that of its own progress bar, none is drawn. */
  passed(chunk: Uint8Array): void {
    if (chunk.length > 0) this.#isMidLine = chunk.at(-1) !== NEWLINE;
  }

  /** Returns the newline that ends another program's open line; empty where none is open. */
  endLine(): string {
    const isOpen = this.#isMidLine;
    this.#isMidLine = false;
    return isOpen ? "\n" : "";
  }

  #columns(): number {
    // A terminal without a size reports 0 columns.
    return this.#screen.columns() || DEFAULT_COLUMNS;
  }

  #amount(label: string, doneBytes: number, totalBytes: number | undefined, nowMs: number): Amount {
    let work = this.#works.get(label);
    const overAfterMs = work?.doneBytes === 0 ? STILL_OVER_AFTER_MS : OVER_AFTER_MS;
    if (work === undefined || doneBytes < work.doneBytes || nowMs - work.seenMs > overAfterMs) {
      const [oldest] = this.#works.keys();
      if (oldest !== undefined && this.#works.size >= WORKS_MAX) this.#works.delete(oldest);
      work = { startedMs: nowMs, startedBytes: doneBytes, doneBytes, seenMs: nowMs };
      this.#works.set(label, work);
    }
    work.doneBytes = doneBytes;
    work.seenMs = nowMs;
    return { doneBytes, totalBytes, elapsedMs: nowMs - work.startedMs, startedBytes: work.startedBytes };
  }
}

/** Whether only the elapsed time is known. */
function isStill({ doneBytes, totalBytes }: Amount): boolean {
  return doneBytes === 0 && totalBytes === undefined;
}

/** Whether there is nothing to show yet: "0 ms so far". */
function isNew(amount: Amount): boolean {
  return isStill(amount) && amount.elapsedMs === 0;
}

/**
 * Returns the text that erases a drawn line, with the cursor at its end. A terminal that has become narrower since then
 * shows the line in several rows.
 */
function eraseLine(width: number, columns: number): string {
  const rows = Math.max(1, Math.ceil(width / columns));
  return rows === 1 ? "\r\x1b[K" : `\r\x1b[${rows - 1}A\x1b[J`;
}

/**
 * Returns the line of a progress bar that fits into the columns: a narrow terminal gets a shorter bar, then none, and
 * then fewer of the figures.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { progressLine } from "./_progress.ts";
 * const MIB = 1024 ** 2;
 * const amount = { doneBytes: 256 * MIB, totalBytes: 512 * MIB, elapsedMs: 2_000, startedBytes: 0 };
 * assert.equal(
 *   progressLine("copying", amount, 100),
 *   "  copying ████████████░░░░░░░░░░░░ 50%  256.0 MiB of 512.0 MiB, 128.0 MiB/s, 2.0 s left",
 * );
 * assert.equal(progressLine("copying", amount, 39), "  copying 50%, 256.0 MiB of 512.0 MiB");
 * ```
 */
export function progressLine(label: string, amount: Amount, columnsMax: number): string {
  const { doneBytes, totalBytes } = amount;
  const facts = factsOf(amount);
  const shorter = facts.map((_, index) => `  ${label} ${facts.slice(0, facts.length - index).join(", ")}`);
  const bars = totalBytes === undefined || totalBytes === 0 ? [] : [LONG_BAR, SHORT_BAR].map((chars) => {
    const [percent = "", ...others] = facts;
    return `  ${label} ${drawBar(doneBytes / totalBytes, chars)} ${percent.padStart(3)}  ${
      others.join(", ")
    }`;
  });
  const fitting = [...bars, ...shorter].find((line) => textWidth(line) <= columnsMax);
  return fitting ?? cutToWidth(`  ${label} ${facts[0] ?? ""}`, columnsMax);
}

function drawBar(part: number, chars: number): string {
  const filled = Math.round(Math.min(1, part) * chars);
  return "█".repeat(filled) + "░".repeat(chars - filled);
}

function describeAmount(amount: Amount): string {
  return factsOf(amount).join(", ");
}

/** Returns the figures of the work, the most important first. */
function factsOf(amount: Amount): string[] {
  const { doneBytes, totalBytes, elapsedMs, startedBytes } = amount;
  if (isStill(amount)) return [`${formatDuration(elapsedMs)} so far`];
  const rate = elapsedMs > 0 ? (doneBytes - startedBytes) / elapsedMs * 1000 : 0;
  const speed = rate > 0 ? [`${formatBytes(Math.round(rate))}/s`] : [];
  if (totalBytes === undefined || totalBytes === 0) return [formatBytes(doneBytes), ...speed];
  const part = Math.min(1, doneBytes / totalBytes);
  const left = rate > 0 && part < 1 ? [`${formatDuration((totalBytes - doneBytes) / rate * 1000)} left`] : [];
  return [
    `${Math.floor(part * 100)}%`,
    `${formatBytes(doneBytes)} of ${formatBytes(totalBytes)}`,
    ...speed,
    ...left,
  ];
}
