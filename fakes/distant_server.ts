/** Bytes on their way, with the time at which they arrive. */
interface Underway {
  readonly piece: Uint8Array<ArrayBuffer>;
  readonly atMs: number;
}

/** A server behind a long line: a round trip for each new connection, and half a round trip for each direction. */
export class DistantServer implements AsyncDisposable {
  readonly #port: number;
  readonly #roundTripMs: number;
  readonly #listener: Deno.TcpListener;
  readonly #serving: Promise<void>;
  readonly #open = new Set<Deno.TcpConn>();
  /** The number of connections so far. */
  connections = 0;

  /** @param origin the server, on this machine */
  constructor(origin: string, roundTripMs: number) {
    this.#port = Number(new URL(origin).port);
    this.#roundTripMs = roundTripMs;
    this.#listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    this.#serving = this.#serve();
  }

  get origin(): string {
    return `http://127.0.0.1:${this.#listener.addr.port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    for (const connection of this.#open) close(connection);
    await this.#serving;
  }

  async #serve(): Promise<void> {
    const passing: Promise<void>[] = [];
    for await (const client of this.#listener) {
      this.connections++;
      passing.push(this.#pass(client));
    }
    await Promise.all(passing);
  }

  async #pass(client: Deno.TcpConn): Promise<void> {
    const shakenMs = performance.now() + this.#roundTripMs;
    const server = await Deno.connect({ hostname: "127.0.0.1", port: this.#port });
    for (const end of [client, server]) {
      end.setNoDelay();
      this.#open.add(end);
    }
    await Promise.all([this.#carry(client, server, shakenMs), this.#carry(server, client, 0)]);
    for (const end of [client, server]) {
      this.#open.delete(end);
      close(end);
    }
  }

  /** Passes bytes on, each after half a round trip. `firstMs` is when the first ones can set out. */
  async #carry(from: Deno.TcpConn, to: Deno.TcpConn, firstMs: number): Promise<void> {
    const underway: Underway[] = [];
    let wake = () => {};
    let isDone = false;
    const deliver = async () => {
      for (;;) {
        const next = underway.shift();
        if (next === undefined) {
          if (isDone) break;
          await new Promise<void>((resolve) => wake = resolve);
          continue;
        }
        const leftMs = next.atMs - performance.now();
        if (leftMs > 0) await new Promise((resolve) => setTimeout(resolve, leftMs));
        for (let sent = 0; sent < next.piece.length;) sent += await to.write(next.piece.subarray(sent));
      }
      await to.closeWrite();
    };
    const delivering = deliver().catch(() => {});
    try {
      const buffer = new Uint8Array(64 * 1024);
      for (let count = await from.read(buffer); count !== null; count = await from.read(buffer)) {
        const atMs = Math.max(firstMs, performance.now()) + this.#roundTripMs / 2;
        underway.push({ piece: buffer.slice(0, count), atMs });
        wake();
      }
    } catch {
      // One end has closed its connection.
    }
    isDone = true;
    wake();
    await delivering;
  }
}

function close(connection: Deno.TcpConn): void {
  try {
    connection.close();
  } catch {
    // The other direction has closed it.
  }
}
