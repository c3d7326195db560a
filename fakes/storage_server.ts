import { type FileServer, startFileServer } from "./file_server.ts";

/** Storage with signed addresses: one server accepts an upload, another serves it. */
export interface StorageServer extends AsyncDisposable {
  readonly uploadUrl: string;
  readonly downloadUrl: string;
  /** The server for downloads. */
  readonly files: FileServer;
  readonly uploads: { readonly headers: Headers; readonly bytes: number }[];
  /** The error statuses of the next uploads. */
  readonly faults: number[];
}

const SIGNATURE = "X-Amz-Signature=upload-secret";

export function startStorage(): StorageServer {
  const files = startFileServer(new Uint8Array(0));
  const uploads: StorageServer["uploads"] = [];
  const faults: number[] = [];
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, async (request) => {
    const fault = faults.shift();
    if (fault !== undefined) {
      await request.body?.cancel();
      return new Response("<Error><Code>SlowDown</Code></Error>", { status: fault });
    }
    // As in S3, a length is required.
    const length = request.headers.get("content-length");
    if (request.method !== "PUT" || !request.url.endsWith(SIGNATURE) || length === null) {
      await request.body?.cancel();
      return new Response("<Error><Code>MissingContentLength</Code></Error>", { status: 411 });
    }
    const content = new Uint8Array(await request.arrayBuffer());
    uploads.push({ headers: request.headers, bytes: content.length });
    files.content = content;
    files.etag = `"${uploads.length}"`;
    return new Response(null, { status: 200 });
  });
  return {
    uploadUrl: `http://127.0.0.1:${server.addr.port}/models.zip?${SIGNATURE}`,
    downloadUrl: `${files.url}?X-Amz-Signature=download-secret`,
    files,
    uploads,
    faults,
    [Symbol.asyncDispose]: async () => {
      await server.shutdown();
      await files[Symbol.asyncDispose]();
    },
  };
}
