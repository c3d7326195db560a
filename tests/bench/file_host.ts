/** Serves the files of a folder over HTTP with ranges, in a process of its own, and prints its address. */
const [root = "."] = Deno.args;

const server = Deno.serve({
  hostname: "127.0.0.1",
  port: 0,
  onListen: ({ port }) => Deno.stdout.writeSync(new TextEncoder().encode(`http://127.0.0.1:${port}\n`)),
}, async (request) => {
  const file = await Deno.open(root + new URL(request.url).pathname);
  const { size } = file.statSync();
  const [, from, to] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.get("range") ?? "") ?? [];
  if (from === undefined) {
    return new Response(file.readable, { headers: { "content-length": String(size), etag: '"1"' } });
  }
  const start = Number(from);
  const end = to ? Math.min(size, Number(to) + 1) : size;
  file.seekSync(start, Deno.SeekMode.Start);
  return new Response(file.readable.pipeThrough(firstBytes(end - start)), {
    status: 206,
    headers: {
      "content-length": String(end - start),
      "content-range": `bytes ${start}-${end - 1}/${size}`,
      etag: '"1"',
    },
  });
});
await server.finished;

function firstBytes(count: number): TransformStream<Uint8Array, Uint8Array> {
  let left = count;
  return new TransformStream({
    transform(piece, controller) {
      controller.enqueue(piece.subarray(0, left));
      left -= piece.length;
      if (left <= 0) controller.terminate();
    },
  });
}
