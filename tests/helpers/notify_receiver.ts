/** Listens at the address in `NOTIFY_SOCKET` like systemd. */
export class NotifyReceiver implements Disposable {
  /** The value of the environment variable. */
  readonly address: string;
  readonly #connection: Deno.DatagramConn;

  /** @param address a path, or an abstract name that begins with `@` */
  constructor(address: string) {
    this.address = address;
    const path = address.startsWith("@") ? `\0${address.slice(1)}` : address;
    this.#connection = Deno.listenDatagram({ transport: "unixpacket", path });
  }

  /** Waits for a message. @returns its lines */
  async next(): Promise<string[]> {
    const [bytes] = await this.#connection.receive();
    return new TextDecoder().decode(bytes).split("\n");
  }

  /** Waits for a message with a line that matches. */
  async until(pattern: RegExp): Promise<string> {
    while (true) {
      const found = (await this.next()).find((line) => pattern.test(line));
      if (found !== undefined) return found;
    }
  }

  [Symbol.dispose](): void {
    this.#connection.close();
  }
}
