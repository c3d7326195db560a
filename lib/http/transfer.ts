import type { Context } from "../core/context.ts";
import type { Downloaded, DownloadRequest } from "./download.ts";
import { PassingError, RefusedError } from "../core/errors.ts";
import { CHUNK_BYTES, type FileDigest, writeAll } from "../core/hash.ts";
import { LineWatch } from "./line_watch.ts";
import { credibleSpans, describePartial, forgetPartial, readPartial, removePartial } from "./partial_file.ts";
import { PrefixHasher } from "./prefix_hasher.ts";
import { RateLimit } from "./rate_limit.ts";
import { BeginAnew, type RangeSupport, RemoteContent } from "./remote_content.ts";
import { pauseBeforeRetry, type RetryPolicy } from "../core/retry.ts";
import { cutSpans, type Span, SPAN_BYTES, SpanSet } from "./spans.ts";

/** Four streams fill a line that one cannot (rclone's default, too). */
const CONNECTIONS_MAX = 4;

/** In a row without a byte in between; whatever arrives begins the count anew. */
const RETRIES: RetryPolicy = { attemptsMax: 6, firstDelayMs: 500, delayMsMax: 30_000 };

/** How many bytes a fast line brings before the description on disk is updated. */
const DESCRIBE_EVERY_BYTES = 4 * CHUNK_BYTES;

/** How long a slow line goes on before the description is updated: a kill costs that much of the download. */
const DESCRIBE_EVERY_MS = 3_000;

/** What one connection brings: where it stands, and its end, which comes nearer when others take over the rest. */
interface Stream {
  next: number;
  end: number;
}

/** One try at a whole content: into its file, on as many connections as are of use, hashed on the way. */
export class Transfer {
  readonly #context: Context;
  readonly #request: DownloadRequest;
  readonly #content: RemoteContent;
  readonly #have = new SpanSet();
  readonly #rate: RateLimit | undefined;
  /** Ends every connection, with its reason. */
  readonly #stop = new AbortController();
  /** Spans that no connection has begun. */
  #todo: Span[] = [];
  readonly #connections: Promise<void>[] = [];
  #describedBytes = 0;
  #describedMs: number;

  constructor(context: Context, request: DownloadRequest, ranges: RangeSupport) {
    this.#context = { ...context, signal: AbortSignal.any([context.signal, this.#stop.signal]) };
    this.#request = request;
    this.#content = new RemoteContent(this.#context, request, ranges);
    const rate = request.limits.bytesPerSecondMax;
    this.#describedMs = context.clock.monotonicMs();
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
    const { bytes = 0, chunks } = expected;
    const spans = chunks === undefined
      ? claimed
      : await credibleSpans(fs, path, claimed, { bytes, chunks }, signal);
    for (const span of spans) this.#have.add(span);
    await hasher.catchUp(this.#have.endFrom(0));
    if (this.#have.bytes > 0) {
      log.info(`continuing ${what}: ${this.#have.bytes} bytes of it are here already`);
    }
    return this.#have.bytes;
  }

  /** Brings what is missing; afterwards all of it is on disk and hashed. */
  async #fetch(hasher: PrefixHasher): Promise<void> {
    const { total } = this.#content;
    this.#todo = total === undefined ? [{ start: 0, end: Infinity }] : this.#have.gaps(total);
    this.#connect(hasher);
    // Others may join while these are waited for.
    for (const connection of this.#connections) await connection;
    if (this.#stop.signal.aborted) throw this.#stop.signal.reason;
    await hasher.catchUp(this.#have.endFrom(0));
  }

  /** Begins to bring spans until none is left. What fails ends all connections. */
  #connect(hasher: PrefixHasher): void {
    this.#connections.push(this.#bringAll(hasher).catch((error) => this.#stop.abort(error)));
  }

  async #bringAll(hasher: PrefixHasher): Promise<void> {
    using file = await this.#context.fs.open(this.#request.path, { write: true, create: true });
    for (let span = this.#todo.shift(); span !== undefined; span = this.#todo.shift()) {
      await this.#bring(file, { next: span.start, end: span.end }, hasher);
      await hasher.catchUp(this.#have.endFrom(hasher.bytes));
    }
  }

  /** Brings one span, over as many connections one after the other as it takes. */
  async #bring(file: Deno.FsFile, stream: Stream, hasher: PrefixHasher): Promise<void> {
    const content = this.#content;
    for (let failures = 0;;) {
      const before = stream.next;
      try {
        return await this.#read(file, stream, hasher);
      } catch (error) {
        if (!(error instanceof PassingError)) throw error;
        failures = stream.next > before ? 1 : failures + 1;
        if (failures >= RETRIES.attemptsMax) throw error;
        if (stream.next > 0 && !content.canContinue) throw new BeginAnew(error, content.ranges);
        await pauseBeforeRetry(this.#context, RETRIES, failures, error);
      }
    }
  }

  /** Brings a span, or its first part, over one connection. */
  async #read(file: Deno.FsFile, stream: Stream, hasher: PrefixHasher): Promise<void> {
    const content = this.#content;
    using opened = await content.open({ start: stream.next, end: stream.end }, stream.next === 0);
    stream.end = Math.min(stream.end, content.total ?? Infinity);
    const line = new LineWatch(this.#context.clock);
    await file.seek(stream.next, Deno.SeekMode.Start);
    for await (const piece of content.pieces(opened, stream)) {
      if (line.cameSlowly() && opened.isPart) await this.#share(file, stream, hasher);
      const written = writeAll(file, piece);
      hasher.offer(stream.next, piece);
      await written;
      this.#arrived({ start: stream.next, end: stream.next + piece.length });
      stream.next += piece.length;
      // Holding bytes back is no stall.
      await this.#rate?.pass(piece.length, () => opened.watch.beat());
      line.waiting();
    }
    content.checkEnd(stream.next, stream.end);
  }
  /** Lets further connections take over what comes later, if it is enough for them. */
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
