import type { Context } from "../core/context.ts";
import type { ContentRequest, Located, RangeSupport, Reuse } from "./download_types.ts";
import { RefusedError, TransientError, UnreachableError } from "../core/errors.ts";
import { plural } from "../core/format.ts";
import type { Sha256 } from "../core/hash.ts";
import { sendRequest } from "./request.ts";
import { statusError } from "./status_error.ts";
import { networkError } from "./network_error.ts";
import { type Span, SPAN_BYTES } from "./spans.ts";
import { StallWatch } from "./stall_watch.ts";
import { giveBuffer, takeBuffer } from "../core/spare_buffers.ts";

/** The received bytes and the server's next answer do not belong together: the download has to restart from zero. */
export class RestartDownload extends Error {
  /** The error to report if restarts do not help. */
  readonly failure: RefusedError | UnreachableError;
  readonly ranges: RangeSupport;
  /** What the next attempt may reuse. */
  readonly reuse: Reuse;

  constructor(failure: RefusedError | UnreachableError, ranges: RangeSupport, reuse: Reuse = "none") {
    super(failure.message);
    this.failure = failure;
    this.ranges = ranges;
    this.reuse = reuse;
  }
}

/** An answer whose body is not read yet. Disposing of it closes the connection. */
export interface Opened extends Disposable {
  readonly response: Response;
  readonly watch: StallWatch;
  /** The offset of its first byte in the file. */
  readonly start: number;
  /** Whether it is a part of the file instead of all of it. */
  readonly isPart: boolean;
}

/** A file on a server that is read span by span. Every answer is checked: it is the requested span, of the same version. */
export class RemoteContent {
  readonly #context: Context;
  readonly #request: ContentRequest;
  readonly #ranges: RangeSupport;
  #located: Promise<Located> | undefined;
  #total: number | undefined;
  /** The strong ETag of the file's version. */
  #etag: string | undefined;

  constructor(context: Context, request: ContentRequest, ranges: RangeSupport) {
    this.#context = context;
    this.#request = request;
    this.#ranges = ranges;
  }

  /** Its size in bytes, once the caller or the server has stated it. */
  get total(): number | undefined {
    return this.#total;
  }

  get ranges(): RangeSupport {
    return this.#ranges;
  }

  /** Whether bytes of two answers can be proven to belong to the same version. */
  get canContinue(): boolean {
    return this.#ranges !== "no" && (this.#request.expected.sha256 !== undefined || this.#etag !== undefined);
  }

