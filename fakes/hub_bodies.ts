/** Whether a file exists. */
export function exists(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

/** The line to a server's clients: resolves once it has carried the bytes. */
export type Line = (bytes: number) => Promise<void>;

/** Returns a file, or the requested range of it, from the disk. */
export async function sendFile(request: Request, path: string, line?: Line): Promise<Response> {
  if (!exists(path)) return new Response("NoSuchKey", { status: 404 });
  const file = await Deno.open(path);
  const { size } = await file.stat();
  const etag = `"${size}-${path.slice(-8)}"`;
  const ifRange = request.headers.get("if-range");
  const range = ifRange === null || ifRange === etag ? request.headers.get("range") : null;
  const [, from, to] = /^bytes=(\d+)-(\d*)$/.exec(range ?? "") ?? [];
  const start = Number(from ?? 0);
  const end = to === undefined || to === "" ? size : Math.min(size, Number(to) + 1);
  const headers = new Headers({ etag, "accept-ranges": "bytes", "content-type": "binary/octet-stream" });
  if (from !== undefined && start >= size) {
    file.close();
    headers.set("content-range", `bytes */${size}`);
    return new Response(null, { status: 416, headers });
  }
  await file.seek(start, Deno.SeekMode.Start);
  headers.set("content-length", String(end - start));
  if (from !== undefined) headers.set("content-range", `bytes ${start}-${end - 1}/${size}`);
  return new Response(fileBody(file, end - start, line), { status: from === undefined ? 200 : 206, headers });
}

export function fileBody(
  file: Deno.FsFile,
  bytes: number,
  line?: Line,
): ReadableStream<Uint8Array<ArrayBuffer>> {
  let left = bytes;
  return new ReadableStream({
    async pull(controller) {
      const piece = new Uint8Array(Math.min(256 * 1024, left));
      const count = left === 0 ? null : await file.read(piece);
      if (count === null) {
        file.close();
        return controller.close();
      }
      left -= count;
      await line?.(count);
      controller.enqueue(piece.subarray(0, count));
    },
    cancel: () => file.close(),
  }, { highWaterMark: 0 });
}

/** Returns the first bytes of a body. Then the connection ends early, or nothing more arrives. */
export function cutBody(
  body: ReadableStream<Uint8Array> | null,
  afterBytes: number,
  hang?: () => Promise<void>,
): ReadableStream<Uint8Array> {
  const reader = body?.getReader();
  let left = afterBytes;
  return new ReadableStream({
    async pull(controller) {
      const next = left > 0 ? await reader?.read() : undefined;
      if (next !== undefined && !next.done) {
        controller.enqueue(next.value.subarray(0, left));
        left -= next.value.length;
        return;
      }
      await reader?.cancel();
      await hang?.();
      // Fewer bytes than announced: the server closes the connection.
      controller.close();
    },
    cancel: () => reader?.cancel(),
  }, { highWaterMark: 0 });
}
