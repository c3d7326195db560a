import { join } from "node:path";
import type { FileSystem } from "../core/files.ts";

/** A Unix socket that sends datagrams. */
export interface DatagramSocket extends Disposable {
  /** @param path of the receiver; an abstract name begins with a NUL character */
  send(path: string, bytes: Uint8Array): Promise<void>;
}

/** Opens a socket. Throws where the runtime or the system has no Unix datagram sockets. */
export type OpenDatagramSocket = (fs: FileSystem) => DatagramSocket;

/** Binds a socket to a path or, with a NUL in front, to an abstract name. */
type Bind = (path: string) => Deno.DatagramConn;

/**
 * Opens a Unix datagram socket. Deno sends only from a named socket. The name is abstract, which leaves no file. Deno
 * before 2.9 knows no abstract names: there it is a path in a temporary folder, which is removed at once. Needs the
 * net, read and write permissions.
 */
export function openDatagramSocket(fs: FileSystem, bind: Bind = bindUnix): DatagramSocket {
  const connection = bindAbstract(bind) ?? bindTemporary(fs, bind);
  return {
    async send(path, bytes) {
      await connection.send(bytes, { transport: "unixpacket", path });
    },
    [Symbol.dispose]: () => connection.close(),
  };
}

const bindUnix: Bind = (path) => Deno.listenDatagram({ transport: "unixpacket", path });

function bindAbstract(bind: Bind): Deno.DatagramConn | undefined {
  try {
    return bind(`\0model-sync-${Deno.pid}-${crypto.randomUUID()}`);
  } catch (error) {
    // Runtimes and systems without abstract names reject the NUL.
    if (error instanceof Deno.errors.NotCapable) throw error;
    return undefined;
  }
}

function bindTemporary(fs: FileSystem, bind: Bind): Deno.DatagramConn {
  const folder = fs.makeTempDirSync({ prefix: "model-sync-notify-" });
  try {
    return bind(join(folder, "socket"));
  } finally {
    // A socket can send without its file.
    fs.removeSync(folder, { recursive: true });
  }
}
