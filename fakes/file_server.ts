/** Serves one file on loopback, over HTTP with ranges, with faults on demand. */
export interface FileServer extends AsyncDisposable {
  readonly origin: string;
  readonly url: string;
  content: Uint8Array<ArrayBuffer>;
  /** Sent with every answer; `undefined` for none. */
  etag: string | undefined;
  /** Whether ranges are served; if not, every answer has the whole content. */
  hasRanges: boolean;
  /** Faults of the next answers, in order; `undefined` for a correct answer. */
  readonly faults: (Fault | undefined)[];
  /** Every request, in order. */
  readonly requests: { readonly range: string | null; readonly headers: Headers }[];
  /** The bytes of all correct answers so far. */
  sentBytes: number;
}

export type Fault =
  /** The connection breaks after this many bytes of the answer. */
  | { readonly kind: "reset"; readonly afterBytes: number }
  /** Answers with this response. */
  | { readonly kind: "answer"; readonly make: (request: Request) => Response | Promise<Response> }
  /** Sends this many bytes of the answer, then nothing until it is released. */
  | { readonly kind: "hang"; readonly afterBytes: number; readonly released: Promise<void> }
  /** Sends this many bytes of the answer, and the rest when it is released. */
  | { readonly kind: "pause"; readonly afterBytes: number; readonly released: Promise<void> };

export function startFileServer(content: Uint8Array<ArrayBuffer>): FileServer {
  const state = {
    content,
    etag: '"v1"' as string | undefined,
    hasRanges: true,
    faults: [] as FileServer["faults"],
    requests: [] as FileServer["requests"],
    sentBytes: 0,
  };
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, async (request) => {
    state.requests.push({ range: request.headers.get("range"), headers: request.headers });
    const fault = state.faults.shift();
    if (fault?.kind === "answer") return await fault.make(request);
    const answer = rightAnswer(request, state);
    state.sentBytes += answer.bytes;
    return fault === undefined ? answer.whole() : answer.broken(fault);
  });
  const origin = `http://127.0.0.1:${server.addr.port}`;
  return Object.assign(state, {
    origin,
    url: `${origin}/model.bin`,
    [Symbol.asyncDispose]: () => server.shutdown(),
  });
}

function rightAnswer(
  request: Request,
  { content, etag, hasRanges }: Pick<FileServer, "content" | "etag" | "hasRanges">,
) {
  const headers = new Headers({ "content-type": "application/octet-stream" });
  if (etag !== undefined) headers.set("etag", etag);
  const ifRange = request.headers.get("if-range");
  const range = hasRanges && (ifRange === null || ifRange === etag) ? request.headers.get("range") : null;
  const [, from, to] = /^bytes=(\d+)-(\d*)$/.exec(range ?? "") ?? [];
  let status = 200;
  let body = content;
  if (from !== undefined) {
    const start = Number(from);
    const end = to === "" || to === undefined ? content.length : Math.min(content.length, Number(to) + 1);
    if (start >= content.length) {
      const unsatisfied = new Response(null, {
        status: 416,
        headers: { "content-range": `bytes */${content.length}` },
      });
      return { bytes: 0, whole: () => unsatisfied, broken: () => unsatisfied };
    }
    status = 206;
    body = content.subarray(start, end);
    headers.set("content-range", `bytes ${start}-${end - 1}/${content.length}`);
  }
  headers.set("content-length", String(body.length));
  return {
    bytes: body.length,
    whole: () => new Response(body, { status, headers }),
    broken: (fault: Exclude<Fault, { kind: "answer" }>) =>
      new Response(brokenBody(body, fault), { status, headers }),
  };
}

function brokenBody(body: Uint8Array<ArrayBuffer>, fault: Exclude<Fault, { kind: "answer" }>) {
  let sent = 0;
  let end = Math.min(fault.afterBytes, body.length);
  return new ReadableStream<Uint8Array<ArrayBuffer>>({
    async pull(controller) {
      if (sent === end && fault.kind !== "reset") await fault.released;
      if (fault.kind === "pause" && sent === end) end = body.length;
      // Fewer bytes than announced: the server closes the connection.
      if (sent === end) return controller.close();
      const piece = body.subarray(sent, Math.min(end, sent + 64 * 1024));
      sent += piece.length;
      controller.enqueue(piece);
    },
  }, { highWaterMark: 0 });
}
