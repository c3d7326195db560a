import { Pool } from "../core/concurrency.ts";
import type { Context } from "../core/context.ts";
import { withDeadline } from "../core/deadline.ts";
import { diskError, TransientError, UnreachableError } from "../core/errors.ts";
import { removeIfThere } from "../core/files.ts";
import { formatBytes } from "../core/format.ts";
import { writeAll } from "../core/hash.ts";
import { pauseBeforeRetry, type RetryPolicy } from "../core/retry.ts";
import { sumBytes } from "./choose_copies.ts";
import type { DownloadRequest } from "./download_types.ts";
import { RateLimit } from "./rate_limit.ts";
import { RemoteContent, RestartDownload } from "./remote_content.ts";
import { cutSpans, type Span, SPAN_BYTES, SpanSet } from "./spans.ts";
import { CONNECTIONS_MAX } from "./transfer.ts";

/** Two spans with a smaller gap are one request: the gap takes less time than a round trip. */
const GAP_BYTES_MAX = 256 * 1024;

/** More requests for small parts take longer than the whole file. */
const REQUESTS_MAX = 64;

/** Gives up soon: the download of the whole file is retried for longer. */
const RETRIES: RetryPolicy = { attemptsMax: 3, firstDelayMs: 500, delayMsMax: 5_000, retryAfterMsMax: 5_000 };

/** How to read parts of a file. `path` is a scratch file, in which the parts are kept. */
export interface RemotePartsRequest extends Omit<DownloadRequest, "expected" | "onSize" | "retries"> {
  /** Called with the size of further parts, before they are fetched. It may throw if the disk has too little space. */
  readonly onParts?: ((bytes: number) => Promise<void>) | undefined;
}

/** A part that was read: its span in the remote file, and its place in the scratch file. */
interface Held extends Span {
  readonly at: number;
}

/**
 * A file on a server of which only parts are read. Reading a part that was not fetched fails, and never returns other
 * bytes. All parts are of one version of the file: its strong ETag proves that.
 *
 * Credentials are sent to their own origin only. Needs net, read and write permission.
 */
export class RemoteParts implements AsyncDisposable {
  /** The size of the remote file. */
  readonly bytes: number;
  readonly #context: Context;
  readonly #request: RemotePartsRequest;
  readonly #content: RemoteContent;
  readonly #rate: RateLimit | undefined;
  readonly #file: Deno.FsFile;
  #held: Held[] = [];
  #writtenBytes = 0;
  #at = 0;

  private constructor(
    context: Context,
    request: RemotePartsRequest,
    content: RemoteContent,
    file: Deno.FsFile,
    bytes: number,
  ) {
    const { bytesPerSecondMax: rate } = request.limits;
    this.#context = context;
    this.#request = request;
    this.#content = content;
    this.#file = file;
    this.#rate = rate === undefined ? undefined : new RateLimit(context, rate);
    this.bytes = bytes;
  }

