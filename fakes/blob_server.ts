import type { Clock } from "../lib/core/clock.ts";

/** GitHub's artifact addresses are valid for one minute. */
const ADDRESS_MS = 60_000;

/** A blob's content: bytes, or a file that is too large for memory. */
export type BlobContent = Uint8Array<ArrayBuffer> | { readonly file: string };

/** A fault in place of the next correct answer. */
export type BlobFault =
  /** The connection breaks after this many bytes. */
  | { readonly kind: "reset"; readonly afterBytes: number }
  /** Sends this many bytes, then nothing until it is released. */
  | { readonly kind: "hang"; readonly afterBytes: number; readonly released: Promise<void> }
  /** Answers with this response. */
  | { readonly kind: "answer"; readonly make: (request: Request) => Response };

/** Storage with signed addresses, like Azure's: each is valid for a minute and one use, and credentials are refused. */
export interface BlobServer extends AsyncDisposable {
  readonly origin: string;
  /** Faults of the next answers, in order; `undefined` for a correct answer. */
  readonly faults: (BlobFault | undefined)[];
  readonly requests: Request[];
  /** Returns an address for content. */
  sign(content: BlobContent): string;
}

export function startBlobServer(clock: Clock): BlobServer {
  const addresses = new Map<string, { readonly content: BlobContent; readonly untilMs: number }>();
  const faults: BlobServer["faults"] = [];
  const requests: Request[] = [];
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, (request) => {
    requests.push(request);
    const key = new URL(request.url).pathname;
    const address = addresses.get(key);
    addresses.delete(key);
    if (request.headers.has("authorization")) return refusal(403, "AuthenticationFailed");
    if (address === undefined || clock.now().getTime() >= address.untilMs) {
      return refusal(403, "AuthenticationFailed");
    }
    const fault = faults.shift();
    if (fault?.kind === "answer") return fault.make(request);
    return answer(request, address.content, fault);
  });
  const origin = `http://127.0.0.1:${server.addr.port}`;
  return {
    origin,
    faults,
    requests,
    sign(content) {
      const key = `/artifacts/${crypto.randomUUID()}.zip`;
      addresses.set(key, { content, untilMs: clock.now().getTime() + ADDRESS_MS });
      return `${origin}${key}?sig=secret&sp=r`;
    },
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

function refusal(status: number, code: string): Response {
  return new Response(`<?xml version="1.0"?><Error><Code>${code}</Code></Error>`, {
    status,
    headers: { "content-type": "application/xml" },
  });
}

function answer(
  request: Request,
  content: BlobContent,
  fault: Exclude<BlobFault, { kind: "answer" }> | undefined,
) {
  const bytes = content instanceof Uint8Array ? content.length : Deno.statSync(content.file).size;
  const headers = new Headers({ "content-type": "application/zip", "accept-ranges": "bytes" });
  const [, from, to] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.get("range") ?? "") ?? [];
  let [start, end] = [0, bytes];
  if (from !== undefined) {
    start = Number(from);
    end = to === "" || to === undefined ? bytes : Math.min(bytes, Number(to) + 1);
    if (start >= bytes) {
      return new Response(null, { status: 416, headers: { "content-range": `bytes */${bytes}` } });
    }
    headers.set("content-range", `bytes ${start}-${end - 1}/${bytes}`);
  }
  headers.set("content-length", String(end - start));
  return new Response(body(content, start, end, fault), { status: from === undefined ? 200 : 206, headers });
}

/** The size of a piece, as from a network. */
const PIECE_BYTES = 256 * 1024;

function body(
  content: BlobContent,
  start: number,
  end: number,
  fault: Exclude<BlobFault, { kind: "answer" }> | undefined,
): ReadableStream<Uint8Array<ArrayBuffer>> {
  const file = content instanceof Uint8Array ? undefined : Deno.openSync(content.file, { read: true });
  file?.seekSync(start, Deno.SeekMode.Start);
  const limit = fault === undefined ? end : Math.min(end, start + fault.afterBytes);
  let offset = start;
  return new ReadableStream<Uint8Array<ArrayBuffer>>({
    async pull(controller) {
      const size = Math.min(PIECE_BYTES, limit - offset);
      if (size > 0) {
        const piece = content instanceof Uint8Array
          ? content.slice(offset, offset + size)
          : await readPiece(file, size);
        offset += piece.length;
        return controller.enqueue(piece);
      }
      if (fault?.kind === "hang") await fault.released;
      file?.close();
      // Fewer bytes than announced: the server closes the connection.
      controller.close();
    },
    cancel: () => file?.close(),
  }, { highWaterMark: 0 });
}

async function readPiece(file: Deno.FsFile | undefined, size: number): Promise<Uint8Array<ArrayBuffer>> {
  const buffer = new Uint8Array(size);
  const count = await file?.read(buffer);
  if (!count) throw new Error("the file became shorter while it was served");
  return buffer.subarray(0, count);
}
