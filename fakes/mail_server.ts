import { once } from "node:events";
import type { Socket } from "node:net";
import { SMTPServer, type SMTPServerOptions } from "smtp-server";

/** A real SMTP server on loopback that keeps received messages. */
export interface MailServer extends AsyncDisposable {
  readonly port: number;
  /** The complete messages, with their headers. */
  readonly messages: string[];
  /** The user, sender and recipients of each message. */
  readonly envelopes: string[];
}

/** @param options `secure`, `onAuth`, ... of the server; by default, no login is needed */
export async function startMailServer(options: SMTPServerOptions = {}): Promise<MailServer> {
  const messages: string[] = [];
  const envelopes: string[] = [];
  const server = new SMTPServer({
    authOptional: options.onAuth === undefined,
    disabledCommands: ["STARTTLS"],
    allowInsecureAuth: true,
    disableReverseLookup: true,
    closeTimeout: 0,
    onData(stream, session, callback) {
      const decoder = new TextDecoder();
      let message = "";
      stream.on("data", (piece) => message += decoder.decode(piece, { stream: true }));
      stream.on("end", () => {
        messages.push(message);
        const { mailFrom, rcptTo } = session.envelope;
        const sender = mailFrom === false || mailFrom === null ? "" : mailFrom.address;
        envelopes.push(
          `${session.user ?? "anybody"}: ${sender} to ${rcptTo.map(({ address }) => address).join()}`,
        );
        callback(null);
      });
    },
    ...options,
  });
  server.on("error", () => {
    // Some tests close the connection.
  });
  const sockets = new Set<Socket>();
  server.server.on("connection", (socket: Socket) => void sockets.add(socket));
  server.listen(0, "127.0.0.1");
  await once(server.server, "listening");
  const address = server.server.address();
  return {
    port: typeof address === "object" && address !== null ? address.port : 0,
    messages,
    envelopes,
    async [Symbol.asyncDispose]() {
      // Its own `close` is not used: it waits for connections that it cannot count on Deno 2.6.
      server.server.close();
      for (const socket of sockets) {
        if (socket.closed) continue;
        const closed = once(socket, "close");
        socket.destroy();
        await closed;
      }
    },
  };
}
