import type { Context } from "../core/context.ts";
import type { Downloaded, DownloadRequest, HeldSpan, RangeSupport, Reuse } from "./download_types.ts";
import { RefusedError, TransientError } from "../core/errors.ts";
import { type Chunks, readChunks } from "../core/chunk_list.ts";
import { type FileDigest, writeAll } from "../core/hash.ts";
import { credibleSpans, describePartial, forgetPartial, readPartial, removePartial } from "./partial_file.ts";
import { PrefixHasher } from "./prefix_hasher.ts";
import { RateLimit } from "./rate_limit.ts";
import { RemoteContent, RestartDownload } from "./remote_content.ts";
import { pauseBeforeRetry, type RetryPolicy } from "../core/retry.ts";
import { cutSpans, type Span, SPAN_BYTES, SpanSet } from "./spans.ts";
import type { Clock } from "../core/clock.ts";
import { WriteBack } from "../core/write_back.ts";
import { formatBytes, plural } from "../core/format.ts";
import { chooseCopies, sumBytes } from "./choose_copies.ts";
import { heldPieces } from "./held_pieces.ts";

/** Four connections use a line that one cannot fill. rclone has the same default. */
export const CONNECTIONS_MAX = 4;

/** Counts consecutive failures without a byte between them. */
const RETRIES: RetryPolicy = { attemptsMax: 6, firstDelayMs: 500, delayMsMax: 30_000 };

/** On a fast line, the list of received spans on disk is updated after this many bytes. */
const DESCRIBE_EVERY_BYTES = 64 * 1024 * 1024;

/** On a slow line, the list is updated this often. A kill loses at most that much of the download. */
const DESCRIBE_EVERY_MS = 3_000;

/** The bytes that one connection reads. `end` shrinks when further connections take over the rest. */
interface Stream {
  next: number;
  end: number;
}

/** One attempt to download a file: over one or several connections, hashed while it is written. */
export class Transfer {
  readonly #context: Context;
  readonly #request: DownloadRequest;
  readonly #content: RemoteContent;
  readonly #have = new SpanSet();
  readonly #rate: RateLimit | undefined;
  readonly #reuse: Reuse;
  /** Closes every connection, with the reason of the failure. */
  readonly #stop = new AbortController();
  readonly #writeBack: WriteBack;
  /** Spans that no connection reads yet. */
  #todo: Span[] = [];
  readonly #connections: Promise<void>[] = [];
  #describedBytes = 0;
  #describedMs: number;

  constructor(context: Context, request: DownloadRequest, ranges: RangeSupport, reuse: Reuse) {
    this.#context = { ...context, signal: AbortSignal.any([context.signal, this.#stop.signal]) };
    this.#request = request;
    this.#reuse = reuse;
    this.#writeBack = new WriteBack(context.fs, request.path);
    this.#content = new RemoteContent(this.#context, request, ranges);
    const rate = request.limits.bytesPerSecondMax;
    this.#describedMs = context.clock.monotonicMs();
    this.#rate = rate === undefined ? undefined : new RateLimit(this.#context, rate);
  }

  /** @throws {RestartDownload} if a restart from zero may succeed; the errors of {@link download} */
  async run(): Promise<Downloaded> {
    const { fs, signal } = this.#context;
    const { path, expected } = this.#request;
    await this.#content.learnTotal(expected.bytes);
    const hasher = await PrefixHasher.create(fs, path, signal);
    const resumedBytes = await this.#resume(hasher);
    try {
      const copies = await this.#chooseCopies();
      await this.#fetch(hasher, copies);
      const digest = hasher.digest();
      const copiedBytes = sumBytes(copies);
      this.#check(digest);
      forgetPartial(fs, path);
      return { ...digest, resumedBytes, copiedBytes };
    } catch (error) {
      this.#keepProvable(error);
      throw error;
    }
  }

