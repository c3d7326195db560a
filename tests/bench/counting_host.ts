/** A request, or the bytes of both directions that passed at one moment. */
export interface Passage {
  /** Since the last {@link CountingHost.restart}. */
  readonly atMs: number;
  readonly requests: number;
  readonly bytes: number;
}

/** The first line of a request. Clients send the head of a request in one piece. */
const REQUEST_LINE = /^(?:GET|HEAD|POST|PUT|PATCH|DELETE) \S+ HTTP\/1\.1\r\n/gm;

/**
 * A host in front of another one, which counts requests and bytes with their times. It counts what HTTP sends, with
 * headers; TLS, TCP and IP add their own.
 */
export class CountingHost implements AsyncDisposable {
  readonly #target: Deno.ConnectOptions;
  readonly #listener: Deno.TcpListener;
  readonly #open = new Set<Deno.TcpConn>();
  readonly #serving: Promise<void>;
  #startMs = 0;
  #passages: Passage[] = [];

  /** @param target the origin of an http server on this machine */
  constructor(target: string) {
    const { hostname, port } = new URL(target);
    this.#target = { hostname, port: Number(port) };
    this.#listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    this.#serving = this.#serve();
  }

  get origin(): string {
    return `http://127.0.0.1:${this.#listener.addr.port}`;
  }

  /** Forgets what was counted. Times start now. */
  restart(): void {
    this.#startMs = performance.now();
    this.#passages = [];
  }

  get passages(): readonly Passage[] {
    return this.#passages;
  }

  async #serve(): Promise<void> {
    for await (const client of this.#listener) {
      void this.#connect(client);
    }
  }

  async #connect(client: Deno.TcpConn): Promise<void> {
    this.#open.add(client);
    try {
      const server = await Deno.connect(this.#target);
      this.#open.add(server);
      await Promise.all([this.#pass(client, server, true), this.#pass(server, client, false)]);
      this.#open.delete(server);
    } finally {
      this.#open.delete(client);
    }
  }

  async #pass(from: Deno.TcpConn, to: Deno.TcpConn, isRequest: boolean): Promise<void> {
    const count = new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>({
      transform: (piece, controller) => {
        const requests = isRequest ? [...decode(piece).matchAll(REQUEST_LINE)].length : 0;
        this.#passages.push({ atMs: performance.now() - this.#startMs, requests, bytes: piece.length });
        controller.enqueue(piece);
      },
    });
    // A client or a server may close its side at any time.
    await from.readable.pipeThrough(count).pipeTo(to.writable).catch(() => {});
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    await this.#serving;
    for (const connection of this.#open) {
      try {
        connection.close();
      } catch {
        // Its side was closed meanwhile.
      }
    }
  }
}

/** Each byte as a character: bodies are not text. */
function decode(piece: Uint8Array): string {
  return new TextDecoder("latin1").decode(piece);
}