  /** Notes the stated size. All statements have to agree. */
  async learnTotal(bytes: number | undefined): Promise<void> {
    if (bytes === undefined) return;
    if (this.#total === bytes) return;
    if (this.#total !== undefined) throw this.wrongSize(bytes);
    if (bytes > this.#request.limits.bytesMax) throw this.#tooLarge(bytes);
    this.#total = bytes;
    await this.#request.onSize?.(bytes);
  }

  /**
   * Requests a span and checks the answer.
   *
   * @param isFirst no byte has arrived yet, so the whole file is accepted, too
   */
  async open(span: Span, isFirst: boolean): Promise<Opened> {
    const { what, limits } = this.#request;
    const stalled = () =>
      new TransientError(`Cannot read ${what}: no data for ${limits.stallMs / 1000} s`, {
        code: "STALLED",
        hint: "check the network, or run again later",
      });
    const watch = new StallWatch(this.#context, limits.stallMs, stalled);
    try {
      const response = await this.#send(span, watch.signal);
      const isPart = response.status === 206;
      try {
        this.#checkKind(response);
        await this.learnTotal(isPart ? this.#checkPart(response, span) : this.#checkWhole(response, isFirst));
      } catch (error) {
        await response.body?.cancel();
        throw error;
      }
      return {
        response,
        watch,
        isPart,
        start: isPart ? span.start : 0,
        [Symbol.dispose]: () => close(response, watch),
      };
    } catch (error) {
      watch[Symbol.dispose]();
      throw error;
    }
  }

  /**
   * Yields the pieces of an answer up to the end of `span`, which may shrink meanwhile. A piece is valid until the next
   * one is requested. Bytes beyond the file's size are refused.
   */
  async *pieces(
    { response, watch, start }: Opened,
    span: { readonly end: number },
  ): AsyncGenerator<Uint8Array> {
    const limit = this.#total ?? this.#request.limits.bytesMax;
    let offset = start;
    try {
      for await (const piece of bodyPieces(response)) {
        // A connection that does not end with its signal must not write beside the next attempt.
        watch.signal.throwIfAborted();
        const next = offset + piece.length;
        if (next > limit) throw this.#total === undefined ? this.#tooLarge(next) : this.wrongSize(next);
        watch.beat();
        yield next > span.end ? piece.subarray(0, span.end - offset) : piece;
        offset = next;
        if (offset >= span.end && span.end < limit) return;
      }
    } catch (error) {
      throw networkError(error, this.#request, new URL(response.url).host, watch.signal);
    }
  }

  /** Checks that an answer that ended at offset `next` was complete. */
  checkEnd(next: number, wantedEnd: number): void {
    if (wantedEnd === Infinity) this.#total ??= next;
    const end = Math.min(wantedEnd, this.#total ?? wantedEnd);
    if (next >= end) return;
    throw new TransientError(
      `Cannot read ${this.#request.what}: the connection ended after ${next} of ${plural(end, "byte")}`,
      { code: "CUT_SHORT", hint: "check the network, or run again later" },
    );
  }

  wrongSize(bytes: number): RefusedError {
    return new RefusedError(
      `Cannot accept ${this.#request.what}: it is ${plural(bytes, "byte")}, expected ${this.#total}`,
      {
        code: "SIZE_MISMATCH",
        hint: "publish it again; the active release is untouched",
      },
    );
  }

  wrongDigest(sha256: Sha256): RefusedError {
    const { what, expected } = this.#request;
    return new RefusedError(`Cannot accept ${what}: its SHA-256 is ${sha256}, expected ${expected.sha256}`, {
      code: "DIGEST_MISMATCH",
      hint: "publish it again; the active release is untouched",
    });
  }

  async #send(span: Span, signal: AbortSignal): Promise<Response> {
    const { what, locate } = this.#request;
    const located = await (this.#located ??= locate());
    const range = this.#rangeOf(span);
    const request = {
      what,
      url: located.url,
      credentials: located.credentials,
      headers: {
        "accept": "*/*",
        // Compressed answers have neither the file's length nor its bytes.
        "accept-encoding": "identity",
        ...(range === undefined ? {} : { range }),
        ...(range === undefined || this.#etag === undefined ? {} : { "if-range": this.#etag }),
      },
    };
    const { response, crossedOrigin } = await sendRequest(this.#context, request, signal);
    if (response.ok) return response;
    if (response.status === 416 && span.start === 0) {
      await response.body?.cancel();
      throw this.#noRanges();
    }
    const error = await statusError(this.#context, request, response);
    if (!(located.isSigned || crossedOrigin) || !EXPIRED_STATUSES.includes(response.status)) throw error;
    this.#located = undefined;
    throw new TransientError(error.message, {
      code: "ADDRESS_EXPIRED",
      cause: error,
      hint: "the address of the file expired, or the file was removed",
    });
  }

  /** `undefined` for a small file: only a large one benefits from knowing whether the server supports ranges. */
  #rangeOf({ start, end }: Span): string | undefined {
    const { within } = this.#request;
    if (within !== undefined) return `bytes=${within.offset + start}-${within.offset + end - 1}`;
    const isSmall = start === 0 && end === this.#total && end < 2 * SPAN_BYTES.min;
    if (this.#ranges === "no" || isSmall) return undefined;
    return `bytes=${start}-${Number.isFinite(end) ? end - 1 : ""}`;
  }

  /** Refuses a web page, and an answer of another version than the earlier ones. */
  #checkKind(response: Response): void {
    // A known digest is a better proof than any header.
    if (this.#request.expected.sha256 !== undefined) return;
    const { what } = this.#request;
    if (/^text\/html\b/i.test(response.headers.get("content-type") ?? "")) {
      throw new UnreachableError(`Cannot read ${what}: the server sent an HTML page instead`, {
        code: "HTML_PAGE",
        hint: "open the address in a browser: it may ask for a login, or say what is wrong",
      });
    }
    const etag = strongEtag(response);
    if (this.#etag !== undefined && etag !== this.#etag) {
      throw new RestartDownload(changedMeanwhile(what), this.#ranges);
    }
    this.#etag = etag;
  }

  #checkWhole(response: Response, isFirst: boolean): number | undefined {
    if (!isFirst || this.#request.within !== undefined) throw this.#noRanges();
    const length = response.headers.get("content-length");
    return length !== null && /^\d+$/.test(length) ? Number(length) : undefined;
  }

  #checkPart(response: Response, span: Span): number | undefined {
    const { within } = this.#request;
    // An answer with an unknown total, `bytes 0-99/*`, cannot be used.
    const [, start, total] = /^bytes (\d+)-\d+\/(\d+)$/.exec(response.headers.get("content-range") ?? "") ??
      [];
    if (total === undefined || Number(start) !== span.start + (within?.offset ?? 0)) throw this.#noRanges();
    if (within !== undefined) {
      if (Number(total) !== within.bytes) throw changedMeanwhile(this.#request.what);
      return undefined;
    }
    // The whole file shows whether this server states wrong totals, or has another file.
    if (this.#total !== undefined && Number(total) !== this.#total) {
      throw new RestartDownload(this.wrongSize(Number(total)), "no");
    }
    return Number(total);
  }

  #noRanges(): RestartDownload | UnreachableError {
    const { what, within } = this.#request;
    const failure = new UnreachableError(`Cannot continue ${what}: the server does not support ranges`, {
      code: "NO_RANGES",
      hint: "run again later",
    });
    // A file inside another one cannot be downloaded without ranges.
    return within === undefined ? new RestartDownload(failure, "no") : failure;
  }

  #tooLarge(bytes: number): RefusedError {
    const { what, limits } = this.#request;
    return new RefusedError(
      `Cannot accept ${what}: it has at least ${plural(bytes, "byte")}, the limit is ${limits.bytesMax}`,
      { code: "DOWNLOAD_TOO_LARGE", hint: "if its size is right, raise the limit in the configuration" },
    );
  }
}

/** Answers to an expired signed address: S3 and Azure 403, Google 400, others 401, 404 or 410. */
const EXPIRED_STATUSES = [400, 401, 403, 404, 410];

function close(response: Response, watch: StallWatch): void {
  watch[Symbol.dispose]();
  // A reader that holds the lock cancels the body itself.
  if (response.body?.locked === false) response.body.cancel().catch(() => {});
}

/** A weak ETag does not promise equal bytes. */
function strongEtag(response: Response): string | undefined {
  const etag = response.headers.get("etag");
  return etag === null || etag.startsWith("W/") ? undefined : etag;
}

function changedMeanwhile(what: string): UnreachableError {
  return new UnreachableError(`Cannot read ${what}: it changed during the download`, {
    code: "CHANGING",
    hint: "run again later",
  });
}

/**
 * Yields the body of an answer in pieces of at most 1 MiB, and receives the next piece while the caller uses the last
 * one. A piece is valid until the next one is requested. Leaving the loop closes the connection.
 */
export async function* bodyPieces({ body }: Response): AsyncGenerator<Uint8Array> {
  if (body === null) return;
  // The stream's own buffers of 64 KiB are collected too late for memory to stay flat.
  const reader = body.getReader({ mode: "byob" });
  // The stream owns the buffer until it returns it with a piece in it.
  let receiving = reader.read(takeBuffer());
  let spare: Uint8Array<ArrayBuffer> | undefined = takeBuffer();
  try {
    for (;;) {
      const { value, done } = await receiving;
      if (done) {
        if (value !== undefined) giveBuffer(new Uint8Array(value.buffer));
        return;
      }
      receiving = reader.read(spare ?? takeBuffer());
      spare = undefined;
      // The caller gets a failure with its next request. Unhandled until then, it would end the process.
      receiving.catch(() => {});
      yield value;
      spare = new Uint8Array(value.buffer);
    }
  } finally {
    if (spare !== undefined) giveBuffer(spare);
    await reader.cancel().catch(() => {});
  }
}
