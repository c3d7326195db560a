import { bodyPieces } from "./body_pieces.ts";
import type { Context } from "../core/context.ts";
import type { DownloadRequest, Located } from "./download.ts";
import { PassingError, RefusedError, UnreachableError } from "../core/errors.ts";
import { sendRequest, statusError } from "./request.ts";
import { networkError } from "./network_error.ts";
import { type Span, SPAN_BYTES } from "./spans.ts";
import { StallWatch } from "./stall_watch.ts";

/** Whether the server sends parts of a content. */
export type RangeSupport = "unknown" | "no";

/** What has arrived and what comes now do not fit together. */
export class BeginAnew extends Error {
  /** What is told when beginning anew does not help. */
  readonly failure: RefusedError | UnreachableError;
  readonly ranges: RangeSupport;

  constructor(failure: RefusedError | UnreachableError, ranges: RangeSupport) {
    super(failure.message);
    this.failure = failure;
    this.ranges = ranges;
  }
}

/** An answer whose bytes are about to be read. Disposing of it ends its connection. */
export interface Opened extends Disposable {
  readonly response: Response;
  readonly watch: StallWatch;
  /** Where its first byte belongs. */
  readonly start: number;
  /** It is a part of the content, not all of it. */
  readonly isPart: boolean;
}

/** A content on a server, read span by span: every answer is checked to be what was asked for, of one and the same state. */
export class RemoteContent {
  readonly #context: Context;
  readonly #request: DownloadRequest;
  readonly #ranges: RangeSupport;
  #located: Promise<Located> | undefined;
  #total: number | undefined;
  /** The server's strong name for the state of the content. */
  #etag: string | undefined;

  constructor(context: Context, request: DownloadRequest, ranges: RangeSupport) {
    this.#context = context;
    this.#request = request;
    this.#ranges = ranges;
  }

  /** Its size in bytes, as far as anybody told. */
  get total(): number | undefined {
    return this.#total;
  }

  get ranges(): RangeSupport {
    return this.#ranges;
  }

  /** Whether bytes of two answers can be known to belong together. */
  get canContinue(): boolean {
    return this.#ranges !== "no" && (this.#request.expected.sha256 !== undefined || this.#etag !== undefined);
  }

