import type { Context } from "./context.ts";
import type { Downloaded, DownloadRequest } from "./download.ts";
import { PassingError, RefusedError } from "./errors.ts";
import { writeAllSync } from "./files.ts";
import { CHUNK_BYTES, type FileDigest } from "./hash.ts";
import { describePartial, forgetPartial, provenChunks, readPartial, removePartial } from "./partial_file.ts";
import { PrefixHasher } from "./prefix_hasher.ts";
import { RateLimit } from "./rate_limit.ts";
import { BeginAnew, type Opened, type RangeSupport, RemoteContent } from "./remote_content.ts";
import { pauseBeforeRetry, type RetryPolicy, withRetry } from "./retry.ts";
import { cutSpans, type Span, SpanSet } from "./spans.ts";

/** Four streams fill a line that one cannot (rclone's default, too). */
const CONNECTIONS_MAX = 4;

/** A second connection is not worth its set-up for less. */
const SPAN_BYTES_MIN = 2 * CHUNK_BYTES;

/** In a row without a byte in between; whatever arrives begins the count anew. */
const RETRIES: RetryPolicy = { attemptsMax: 6, firstDelayMs: 500, delayMsMax: 30_000 };

/** How often what arrived is described on disk; at most this much is fetched again after a kill. */
const DESCRIBE_EVERY_BYTES = 4 * CHUNK_BYTES;

/** One try at a whole content: into its file, on as many connections as are of use, hashed on the way. */
export class Transfer {
  readonly #context: Context;
  readonly #request: DownloadRequest;
  readonly #content: RemoteContent;
  readonly #have = new SpanSet();
  readonly #rate: RateLimit | undefined;
  /** Ends every connection, with its reason. */
  readonly #stop = new AbortController();
  #describedBytes = 0;

  constructor(context: Context, request: DownloadRequest, ranges: RangeSupport) {
    this.#context = { ...context, signal: AbortSignal.any([context.signal, this.#stop.signal]) };
    this.#request = request;
    this.#content = new RemoteContent(this.#context, request, ranges);
    const rate = request.limits.bytesPerSecondMax;
    this.#rate = rate === undefined ? undefined : new RateLimit(this.#context, rate);
  }

  /** @throws {BeginAnew} when another try may do better; what {@link download} throws */
  async run(): Promise<Downloaded> {
    const { fs, signal } = this.#context;
    const { path, expected } = this.#request;
    await this.#content.learnTotal(expected.bytes);
    const hasher = await PrefixHasher.create(fs, path, signal, expected.bytes ?? 0);
    const resumedBytes = await this.#resume(hasher);
    try {
      await this.#fetch(hasher);
      const digest = hasher.digest();
      this.#check(digest, resumedBytes);
      forgetPartial(fs, path);
      return { ...digest, resumedBytes };
    } catch (error) {
      this.#leave(error);
      throw error;
    }
  }

  /** Takes over what an earlier run left, as far as it is proven now or will be by the final digest. */
  async #resume(hasher: PrefixHasher): Promise<number> {
    const { fs, log, signal } = this.#context;
    const { path, expected, what } = this.#request;
    const canProve = expected.sha256 !== undefined && expected.bytes !== undefined &&
      this.#content.ranges !== "no";
    const claimed = canProve ? readPartial(fs, path) : [];
    if (claimed.length === 0) {
      removePartial(fs, path);
      return 0;
    }
    const { chunks } = expected;
    const spans = chunks === undefined ? claimed : await provenChunks(fs, path, claimed, chunks, signal);
    for (const span of spans) this.#have.add(span);
    await hasher.catchUp(this.#have.endFrom(0));
    if (this.#have.bytes > 0) {
      log.info(`continuing ${what}: ${this.#have.bytes} bytes of it are here already`);
    }
    return this.#have.bytes;
  }