  /** Whether the digest of the file proves bytes that this attempt did not download. */
  get #canProve(): boolean {
    const { sha256, bytes } = this.#request.expected;
    return sha256 !== undefined && bytes !== undefined && this.#content.ranges !== "no";
  }

  /** Reuses the bytes of an earlier run that chunk digests prove now, or the final digest will prove. */
  async #resume(hasher: PrefixHasher): Promise<number> {
    const { fs, log, signal } = this.#context;
    const { path, what } = this.#request;
    const claimed = this.#canProve && this.#reuse !== "none" ? readPartial(fs, path) : [];
    if (claimed.length === 0) {
      removePartial(fs, path);
      return 0;
    }
    const chunks = this.#chunks();
    const spans = chunks === undefined ? claimed : await credibleSpans(fs, path, claimed, chunks, signal);
    for (const span of spans) this.#have.add(span);
    await hasher.catchUp(this.#have.endFrom(0));
    if (this.#have.bytes > 0) {
      log.info(`continuing ${what}: ${plural(this.#have.bytes, "byte")} are here already`);
    }
    return this.#have.bytes;
  }

  #chunks(): Chunks | undefined {
    const { bytes, contentChunks } = this.#request.expected;
    return bytes === undefined ? undefined : readChunks(contentChunks, bytes);
  }

  /** Returns the spans to copy from other files. */
  async #chooseCopies(): Promise<HeldSpan[]> {
    const { findHeld, what } = this.#request;
    const { total } = this.#content;
    if (findHeld === undefined || total === undefined || !this.#canProve || this.#reuse !== "all") return [];
    const copies = chooseCopies(await findHeld(), this.#have, total);
    if (copies.length > 0) {
      const share = `${formatBytes(sumBytes(copies))} of ${formatBytes(total)}`;
      this.#context.log.info(`reusing ${share} of ${what}: this machine has them in other releases`);
    }
    return copies;
  }

  /** Copies and reads the missing bytes, both at once. Afterwards the file is complete and hashed. */
  async #fetch(hasher: PrefixHasher, copies: readonly HeldSpan[]): Promise<void> {
    await using _ = this.#writeBack;
    const planned = this.#have.copy();
    for (const span of copies) planned.add(span);
    const copying = this.#copyAll(hasher, copies).catch((error) => this.#stop.abort(error));
    const gaps = this.#gapsOf(planned);
    // Between copies, most requests are too short for a connection to notice that it waits for the network.
    if (copies.length === 0) await this.#readGaps(hasher, gaps, 1);
    else await this.#readGaps(hasher, cutSpans(gaps, CONNECTIONS_MAX, SPAN_BYTES), CONNECTIONS_MAX);
    await copying;
    this.#throwIfStopped();
    // The spans that could not be copied.
    const left = this.#gapsOf(this.#have);
    if (left.length > 0) await this.#readGaps(hasher, left, 1);
    this.#throwIfStopped();
    await this.#writeBack.finish();
    await hasher.catchUp(this.#have.endFrom(0));
  }

  #throwIfStopped(): void {
    if (this.#stop.signal.aborted) throw this.#stop.signal.reason;
  }

  #gapsOf(spans: SpanSet): Span[] {
    const { total } = this.#content;
    return total === undefined ? [{ start: 0, end: Infinity }] : spans.gaps(total);
  }

  /** Reads spans over at least one connection and at most as many as there are spans. */
  async #readGaps(hasher: PrefixHasher, gaps: readonly Span[], connections: number): Promise<void> {
    this.#todo = [...gaps];
    this.#connections.length = 0;
    do this.#connect(hasher); while (this.#connections.length < Math.min(connections, gaps.length));
    // Connections may be added while this loop waits.
    for (const connection of this.#connections) await connection;
  }

  async #copyAll(hasher: PrefixHasher, copies: readonly HeldSpan[]): Promise<void> {
    if (copies.length === 0) return;
    const { fs, log, signal } = this.#context;
    using file = await fs.open(this.#request.path, { write: true, create: true });
    const unreadable = new Set<string>();
    for (const span of copies) {
      let at = span.start;
      await file.seek(at, Deno.SeekMode.Start);
      for await (const piece of heldPieces({ fs, log, signal }, span, unreadable)) {
        const written = writeAll(file, piece);
        hasher.offer(at, piece);
        await written;
        this.#arrived({ start: at, end: at + piece.length });
        at += piece.length;
        await hasher.catchUp(this.#have.endFrom(hasher.bytes));
      }
    }
  }

  /** Opens a connection that reads spans until none is left. A failure closes all connections. */
  #connect(hasher: PrefixHasher): void {
    this.#connections.push(this.#readAll(hasher).catch((error) => this.#stop.abort(error)));
  }

  async #readAll(hasher: PrefixHasher): Promise<void> {
    using file = await this.#context.fs.open(this.#request.path, { write: true, create: true });
    for (let span = this.#todo.shift(); span !== undefined; span = this.#todo.shift()) {
      await this.#readSpan(file, { next: span.start, end: span.end }, hasher);
      await hasher.catchUp(this.#have.endFrom(hasher.bytes));
    }
  }

  /** Reads one span, with retries. */
  async #readSpan(file: Deno.FsFile, stream: Stream, hasher: PrefixHasher): Promise<void> {
    const content = this.#content;
    for (let failures = 0;;) {
      const before = stream.next;
      try {
        return await this.#readOnce(file, stream, hasher);
      } catch (error) {
        if (!(error instanceof TransientError)) throw error;
        failures = stream.next > before ? 1 : failures + 1;
        const { retries = RETRIES } = this.#request;
        if (failures >= retries.attemptsMax) throw error;
        if (stream.next > 0 && !content.canContinue) throw new RestartDownload(error, content.ranges);
        await pauseBeforeRetry(this.#context, retries, failures, error);
      }
    }
  }

  /** Reads a span, or its beginning, over one connection. */
  async #readOnce(file: Deno.FsFile, stream: Stream, hasher: PrefixHasher): Promise<void> {
    const content = this.#content;
    using opened = await content.open({ start: stream.next, end: stream.end }, stream.next === 0);
    stream.end = Math.min(stream.end, content.total ?? Infinity);
    const line = new LineWatch(this.#context.clock);
    await file.seek(stream.next, Deno.SeekMode.Start);
    for await (const piece of content.pieces(opened, stream)) {
      if (line.isWaitingMostly() && opened.isPart) await this.#share(file, stream, hasher);
      const written = writeAll(file, piece);
      hasher.offer(stream.next, piece);
      await written;
      this.#arrived({ start: stream.next, end: stream.next + piece.length });
      stream.next += piece.length;
      // The pause of a rate limit is not a stall.
      await this.#rate?.pass(piece.length, () => opened.watch.beat());
      line.waiting();
    }
    content.checkEnd(stream.next, stream.end);
  }

  /** Hands the later part to further connections if it is large enough for them. */
  async #share(file: Deno.FsFile, stream: Stream, hasher: PrefixHasher): Promise<void> {
    const { total, canContinue } = this.#content;
    if (this.#connections.length > 1 || total === undefined || !canContinue) return;
    const rest = [{ start: stream.next, end: stream.end }, ...this.#todo];
    const [own, ...others] = cutSpans(rest, CONNECTIONS_MAX, SPAN_BYTES);
    if (own === undefined || others.length === 0) return;
    await file.truncate(total);
    stream.end = own.end;
    this.#todo = others;
    while (this.#connections.length < Math.min(CONNECTIONS_MAX, 1 + others.length)) this.#connect(hasher);
  }

  #arrived(span: Span): void {
    const { log, fs, clock } = this.#context;
    this.#have.add(span);
    this.#writeBack.wrote(span.end - span.start);
    const { bytes } = this.#have;
    log.progress("downloading", bytes, this.#content.total);
    if (this.#request.expected.sha256 === undefined || !this.#isDescriptionDue()) return;
    describePartial(fs, this.#request.path, this.#have.spans);
    this.#describedBytes = bytes;
    this.#describedMs = clock.monotonicMs();
  }

  #isDescriptionDue(): boolean {
    return this.#have.bytes - this.#describedBytes >= DESCRIBE_EVERY_BYTES ||
      this.#context.clock.monotonicMs() - this.#describedMs >= DESCRIBE_EVERY_MS;
  }

  #check(digest: FileDigest): void {
    const { expected } = this.#request;
    const { total, ranges } = this.#content;
    if (total !== undefined && digest.bytes !== total) throw this.#content.wrongSize(digest.bytes);
    if (expected.sha256 === undefined || digest.sha256 === expected.sha256) return;
    const failure = this.#content.wrongDigest(digest.sha256);
    // Chunk digests find the damaged chunk. If they do not, or without them, all bytes are suspect.
    const isProvable = this.#chunks() !== undefined && this.#reuse === "all";
    throw new RestartDownload(failure, ranges, isProvable ? "proven" : "none");
  }

  /** After a failure, keeps the bytes that a digest can prove later and removes the others. */
  #keepProvable(error: unknown): void {
    const { fs } = this.#context;
    const { path, expected } = this.#request;
    const isSuspect = error instanceof RestartDownload
      ? error.reuse === "none"
      : error instanceof RefusedError;
    if (isSuspect || expected.sha256 === undefined || this.#have.bytes === 0) return removePartial(fs, path);
    try {
      describePartial(fs, path, this.#have.spans);
    } catch {
      // The disk may be full. Without the list, the next download starts from zero.
    }
  }
}

/** Longer than the slow start of a connection, and short compared with the time that it may save. */
const WINDOW_MS = 1_000;

/** Below this share, the disk, the processor or a rate limit is the bottleneck. More connections would not help. */
const WAITING_SHARE_MAX = 0.5;

/** Measures whether a connection mostly waits for the network. */
class LineWatch {
  readonly #clock: Clock;
  #windowStartMs: number;
  #sinceMs: number;
  #waitedMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#windowStartMs = this.#sinceMs = clock.monotonicMs();
  }

  /** Call when the wait for the next bytes begins. */
  waiting(): void {
    this.#sinceMs = this.#clock.monotonicMs();
  }

  /** Call when bytes arrive. Returns whether more than half of the last second or longer was spent waiting. */
  isWaitingMostly(): boolean {
    const nowMs = this.#clock.monotonicMs();
    this.#waitedMs += nowMs - this.#sinceMs;
    const windowMs = nowMs - this.#windowStartMs;
    if (windowMs < WINDOW_MS) return false;
    const isSlow = this.#waitedMs > windowMs * WAITING_SHARE_MAX;
    this.#windowStartMs = nowMs;
    this.#waitedMs = 0;
    return isSlow;
  }
}