  /** Notes the size, as soon as anybody says it; everybody has to say the same. */
  async learnTotal(bytes: number | undefined): Promise<void> {
    if (bytes === undefined) return;
    if (bytes > this.#request.limits.bytesMax) throw this.#tooLarge(bytes);
    if (this.#total === bytes) return;
    if (this.#total !== undefined) throw this.wrongSize(bytes);
    this.#total = bytes;
    await this.#request.onSize?.(bytes);
  }

  /**
   * Asks for a span and checks the answer.
   *
   * @param isFirst nothing has arrived so far, so that the whole content will do, too
   */
  async open(span: Span, isFirst: boolean): Promise<Opened> {
    const { what, limits } = this.#request;
    const stalled = () =>
      new PassingError(`Cannot read ${what}: nothing came for ${limits.stallMs / 1000} s`, {
        code: "STALLED",
        hint: "check the network, or run again later",
      });
    const watch = new StallWatch(this.#context, limits.stallMs, stalled);
    try {
      const response = await this.#ask(span, watch.signal);
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
   * The pieces of an answer, as {@link bodyPieces} has them, up to the end of `span`, which may come nearer meanwhile.
   * What comes beyond the whole is refused.
   */
  async *pieces(
    { response, watch, start }: Opened,
    span: { readonly end: number },
  ): AsyncGenerator<Uint8Array> {
    const limit = this.#total ?? this.#request.limits.bytesMax;
    let offset = start;
    try {
      for await (const piece of bodyPieces(response)) {
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

  /** An answer ended where `next` bytes were there; that was the whole, or too early. */
  checkEnd(next: number, wantedEnd: number): void {
    if (wantedEnd === Infinity) this.#total ??= next;
    const end = Math.min(wantedEnd, this.#total ?? wantedEnd);
    if (next >= end) return;
    throw new PassingError(
      `Cannot read ${this.#request.what}: the connection ended after ${next} of ${end} bytes`,
      { code: "CUT_SHORT", hint: "check the network, or run again later" },
    );
  }

  wrongSize(bytes: number): RefusedError {
    return new RefusedError(
      `Cannot accept ${this.#request.what}: it is ${bytes} bytes, expected ${this.#total}`,
      {
        code: "SIZE_MISMATCH",
        hint: "publish it again; the active release is untouched",
      },
    );
  }

  async #ask(span: Span, signal: AbortSignal): Promise<Response> {
    const { what, locate } = this.#request;
    const located = await (this.#located ??= locate());
    const range = this.#rangeOf(span);
    const request = {
      what,
      url: located.url,
      credentials: located.credentials,
      headers: {
        "accept": "*/*",
        // A length that means something, and bytes that are those of the file.
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
    throw new PassingError(error.message, {
      code: "ADDRESS_EXPIRED",
      cause: error,
      hint: "the address of the file expired, or the file is gone",
    });
  }

  /** Nothing for a small content: only for a large one is it of use to know whether the server sends parts. */
  #rangeOf({ start, end }: Span): string | undefined {
    const isSmall = start === 0 && end === this.#total && end < 2 * SPAN_BYTES.min;
    if (this.#ranges === "no" || isSmall) return undefined;
    return `bytes=${start}-${Number.isFinite(end) ? end - 1 : ""}`;
  }

  /** Not a page for people, and not of another state than the answers before. */
  #checkKind(response: Response): void {
    // A known digest decides better than any header.
    if (this.#request.expected.sha256 !== undefined) return;
    const { what } = this.#request;
    if (/^text\/html\b/i.test(response.headers.get("content-type") ?? "")) {
      throw new UnreachableError(`Cannot read ${what}: the server sent an HTML page instead`, {
        code: "HTML_PAGE",
        hint: "open the address in a browser: it may ask for a login, or say what is wrong",
      });
    }
    const etag = strongEtag(response);
    if (this.#etag !== undefined && etag !== this.#etag) throw new BeginAnew(changing(what), this.#ranges);
    this.#etag = etag;
  }

  #checkWhole(response: Response, isFirst: boolean): number | undefined {
    if (!isFirst) throw this.#noRanges();
    const length = response.headers.get("content-length");
    return length !== null && /^\d+$/.test(length) ? Number(length) : undefined;
  }

  #checkPart(response: Response, span: Span): number {
    // With an unknown total, `bytes 0-99/*`, it is no use.
    const [, start, total] = /^bytes (\d+)-\d+\/(\d+)$/.exec(response.headers.get("content-range") ?? "") ??
      [];
    if (total === undefined || Number(start) !== span.start) throw this.#noRanges();
    return Number(total);
  }

  #noRanges(): BeginAnew {
    const { what } = this.#request;
    const failure = new UnreachableError(`Cannot continue ${what}: the server does not send parts of it`, {
      code: "NO_RANGES",
      hint: "run again later",
    });
    return new BeginAnew(failure, "no");
  }

  #tooLarge(bytes: number): RefusedError {
    const { what, limits } = this.#request;
    return new RefusedError(
      `Cannot accept ${what}: it has ${bytes} bytes or more, at most ${limits.bytesMax} are taken`,
      { code: "DOWNLOAD_TOO_LARGE", hint: "if it may be that large, raise the limit in the configuration" },
    );
  }
}

/** What storage says to a signed address that ended: S3 and Azure 403, Google 400, others 401, 404 or 410. */
const EXPIRED_STATUSES = [400, 401, 403, 404, 410];

function close(response: Response, watch: StallWatch): void {
  watch[Symbol.dispose]();
  // Whoever reads it holds a lock on it, and cancels it by leaving.
  if (response.body?.locked === false) response.body.cancel().catch(() => {});
}

/** A weak one does not promise equal bytes. */
function strongEtag(response: Response): string | undefined {
  const etag = response.headers.get("etag");
  return etag === null || etag.startsWith("W/") ? undefined : etag;
}

function changing(what: string): UnreachableError {
  return new UnreachableError(`Cannot read ${what}: it changes while it is read`, {
    code: "CHANGING",
    hint: "run again later",
  });
}
