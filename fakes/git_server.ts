import { createHash } from "node:crypto";
import { ByteReader } from "../lib/git/byte_reader.ts";

/**
 * A git host on loopback: smart HTTP by the real `git http-backend`, Git LFS's batch API, and an access token for both.
 * Faults on demand.
 */
export interface GitServer extends AsyncDisposable {
  /** `http://127.0.0.1:port` */
  readonly origin: string;
  /** Every request, in order: method, path, and whether its token was correct, wrong or missing. */
  readonly requests: {
    readonly method: string;
    readonly path: string;
    readonly auth: "right" | "wrong" | "none";
  }[];
  /** Replaces git's answer with the response it returns. */
  intercept: (request: Request, path: string) => Response | Promise<Response> | undefined;
  /** The objects of Git LFS. */
  readonly lfsObjects: Map<string, Uint8Array<ArrayBuffer>>;
  /** The bytes of Git LFS objects that were sent so far. */
  lfsSentBytes: number;
}

export interface GitServerOptions {
  /** The folder of the bare repositories. */
  readonly root: string;
  /** The token, or a test for valid ones. */
  readonly token: string | ((token: string) => boolean);
  /** Cloning and fetching need no token, as with a public repository. */
  readonly isPublic?: boolean;
  /** Nothing needs a token, as on a server in a private network. */
  readonly isOpen?: boolean;
}

export function startGitServer(options: GitServerOptions): GitServer {
  const requests: GitServer["requests"] = [];
  const lfsObjects: GitServer["lfsObjects"] = new Map();
  const running = new Set<() => Promise<void>>();
  const state: Pick<GitServer, "intercept" | "lfsSentBytes"> = {
    intercept: () => undefined,
    lfsSentBytes: 0,
  };
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, async (request) => {
    const { pathname, search } = new URL(request.url);
    const auth = authOf(request, options.token);
    requests.push({ method: request.method, path: pathname + search, auth });
    const intercepted = await state.intercept(request, pathname);
    if (intercepted !== undefined) return intercepted;
    const isOpen = options.isOpen === true || (options.isPublic === true && isFetch(pathname, search));
    if (auth !== "right" && !(isOpen && auth === "none")) {
      await request.body?.cancel();
      return new Response("who are you?", {
        status: 401,
        headers: { "www-authenticate": 'Basic realm="git"' },
      });
    }
    if (pathname.includes("/info/lfs/")) return await answerLfs(request, pathname, lfsObjects);
    if (pathname.startsWith("/lfs-store/")) {
      const answer = await answerLfsStore(request, pathname, lfsObjects);
      state.lfsSentBytes += Number(answer.headers.get("content-length") ?? 0);
      return answer;
    }
    return await answerGit(request, pathname, search, options.root, running);
  });
  return {
    origin: `http://127.0.0.1:${server.addr.port}`,
    requests,
    lfsObjects,
    get intercept() {
      return state.intercept;
    },
    set intercept(value) {
      state.intercept = value;
    },
    get lfsSentBytes() {
      return state.lfsSentBytes;
    },
    set lfsSentBytes(value) {
      state.lfsSentBytes = value;
    },
    async [Symbol.asyncDispose]() {
      await server.shutdown();
      for (const stop of running) await stop();
    },
  };
}

function isFetch(path: string, search: string): boolean {
  return path.endsWith("/git-upload-pack") || search === "?service=git-upload-pack";
}

function authOf(request: Request, token: GitServerOptions["token"]): "right" | "wrong" | "none" {
  const header = request.headers.get("authorization");
  if (header === null) return "none";
  const password = header.startsWith("Basic ")
    ? atob(header.slice("Basic ".length)).split(":")[1]
    : header.slice("Bearer ".length);
  const isRight = typeof token === "string" ? password === token : token(password ?? "");
  return isRight ? "right" : "wrong";
}

/**
 * Runs git's own CGI program (git-http-backend(1)).
 *
 * @param running gets a function that waits for the program if no one has read its answer
 */