  /** Brings what is missing; afterwards all of it is on disk and hashed. */
  async #fetch(hasher: PrefixHasher): Promise<void> {
    const content = this.#content;
    using file = await this.#context.fs.open(this.#request.path, { write: true, create: true });
    const [wanted] = content.total === undefined ? [{ start: 0, end: Infinity }] : this.#cut(content.total);
    if (wanted !== undefined) {
      const isFirst = this.#have.bytes === 0;
      using opened = await withRetry(this.#context, RETRIES, () => content.open(wanted, isFirst));
      // Now the size is known, and whether the server sends parts.
      const spans = content.total === undefined || !opened.isPart
        ? [{ start: 0, end: content.total ?? Infinity }]
        : this.#cut(content.total);
      // Made at its full length, the file is in one piece on the disk.
      if (spans.length > 1 && content.total !== undefined) await file.truncate(content.total);
      await this.#allOrNone(
        spans.map((span, index) => this.#bring(span, hasher, index === 0 ? opened : undefined)),
      );
    }
    await hasher.catchUp(this.#have.endFrom(0));
  }

  /** What is missing, cut for the connections that may be used. */
  #cut(total: number): Span[] {
    return cutSpans(this.#have.gaps(total), this.#content.canContinue ? CONNECTIONS_MAX : 1, SPAN_BYTES_MIN);
  }

  /** Waits for all; the first that fails ends the others. */
  async #allOrNone(work: readonly Promise<void>[]): Promise<void> {
    for (const one of work) one.catch((error) => this.#stop.abort(error));
    await Promise.allSettled(work);
    if (this.#stop.signal.aborted) throw this.#stop.signal.reason;
  }

  /** Brings one span, over as many connections one after the other as it takes. */
  async #bring(span: Span, hasher: PrefixHasher, first: Opened | undefined): Promise<void> {
    using file = await this.#context.fs.open(this.#request.path, { write: true });
    const content = this.#content;
    let opened = first;
    let next = span.start;
    let failures = 0;
    for (;;) {
      const before = next;
      try {
        using reading = opened ?? await content.open({ start: next, end: span.end }, next === 0);
        await file.seek(next, Deno.SeekMode.Start);
        for await (const piece of content.pieces(reading, span.end)) {
          // Written at once: handing 64 KiB to another thread costs more than the copy into the kernel.
          writeAllSync(file, piece);
          hasher.offer(next, piece);
          this.#arrived({ start: next, end: next + piece.length });
          next += piece.length;
          // Holding bytes back is no stall.
          await this.#rate?.pass(piece.length, () => reading.watch.beat());
        }
        content.checkEnd(next, span.end);
        return await hasher.catchUp(this.#have.endFrom(hasher.bytes));
      } catch (error) {
        if (!(error instanceof PassingError)) throw error;
        failures = next > before ? 1 : failures + 1;
        if (failures >= RETRIES.attemptsMax) throw error;
        if (next > 0 && !content.canContinue) throw new BeginAnew(error, content.ranges);
        await pauseBeforeRetry(this.#context, RETRIES, failures, error);
      } finally {
        opened = undefined;
      }
    }
  }

  #arrived(span: Span): void {
    const { log, fs } = this.#context;
    this.#have.add(span);
    const { bytes } = this.#have;
    log.progress("downloading", bytes, this.#content.total);
    if (this.#request.expected.sha256 === undefined || bytes - this.#describedBytes < DESCRIBE_EVERY_BYTES) {
      return;
    }
    describePartial(fs, this.#request.path, this.#have.spans);
    this.#describedBytes = bytes;
  }

  #check(digest: FileDigest, resumedBytes: number): void {
    const { what, expected } = this.#request;
    const { total, ranges } = this.#content;
    if (total !== undefined && digest.bytes !== total) throw this.#content.wrongSize(digest.bytes);
    if (expected.sha256 === undefined || digest.sha256 === expected.sha256) return;
    const failure = new RefusedError(
      `Cannot accept ${what}: its SHA-256 is ${digest.sha256}, expected ${expected.sha256}`,
      { code: "DIGEST_MISMATCH", hint: "publish it again; the active release is untouched" },
    );
    // Old bytes among the new ones, or a piece that the chunk digests will find, may be to blame.
    if (resumedBytes > 0 || expected.chunks !== undefined) throw new BeginAnew(failure, ranges);
    throw failure;
  }

  /** After a failure: what can be proven later stays, the rest goes. */
  #leave(error: unknown): void {
    const { fs } = this.#context;
    const { path, expected } = this.#request;
    const isSuspect = error instanceof BeginAnew
      ? expected.chunks === undefined
      : error instanceof RefusedError;
    if (isSuspect || expected.sha256 === undefined || this.#have.bytes === 0) return removePartial(fs, path);
    try {
      describePartial(fs, path, this.#have.spans);
    } catch {
      // On a full disk, say. Without it the download begins anew.
    }
  }
}
