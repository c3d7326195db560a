import { systemClock } from "../../lib/core/clock.ts";
import { RateLimit } from "../../lib/http/rate_limit.ts";

/** Serves files on loopback with ranges and strong ETags, over a line of limited speed. */
export class LineHost implements AsyncDisposable {
  /** The files by their paths in addresses. A file's path on the disk is also its version. */
  readonly files = new Map<string, string>();
  sentBytes = 0;
  requests = 0;
  readonly #line: RateLimit;
  readonly #server: Deno.HttpServer<Deno.NetAddr>;

  constructor(signal: AbortSignal, bytesPerSecond: number) {
    this.#line = new RateLimit({ clock: systemClock, signal }, bytesPerSecond);
    const options = { hostname: "127.0.0.1", port: 0, onListen: () => {} };
    this.#server = Deno.serve(options, (request) => this.answer(request));
  }

  get origin(): string {
    return `http://127.0.0.1:${this.#server.addr.port}`;
  }

  async answer(request: Request): Promise<Response> {
    const path = this.files.get(new URL(request.url).pathname);
    if (path === undefined) return new Response("not found", { status: 404 });
    this.requests++;
    const file = await Deno.open(path, { read: true });
    const { size, mtime } = file.statSync();
    const [, from, to] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.get("range") ?? "") ?? [];
    const start = Number(from ?? 0);
    const end = to === undefined || to === "" ? size : Math.min(size, Number(to) + 1);
    file.seekSync(start, Deno.SeekMode.Start);
    const headers = {
      "content-length": String(end - start),
      "content-range": `bytes ${start}-${end - 1}/${size}`,
      "etag": `"${mtime?.getTime()}"`,
    };
    return new Response(this.#body(file, end - start), { status: from === undefined ? 200 : 206, headers });
  }

  /** Returns the time of a command, and what it requested. */
  async counted(command: () => Promise<{ readonly wallMs: number }>) {
    const [sentBytes, requests] = [this.sentBytes, this.requests];
    const { wallMs } = await command();
    return { wallMs, sentBytes: this.sentBytes - sentBytes, requests: this.requests - requests };
  }

  #body(file: Deno.FsFile, bytes: number): ReadableStream<Uint8Array<ArrayBuffer>> {
    let left = bytes;
    return new ReadableStream({
      pull: async (controller) => {
        const piece = new Uint8Array(Math.min(left, 256 * 1024));
        const count = left === 0 ? null : await file.read(piece);
        if (count === null) {
          file.close();
          return controller.close();
        }
        left -= count;
        this.sentBytes += count;
        await this.#line.pass(count, () => {});
        controller.enqueue(piece.subarray(0, count));
      },
      cancel: () => file.close(),
    }, { highWaterMark: 0 });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#server.shutdown();
  }
}
