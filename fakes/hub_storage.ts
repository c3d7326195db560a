import { createHash } from "node:crypto";
import { join } from "node:path";
import { exists, type Line, sendFile } from "./hub_bodies.ts";

/** The storage of a hub: LFS objects in a folder, which requests read and write at signed addresses. */
export class HubStorage {
  readonly origin: string;
  /** The root of signed addresses. Another one if clients reach the storage through another server. */
  root: string;
  /** The line to all clients together. Default: as fast as this machine. */
  line: Line | undefined;
  readonly #dir: string;
  /** The valid signed addresses. */
  readonly #signed = new Map<string, string>();
  /** The ETags of the parts of objects that are uploaded in parts. */
  readonly #parts = new Map<string, Map<number, string>>();

  /** @param dir an existing folder */
  constructor(dir: string, origin: string) {
    this.#dir = dir;
    this.origin = origin;
    this.root = origin;
  }

  has(sha256: string): boolean {
    return exists(join(this.#dir, sha256));
  }

  text(sha256: string): string {
    return Deno.readTextFileSync(join(this.#dir, sha256));
  }

  /** Stores an object. Under the name of other content, it is a damaged one. */
  write(sha256: string, content: string | Uint8Array<ArrayBuffer>): void {
    const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
    Deno.writeFileSync(join(this.#dir, sha256), bytes);
  }

  /** Stores a file that is on this disk, for files that are too large for memory. */
  link(sha256: string, file: string): void {
    Deno.symlinkSync(file, join(this.#dir, sha256));
  }

  /** Returns a signed address at which an object, or a part of one, is read and written. */
  sign(what: string): string {
    const signature = `s${this.#signed.size + 1}`;
    this.#signed.set(signature, what);
    return `${this.root}/${what}?X-Amz-Signature=${signature}`;
  }

  /** Returns signed addresses for the parts of an object, from part 1 on. */
  signParts(sha256: string, count: number): string[] {
    this.#parts.set(sha256, new Map());
    return Array.from({ length: count }, (_, index) => this.sign(`${sha256}.${index + 1}`));
  }

  /** Makes an object of its parts. Returns whether they are all that were uploaded. */
  async joinParts(
    sha256: string,
    parts: readonly { readonly partNumber: number; readonly etag: string }[],
  ): Promise<boolean> {
    const known = this.#parts.get(sha256) ?? new Map();
    if (parts.length !== known.size || parts.some((part) => known.get(part.partNumber) !== part.etag)) {
      return false;
    }
    const whole = await Deno.open(join(this.#dir, sha256), { write: true, create: true });
    try {
      for (const { partNumber } of parts) {
        using part = await Deno.open(join(this.#dir, `${sha256}.${partNumber}`));
        await part.readable.pipeTo(whole.writable, { preventClose: true });
      }
    } finally {
      whole.close();
    }
    return true;
  }

  /** Answers a request to a signed address. */
  async answer(request: Request): Promise<Response> {
    const url = new URL(request.url);
    const what = url.pathname.slice(1);
    if (request.headers.has("authorization")) {
      return new Response("two kinds of credentials", { status: 400 });
    }
    if (this.#signed.get(url.searchParams.get("X-Amz-Signature") ?? "") !== what) {
      return new Response("<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>", {
        status: 403,
        headers: { "content-type": "application/xml" },
      });
    }
    const path = join(this.#dir, what);
    return request.method === "PUT"
      ? await this.#put(request, what, path)
      : await sendFile(request, path, this.line);
  }

  async #put(request: Request, what: string, path: string): Promise<Response> {
    const length = request.headers.get("content-length");
    // S3 refuses bodies of unknown length.
    if (length === null) return new Response("MissingContentLength", { status: 411 });
    const hash = createHash("sha256");
    let bytes = 0;
    {
      using file = await Deno.open(`${path}.new`, { write: true, create: true, truncate: true });
      try {
        for await (const piece of request.body ?? []) {
          hash.update(piece);
          bytes += piece.length;
          for (let offset = 0; offset < piece.length;) offset += await file.write(piece.subarray(offset));
        }
      } catch {
        // The client has closed the connection.
        return new Response(null, { status: 400 });
      }
    }
    const sha256 = hash.digest("hex");
    const [oid = "", part] = what.split(".");
    if (bytes !== Number(length) || (part === undefined && sha256 !== oid)) {
      return new Response("BadDigest", { status: 400 });
    }
    Deno.renameSync(`${path}.new`, path);
    if (part !== undefined) this.#parts.get(oid)?.set(Number(part), `"${sha256}"`);
    return new Response(null, { headers: { etag: `"${sha256}"` } });
  }
}