  /**
   * Opens the file and fetches its beginning.
   *
   * @throws {PartsUnavailable} if the server serves no parts; the errors of `download`
   */
  static async open(context: Context, request: RemotePartsRequest, firstBytes: number): Promise<RemoteParts> {
    const content = new RemoteContent(context, { ...request, expected: {} }, "unknown");
    removeIfThere(context.fs, request.path);
    const file = await context.fs.open(request.path, { read: true, write: true, createNew: true });
    try {
      const first = await fetching(context, request, async (signal) => {
        const span = { start: 0, end: firstBytes };
        return await readSpan({ ...context, signal }, content, span, { file, at: 0, rate: undefined });
      });
      const { total } = content;
      if (total === undefined || !content.canContinue) {
        throw new PartsUnavailable(`${request.what} may change between two requests: it has no strong ETag`);
      }
      const parts = new RemoteParts(context, request, content, file, total);
      parts.#hold({ start: 0, end: first, at: 0 });
      return parts;
    } catch (error) {
      file.close();
      removeIfThere(context.fs, request.path);
      throw error;
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#file.close();
    removeIfThere(this.#context.fs, this.#request.path);
    return Promise.resolve();
  }

  /** The number of bytes that were fetched. */
  get fetchedBytes(): number {
    return this.#writtenBytes;
  }

  /**
   * Fetches the missing bytes of spans, over several connections if there are many.
   *
   * @param bytesMax for the missing bytes, with the gaps that are fetched along with them
   * @throws {PartsUnavailable} if there are too many, the file has changed, or the server serves no parts any more; the
   * errors of `download`
   */
  async fetch(spans: readonly Span[], bytesMax = Infinity): Promise<void> {
    const missing = cutSpans(joinSpans(this.#missing(spans)), CONNECTIONS_MAX, SPAN_BYTES);
    if (missing.length > REQUESTS_MAX) {
      throw new PartsUnavailable(`${this.#request.what} would be read in ${missing.length} parts`);
    }
    if (missing.length === 0) return;
    const bytes = sumBytes(missing);
    if (bytes > bytesMax) {
      throw new PartsUnavailable(
        `${formatBytes(bytes)} of ${this.#request.what} would be read for small parts`,
      );
    }
    await this.#request.onParts?.(bytes);
    await fetching(this.#context, this.#request, (signal) => this.#fetchAll(missing, signal));
  }

  async #fetchAll(missing: readonly Span[], signal: AbortSignal): Promise<void> {
    const stop = new AbortController();
    const context = { ...this.#context, signal: AbortSignal.any([signal, stop.signal]) };
    const pool = new Pool(CONNECTIONS_MAX);
    try {
      for (const span of missing) {
        const at = this.#writtenBytes;
        this.#writtenBytes += span.end - span.start;
        await pool.add(async () => {
          using file = await context.fs.open(this.#request.path, { write: true });
          await readSpan(context, this.#content, span, { file, at, rate: this.#rate });
          this.#hold({ ...span, at });
        });
      }
      await pool.drain();
    } catch (error) {
      stop.abort(error);
      await pool.settle();
      throw error;
    }
  }

  #hold(part: Held): void {
    this.#held = [...this.#held, part].sort((a, b) => a.start - b.start);
    this.#writtenBytes = Math.max(this.#writtenBytes, part.at + part.end - part.start);
  }

  /** Returns the bytes of spans that are not fetched, as sorted spans. */
  #missing(spans: readonly Span[]): Span[] {
    const wanted = spans.map(({ start, end }) => ({
      start: Math.max(0, start),
      end: Math.min(end, this.bytes),
    }));
    return SpanSet.of(wanted).without(SpanSet.of(this.#held));
  }

  /** Moves to an offset of the remote file. */
  seekSync(offset: number | bigint): number {
    return this.#at = Number(offset);
  }

  /** Reads fetched bytes. @throws {PartsUnavailable} for bytes that were not fetched */
  readSync(buffer: Uint8Array): number | null {
    const place = this.#placeOf(buffer);
    if (place === null) return null;
    this.#file.seekSync(place.at, Deno.SeekMode.Start);
    return this.#passed(this.#file.readSync(buffer.subarray(0, place.bytes)));
  }

  /** As {@link readSync}. */
  async read(buffer: Uint8Array): Promise<number | null> {
    const place = this.#placeOf(buffer);
    if (place === null) return null;
    this.#file.seekSync(place.at, Deno.SeekMode.Start);
    return this.#passed(await this.#file.read(buffer.subarray(0, place.bytes)));
  }

  /** Does nothing: the file is closed when it is disposed of. */
  close(): void {}

  #passed(count: number | null): number | null {
    this.#at += count ?? 0;
    return count;
  }

  #placeOf({ length }: Uint8Array): { readonly at: number; readonly bytes: number } | null {
    const offset = this.#at;
    if (offset >= this.bytes) return null;
    const part = this.#held.find(({ start, end }) => start <= offset && offset < end);
    if (part === undefined) {
      throw new PartsUnavailable(`byte ${offset} of ${this.#request.what} was not requested`);
    }
    return { at: part.at + offset - part.start, bytes: Math.min(length, part.end - offset) };
  }
}

/** A file cannot be read in parts. The whole file may be downloaded instead. */
export class PartsUnavailable extends UnreachableError {
  constructor(problem: string, cause?: unknown) {
    super(problem, { code: "PARTS_UNAVAILABLE", hint: "run again later", cause });
  }
}

/** Runs requests within the time limit of a download, and names their errors. */
async function fetching<Result>(
  context: Context,
  { what, path, limits }: RemotePartsRequest,
  work: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  const tooSlow = () =>
    new UnreachableError(`Cannot read ${what}: it took longer than ${limits.totalMs / 1000} s`, {
      code: "TIMEOUT",
      hint: "raise the download's time limit in the configuration",
    });
  try {
    return await withDeadline(context, limits.totalMs, tooSlow, work);
  } catch (error) {
    if (error instanceof RestartDownload) throw new PartsUnavailable(error.message, error);
    throw diskError(error, `write parts of ${what} to ${path}`);
  }
}

/** Where a span is written. */
interface Target {
  readonly file: Deno.FsFile;
  readonly at: number;
  readonly rate: RateLimit | undefined;
}

/** Reads a span, with retries, and returns the end of what was read: the file may end before the span. */
async function readSpan(
  context: Context,
  content: RemoteContent,
  span: Span,
  target: Target,
): Promise<number> {
  let next = span.start;
  for (let failures = 0;;) {
    const before = next;
    try {
      using opened = await content.open({ start: next, end: span.end }, false);
      const end = Math.min(span.end, content.total ?? span.end);
      await target.file.seek(target.at + next - span.start, Deno.SeekMode.Start);
      for await (const piece of content.pieces(opened, { end })) {
        await writeAll(target.file, piece);
        next += piece.length;
        await target.rate?.pass(piece.length, () => opened.watch.beat());
      }
      content.checkEnd(next, end);
      return next;
    } catch (error) {
      if (!(error instanceof TransientError)) throw error;
      failures = next > before ? 1 : failures + 1;
      if (failures >= RETRIES.attemptsMax) throw error;
      await pauseBeforeRetry(context, RETRIES, failures, error);
    }
  }
}

/** Returns sorted spans, with those joined that a small gap separates. */
function joinSpans(spans: readonly Span[]): Span[] {
  const joined: Span[] = [];
  for (const span of spans) {
    const last = joined.at(-1);
    if (last !== undefined && span.start - last.end <= GAP_BYTES_MAX) {
      joined[joined.length - 1] = { start: last.start, end: span.end };
    } else joined.push(span);
  }
  return joined;
}