async function answerGit(
  request: Request,
  path: string,
  search: string,
  root: string,
  running: Set<() => Promise<void>>,
): Promise<Response> {
  const child = new Deno.Command("git", {
    args: ["http-backend"],
    env: {
      GIT_PROJECT_ROOT: root,
      GIT_HTTP_EXPORT_ALL: "1",
      GIT_CONFIG_GLOBAL: "/dev/null",
      PATH_INFO: path,
      QUERY_STRING: search.slice(1),
      REQUEST_METHOD: request.method,
      CONTENT_TYPE: request.headers.get("content-type") ?? "",
      HTTP_CONTENT_ENCODING: request.headers.get("content-encoding") ?? "",
      GIT_PROTOCOL: request.headers.get("git-protocol") ?? "",
      REMOTE_USER: "tester",
      REMOTE_ADDR: "127.0.0.1",
    },
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const sent = request.body === null ? child.stdin.close() : request.body.pipeTo(child.stdin);
  // A client may go away before it has sent everything. A failure that nothing awaits would end the process.
  const ended = Promise.allSettled([sent, child.status]);
  const reader = new ByteReader(child.stdout);
  const stop = async () => {
    await ended;
    await reader.cancel();
  };
  running.add(stop);
  const headers = new Headers();
  let status = 200;
  for (
    let line = await reader.readLine();
    line !== undefined && line.trim() !== "";
    line = await reader.readLine()
  ) {
    const [name = "", value = ""] = line.trim().split(/:\s*/, 2);
    if (name.toLowerCase() === "status") status = Number(value.split(" ")[0]);
    else headers.append(name, value);
  }
  const body = new ReadableStream<Uint8Array>({
    async start(controller) {
      for await (const piece of reader.readAll()) controller.enqueue(piece.slice());
      await ended;
      controller.close();
      running.delete(stop);
    },
  });
  return new Response(body, { status, headers });
}

interface LfsBatch {
  readonly operation: "upload" | "download";
  readonly objects: readonly { readonly oid: string; readonly size: number }[];
}

/** The batch API (git-lfs `docs/api/batch.md`) with basic transfers. */
async function answerLfs(
  request: Request,
  path: string,
  objects: ReadonlyMap<string, Uint8Array>,
): Promise<Response> {
  if (!path.endsWith("/objects/batch")) {
    await request.body?.cancel();
    return new Response("not found", { status: 404 });
  }
  const batch: LfsBatch = await request.json();
  const { origin } = new URL(request.url);
  const authorization = request.headers.get("authorization") ?? "";
  const answer = batch.objects.map(({ oid, size }) => {
    const held = objects.has(oid);
    if (batch.operation === "download" && !held) {
      return { oid, size, error: { code: 404, message: "Object does not exist" } };
    }
    if (batch.operation === "upload" && held) return { oid, size };
    return {
      oid,
      size,
      actions: { [batch.operation]: { href: `${origin}/lfs-store/${oid}`, header: { authorization } } },
    };
  });
  return Response.json({ transfer: "basic", objects: answer }, {
    headers: { "content-type": "application/vnd.git-lfs+json" },
  });
}

async function answerLfsStore(
  request: Request,
  path: string,
  objects: Map<string, Uint8Array<ArrayBuffer>>,
): Promise<Response> {
  const oid = path.slice("/lfs-store/".length);
  if (request.method === "PUT") {
    const bytes = await request.bytes();
    if (createHash("sha256").update(bytes).digest("hex") !== oid) {
      return new Response("wrong bytes", { status: 422 });
    }
    objects.set(oid, bytes);
    return new Response();
  }
  await request.body?.cancel();
  const bytes = objects.get(oid);
  if (bytes === undefined) return new Response("not found", { status: 404 });
  const [, from, to] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.get("range") ?? "") ?? [];
  if (from === undefined) return new Response(bytes, { headers: { "content-length": String(bytes.length) } });
  const part = bytes.subarray(Number(from), to === "" ? bytes.length : Number(to) + 1);
  return new Response(part, {
    status: 206,
    headers: {
      "content-length": String(part.length),
      "content-range": `bytes ${from}-${Number(from) + part.length - 1}/${bytes.length}`,
    },
  });
}
