import { Buffer } from "node:buffer";
import { gzipSync } from "node:zlib";

/** A server that answers every request with the same bytes, which no HTTP library would send. */
export interface HostileServer extends AsyncDisposable {
  readonly origin: string;
  /** The number of sent bytes. */
  readonly sent: number;
  readonly requests: number;
}

/** Sends an answer to one request. */
export type HostileAnswer = (
  send: (bytes: string | Uint8Array) => Promise<void>,
  status: number,
) => Promise<void>;

const MIB = 1024 * 1024;
const SPACES = new Uint8Array(MIB).fill(32);

/** More than any client of the program reads, in 100 KB of compressed bytes. */
const BOMB = gzipSync(Buffer.alloc(100 * MIB, " "));

/** An answer of these bytes, with their length. */
function whole(body: string | Uint8Array, headers = ""): HostileAnswer {
  const bytes = typeof body === "string" ? new TextEncoder().encode(body) : body;
  return async (send, status) => {
    await send(head(status, `content-length: ${bytes.length}\r\n${headers}`));
    await send(bytes);
  };
}

function head(status: number, headers: string): string {
  return `HTTP/1.1 ${status} Hostile\r\ncontent-type: application/json\r\nconnection: close\r\n${headers}\r\n`;
}

const deep = (open: string, close: string) => open.repeat(100_000) + "1" + close.repeat(100_000);

/** Answers of malicious and broken servers. */
export const HOSTILE_ANSWERS: Readonly<Record<string, HostileAnswer>> = {
  "nothing": whole(""),
  "a page": whole("<!doctype html><title>Sign in</title>"),
  "words": whole("Service temporarily unavailable"),
  "half of a JSON text": whole('{"id": "a", "status": "IN_'),
  "null": whole("null"),
  "a number": whole("1e999"),
  "a text": whole('"id"'),
  "a list of everything": whole('[null, 1, "a", [], {}]'),
  "wrong types": whole(
    '{"id": {"a": 1}, "sha": 7, "status": [], "data": "x", "workflow_runs": {"length": -1}, "last_updated": "now", "win_rate": {}}',
  ),
  "prototypes": whole(
    '{"__proto__": {"id": "x"}, "constructor": {"prototype": {"sha": "x"}}, "toString": 1}',
  ),
  "lists 100,000 deep": whole(deep("[", "]")),
  "objects 100,000 deep": whole(deep('{"a":', "}")),
  "objects of numbers 100,000 deep": whole(deep('{"0":', "}")),
  "an error that is 100,000 deep": whole(`{"status": "FAILED", "error": ${deep('{"0":', "}")}}`),
  "an error text of 4 MiB": whole(JSON.stringify({ message: "x".repeat(4 * MIB), error: "y ".repeat(MIB) })),
  "bytes that are not UTF-8": whole(new Uint8Array([0x7b, 0x22, 0xff, 0xfe, 0xc0, 0x80, 0x22, 0x7d])),
  "text in UTF-16": whole(new Uint8Array([0xff, 0xfe, 0x7b, 0, 0x7d, 0])),
  "escape sequences": whole(
    '{"message": "\u001b[2J\u001b]0;owned\u0007\\nerror: all is well"}\n\n\u001b[31m',
  ),
  "spaces without end": async (send, status) => {
    await send(head(status, ""));
    for (;;) await send(SPACES);
  },
  "a gzip bomb": whole(BOMB, "content-encoding: gzip\r\n"),
  "gzip that is none": whole("{}", "content-encoding: gzip\r\n"),
  "gzip that ends early": whole(BOMB.subarray(0, 1000), "content-encoding: gzip\r\n"),
  "less than announced": async (send, status) => {
    await send(head(status, "content-length: 1000\r\n"));
    await send('{"id":');
  },
  "more than announced": async (send, status) => {
    await send(head(status, "content-length: 5\r\n"));
    await send('{"id": "a"} and more');
  },
  "two lengths": async (send, status) => {
    await send(head(status, "content-length: 5\r\ncontent-length: 7\r\n"));
    await send('{"id": "a"}');
  },
  "chunks of a broken size": async (send, status) => {
    await send(head(status, "transfer-encoding: chunked\r\n"));
    await send("zz\r\n{}\r\n");
  },
  "a chunk that ends early": async (send, status) => {
    await send(head(status, "transfer-encoding: chunked\r\n"));
    await send("ff\r\n{}");
  },
  "a header of 4 MiB": async (send, status) => {
    await send(head(status, `x-long: ${"x".repeat(4 * MIB)}\r\n`));
  },
  "100,000 headers": async (send, status) => {
    await send(head(status, "x-many: x\r\n".repeat(100_000)));
  },
  "no HTTP at all": async (send) => await send("SSH-2.0-OpenSSH_9.2\r\n"),
  "a closed connection": () => Promise.resolve(),
};

/** Starts a server on loopback with one of the answers. */
export function startHostileServer(answer: HostileAnswer, status: number): HostileServer {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const [connections, open] = [new Set<Promise<void>>(), new Set<Deno.TcpConn>()];
  let [sent, requests] = [0, 0];
  const serve = async (connection: Deno.TcpConn) => {
    try {
      await readHead(connection);
      requests++;
      await answer(async (bytes) => {
        const data = typeof bytes === "string" ? new TextEncoder().encode(bytes) : bytes;
        for (let offset = 0; offset < data.length;) {
          const count = await connection.write(data.subarray(offset));
          offset += count;
          sent += count;
        }
      }, status);
      // A client that is still sending would lose the answer to a reset.
      await connection.closeWrite();
      const rest = new Uint8Array(64 * 1024);
      while (await connection.read(rest) !== null);
    } catch {
      // The client has closed the connection.
    } finally {
      open.delete(connection);
      connection.close();
    }
  };
  const accepting = (async () => {
    for await (const connection of listener) {
      open.add(connection);
      const served = serve(connection).finally(() => connections.delete(served));
      connections.add(served);
    }
  })();
  return {
    origin: `http://127.0.0.1:${listener.addr.port}`,
    get sent() {
      return sent;
    },
    get requests() {
      return requests;
    },
    [Symbol.asyncDispose]: async () => {
      listener.close();
      await accepting;
      for (const connection of open) await connection.closeWrite().catch(() => {});
      await Promise.all(connections);
    },
  };
}

async function readHead(connection: Deno.TcpConn): Promise<void> {
  const buffer = new Uint8Array(16 * 1024);
  const decoder = new TextDecoder();
  for (let text = ""; !text.includes("\r\n\r\n");) {
    const count = await connection.read(buffer);
    if (count === null) return;
    text += decoder.decode(buffer.subarray(0, count), { stream: true });
  }
}
