import { createHash } from "node:crypto";
import { join } from "node:path";
import * as z from "zod";
import { cutBody, exists, type Line, sendFile } from "./hub_bodies.ts";
import {
  ATTRIBUTES,
  type Commit,
  type Entry,
  find,
  keepsInLfs,
  lfsEntry,
  regular,
  type Repo,
} from "./hub_repo.ts";

/** A fault of an answer. */
export type HubFault =
  /** Answers with this response. */
  | { readonly kind: "answer"; readonly make: () => Response | Promise<Response> }
  /** Runs something first, then answers correctly. */
  | { readonly kind: "first"; readonly act: () => void | Promise<void> }
  /** The request takes effect, but its answer is lost. */
  | { readonly kind: "lost" }
  /** The correct headers and this many bytes of the body; then the connection ends, once `hang` resolves. */
  | { readonly kind: "cut"; readonly afterBytes: number; readonly hang?: () => Promise<void> }
  /** The correct headers with the same number of wrong bytes. */
  | { readonly kind: "corrupt" };

export interface HubRequest {
  readonly server: "hub" | "storage";
  readonly method: string;
  readonly path: string;
  readonly status: number;
  readonly headers: Headers;
}

const Preupload = z.object({
  files: z.array(z.object({ path: z.string(), size: z.number(), sample: z.string() })).max(100),
});
const Batch = z.object({
  operation: z.literal("upload"),
  transfers: z.array(z.string()),
  hash_algo: z.literal("sha_256"),
  objects: z.array(z.object({ oid: z.string().regex(/^[0-9a-f]{64}$/), size: z.number().positive() })).max(
    100,
  ),
});
const Line = z.discriminatedUnion("key", [
  z.object({
    key: z.literal("header"),
    value: z.object({ summary: z.string(), parentCommit: z.string().optional() }),
  }),
  z.object({
    key: z.literal("file"),
    value: z.object({ path: z.string(), content: z.string(), encoding: z.literal("base64") }),
  }),
  z.object({
    key: z.literal("lfsFile"),
    value: z.object({ path: z.string(), algo: z.literal("sha256"), oid: z.string(), size: z.number() }),
  }),
  z.object({ key: z.literal("deletedFile"), value: z.object({ path: z.string() }) }),
]);
const Created = z.object({
  type: z.literal("model"),
  name: z.string(),
  organization: z.string(),
  visibility: z.enum(["public", "private"]).optional(),
});
const Completed = z.object({
  oid: z.string(),
  parts: z.array(z.object({ partNumber: z.number(), etag: z.string().min(1) })),
});

/**
 * A hub and its storage, on two loopback origins, as in the hub's API description and its clients' sources:
 * repositories of commits, LFS with basic and multipart uploads, redirects to signed addresses, error codes.
 */
export class HubServer implements AsyncDisposable {
  /** The token for writing and for private repositories. */
  token = "hf_test";
  /** The number of entries on a page of a file list. */
  pageSize = 1000;
  /** The root of links to next pages, if it differs from the request's: a mirror passes on its origin's. */
  linkRoot: string | undefined;
  /** Whether answers about revisions have an ETag. */
  hasEtags = true;
  /** The root of signed addresses, if storage is reached through another server. */
  storageRoot: string | undefined;
  /** LFS objects of at least this size are uploaded in parts of this size. */
  partBytes = Infinity;
  /** The line from the storage to all clients together. Default: as fast as this machine. */
  line: Line | undefined;
  readonly requests: HubRequest[] = [];
  readonly repos = new Map<string, Repo>();
  readonly #dir: string;
  readonly #hub: Deno.HttpServer<Deno.NetAddr>;
  readonly #storage: Deno.HttpServer<Deno.NetAddr>;
  readonly #faults: { readonly on: RegExp; readonly fault: HubFault }[] = [];
  /** The valid signed addresses. */
  readonly #signed = new Map<string, string>();
  readonly #parts = new Map<string, Map<number, string>>();
  #serial = 0;

  /** @param dir an existing folder for LFS objects */
  constructor(dir: string) {
    this.#dir = dir;
    const options = { hostname: "127.0.0.1", port: 0, onListen: () => {} };
    this.#hub = Deno.serve(options, (request) => this.#serve("hub", request));
    this.#storage = Deno.serve(options, (request) => this.#serve("storage", request));
  }

  get endpoint(): string {
    return `http://127.0.0.1:${this.#hub.addr.port}`;
  }

  get storageOrigin(): string {
    return `http://127.0.0.1:${this.#storage.addr.port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.#hub.shutdown(), this.#storage.shutdown()]);
  }

  /** Adds faults for the next requests whose `METHOD /path` matches, in order. */
  fail(on: RegExp, ...faults: HubFault[]): void {
    for (const fault of faults) this.#faults.push({ on, fault });
  }

  /** Invalidates all signed addresses. */
  expireSigned(): void {
    this.#signed.clear();
  }

  /** Creates a repository with one commit, as the hub does. */
  createRepo(id: string, isPrivate = false): Repo {
    const repo: Repo = {
      isPrivate,
      isGated: false,
      commits: new Map(),
      branches: new Map(),
      pullRequests: [],
    };
    this.repos.set(id, repo);
    const attributes = new TextEncoder().encode(ATTRIBUTES);
    this.#addCommit(repo, "main", "initial commit", new Map([[".gitattributes", regular(attributes)]]));
    return repo;
  }

  /** Adds a commit by another user, with changed and removed (`undefined`) files. */
  commit(
    id: string,
    files: Readonly<Record<string, string | Uint8Array<ArrayBuffer> | undefined>>,
    branch = "main",
  ) {
    const repo = this.repos.get(id) ?? this.createRepo(id);
    const tree = new Map(this.head(id, branch).tree);
    for (const [path, content] of Object.entries(files)) {
      if (content === undefined) tree.delete(path);
      else {tree.set(
          path,
          this.#store(path, typeof content === "string" ? new TextEncoder().encode(content) : content),
        );}
    }
    return this.#addCommit(repo, branch, "by hand", tree);
  }

  /** Adds a commit with a file on this disk, for files that are too large for memory. */
  commitLarge(id: string, path: string, file: string, sha256: string, branch = "main"): Commit {
    const repo = this.repos.get(id) ?? this.createRepo(id);
    Deno.symlinkSync(file, join(this.#dir, sha256));
    const tree = new Map(this.head(id, branch).tree);
    tree.set(path, lfsEntry(sha256, Deno.statSync(file).size));
    return this.#addCommit(repo, branch, "by hand", tree);
  }

  head(id: string, branch = "main"): Commit {
    const repo = this.repos.get(id);
    const commit = repo?.commits.get(repo.branches.get(branch) ?? "");
    if (commit === undefined) throw new Error(`no branch ${branch} in ${id}`);
    return commit;
  }

  /** Returns a branch's files without the hub's own `.gitattributes`. */
  files(id: string, branch = "main"): Record<string, string> {
    const entries = [...this.head(id, branch).tree].filter(([path]) => path !== ".gitattributes");
    return Object.fromEntries(
      entries.sort(([a], [b]) => a < b ? -1 : 1).map(([path, entry]) => [
        path,
        entry.content === undefined
          ? Deno.readTextFileSync(join(this.#dir, entry.sha256 ?? ""))
          : new TextDecoder().decode(entry.content),
      ]),
    );
  }

  /** Replaces an LFS object's bytes in the storage, without changing its name. */
  corruptObject(sha256: string, content: string): void {
    Deno.writeTextFileSync(join(this.#dir, sha256), content);
  }

  async #serve(server: "hub" | "storage", request: Request): Promise<Response> {
    const { pathname } = new URL(request.url);
    const path = decodeURIComponent(pathname);
    const line = `${request.method} ${path}`;
    const index = this.#faults.findIndex(({ on }) => on.test(line));
    const fault = index === -1 ? undefined : this.#faults.splice(index, 1)[0]?.fault;
    const response = await this.#withFault(fault, request, server);
    this.requests.push({
      server,
      method: request.method,
      path,
      status: response.status,
      headers: request.headers,
    });
    // An unread body would block the next request on the connection.
    if (!request.bodyUsed) await request.body?.cancel();
    return response;
  }

  async #withFault(
    fault: HubFault | undefined,
    request: Request,
    server: "hub" | "storage",
  ): Promise<Response> {
    if (fault?.kind === "answer") return await fault.make();
    if (fault?.kind === "first") await fault.act();
    const response = server === "hub" ? await this.#answerHub(request) : await this.#answerStorage(request);
    if (fault?.kind === "lost") {
      await response.body?.cancel();
      return new Response(cutBody(null, 0), { headers: { "content-length": "100" } });
    }
    if (fault?.kind === "cut") {
      const headers = new Headers(response.headers);
      if (!headers.has("content-length")) headers.set("content-length", "1000000");
      // A compressed answer that is cut would look complete.
      headers.set("cache-control", "no-transform");
      return new Response(cutBody(response.body, fault.afterBytes, fault.hang), {
        status: response.status,
        headers,
      });
    }
    if (fault?.kind === "corrupt") {
      const bytes = new Uint8Array(await response.arrayBuffer());
      bytes.forEach((byte, index) => bytes[index] = byte ^ 1);
      return new Response(bytes, response);
    }
    return response;
  }

  async #answerHub(request: Request): Promise<Response> {
    const url = new URL(request.url);
    const path = url.pathname;
    if (path === "/api/repos/create") return await this.#createRepo(request);
    const [, id = "", verb = "", rest = ""] =
      /^\/api\/models\/([^/]+\/[^/]+)\/(\w+)(?:\/(.*))?$/.exec(path) ??
        /^\/([^/]+\/[^/]+)\/(resolve)\/(.*)$/.exec(path) ??
        /^\/([^/]+\/[^/]+)\.git\/(info)\/(.*)$/.exec(path) ??
        /^\/(\w+\/\w+)\/(complete)\/(.*)$/.exec(path) ?? [];
    const repo = this.repos.get(id);
    const refusal = this.#refusal(request, repo);
    if (refusal !== undefined || repo === undefined) return refusal ?? failure(404, "RepoNotFound");
    const names = rest.split("/").map(decodeURIComponent);
    switch (verb) {
      case "revision":
        return this.#revision(request, id, repo, names[0] ?? "");
      case "tree":
        return this.#tree(url, repo, names[0] ?? "", names.slice(1).join("/"));
      case "resolve":
        return this.#resolve(repo, names[0] ?? "", names.slice(1).join("/"));
      case "preupload":
        return await this.#preupload(request);
      case "info":
        return await this.#batch(request, id);
      case "complete":
        return await this.#complete(request);
      case "branch":
        return this.#createBranch(repo, names[0] ?? "");
      case "commits":
        return this.#commits(url, repo, names[0] ?? "");
      case "commit":
        return await this.#receiveCommit(request, url, repo, names[0] ?? "");
      default:
        return failure(404, "EntryNotFound");
    }
  }

  #refusal(request: Request, repo: Repo | undefined): Response | undefined {
    const shown = request.headers.get("authorization");
    if (shown !== null && shown !== `Bearer ${this.token}`) {
      return failure(401, undefined, "Invalid credentials in Authorization header");
    }
    const isKnown = shown !== null;
    if (repo === undefined || (repo.isPrivate && !isKnown)) {
      return failure(isKnown ? 404 : 401, "RepoNotFound");
    }
    if (repo.isGated) return failure(403, "GatedRepo", "Access to this model is restricted.");
    const writes = request.method !== "GET" && request.method !== "HEAD";
    return writes && !isKnown ? failure(401, undefined, "Invalid username or password.") : undefined;
  }

  async #createRepo(request: Request): Promise<Response> {
    if (request.headers.get("authorization") !== `Bearer ${this.token}`) return failure(401, undefined);
    const { name, organization, visibility } = Created.parse(await request.json());
    const id = `${organization}/${name}`;
    if (this.repos.has(id)) {
      return Response.json({ error: "You already created this model repo" }, { status: 409 });
    }
    this.createRepo(id, visibility === "private");
    return Response.json({ url: `${this.endpoint}/${id}`, id, name: id });
  }

  #commits(url: URL, repo: Repo, revision: string): Response {
    const listed: { id: string; title: string; authors: { user: string }[] }[] = [];
    for (let commit = find(repo, revision); commit !== undefined; commit = find(repo, commit.parent ?? "")) {
      listed.push({ id: commit.id, title: commit.message, authors: [{ user: "ada" }] });
    }
    return Response.json(listed.slice(0, Number(url.searchParams.get("limit") ?? 50)));
  }

  #createBranch(repo: Repo, name: string): Response {
    if (repo.branches.has(name)) return Response.json({ error: "Reference already exists" }, { status: 409 });
    repo.branches.set(name, repo.branches.get("main") ?? "");
    return new Response(null, { status: 200 });
  }

  #revision(request: Request, id: string, repo: Repo, name: string): Response {
    const commit = find(repo, name);
    if (commit === undefined) return failure(404, "RevisionNotFound");
    const body = JSON.stringify({ _id: "1", id, sha: commit.id });
    const etag = `W/"${createHash("sha1").update(body).digest("base64")}"`;
    const headers = { "content-type": "application/json", ...(this.hasEtags ? { etag } : {}) };
    if (this.hasEtags && request.headers.get("if-none-match") === etag) {
      return new Response(null, { status: 304, headers });
    }
    return new Response(body, { headers });
  }

  #tree(url: URL, repo: Repo, revision: string, below: string): Response {
    const commit = find(repo, revision);
    if (commit === undefined) return failure(404, "RevisionNotFound");
    if (url.searchParams.get("recursive") !== "true") return failure(400, undefined);
    const folders = new Set<string>();
    const files = [...commit.tree].filter(([path]) => below === "" || path.startsWith(`${below}/`));
    for (const [path] of files) {
      for (let end = path.indexOf("/"); end !== -1; end = path.indexOf("/", end + 1)) {
        folders.add(path.slice(0, end));
      }
    }
    const all = [
      ...[...folders].map((path) => ({ type: "directory", oid: "0".repeat(40), size: 0, path })),
      ...files.map(([path, { size, blob, sha256 }]) => ({
        type: "file",
        oid: blob,
        size,
        path,
        ...(sha256 === undefined
          ? {}
          : { lfs: { oid: sha256, size, pointerSize: 130 }, xetHash: "f".repeat(64) }),
      })),
    ];
    const start = Number(url.searchParams.get("cursor") ?? 0);
    const next = new URL(`${url.pathname}${url.search}`, this.linkRoot ?? url);
    next.searchParams.set("cursor", String(start + this.pageSize));
    const link: Record<string, string> = start + this.pageSize < all.length
      ? { link: `<${next}>; rel="next"` }
      : {};
    return Response.json(all.slice(start, start + this.pageSize), { headers: link });
  }

  #resolve(repo: Repo, revision: string, path: string): Response {
    const commit = find(repo, revision);
    if (commit === undefined) return failure(404, "RevisionNotFound");
    const entry = commit.tree.get(path);
    if (entry === undefined) return failure(404, "EntryNotFound", "Entry not found");
    const headers = new Headers({ "x-repo-commit": commit.id, "access-control-allow-origin": "*" });
    if (entry.content !== undefined) {
      headers.set("etag", `"${entry.blob}"`);
      headers.set("content-type", "text/plain; charset=utf-8");
      headers.set("content-length", String(entry.size));
      return new Response(entry.content, { headers });
    }
    headers.set("x-linked-etag", `"${entry.sha256}"`);
    headers.set("x-linked-size", String(entry.size));
    headers.set("location", this.#sign(entry.sha256 ?? ""));
    return new Response(null, { status: 302, headers });
  }

  #sign(what: string): string {
    const signature = `s${++this.#serial}`;
    this.#signed.set(signature, what);
    return `${this.storageRoot ?? this.storageOrigin}/${what}?X-Amz-Signature=${signature}`;
  }

  async #preupload(request: Request): Promise<Response> {
    const { files } = Preupload.parse(await request.json());
    return Response.json({
      files: files.map(({ path, size, sample }) => ({
        path,
        uploadMode: keepsInLfs(path, size, Uint8Array.fromBase64(sample)) ? "lfs" : "regular",
        shouldIgnore: false,
      })),
    });
  }

  async #batch(request: Request, id: string): Promise<Response> {
    const { objects } = Batch.parse(await request.json());
    const answer = objects.map(({ oid, size }) => {
      if (exists(join(this.#dir, oid))) return { oid, size };
      if (size < this.partBytes) return { oid, size, actions: { upload: { href: this.#sign(oid) } } };
      const header: Record<string, string> = { chunk_size: String(this.partBytes) };
      const count = Math.ceil(size / this.partBytes);
      this.#parts.set(oid, new Map());
      for (let part = 1; part <= count; part++) {
        header[String(part).padStart(5, "0")] = this.#sign(`${oid}.${part}`);
      }
      return { oid, size, actions: { upload: { href: `${this.endpoint}/${id}/complete/${oid}`, header } } };
    });
    return Response.json({ transfer: "basic", objects: answer }, {
      headers: { "content-type": "application/vnd.git-lfs+json" },
    });
  }

  async #complete(request: Request): Promise<Response> {
    const { oid, parts } = Completed.parse(await request.json());
    const known = this.#parts.get(oid) ?? new Map();
    if (parts.length !== known.size || parts.some((part) => known.get(part.partNumber) !== part.etag)) {
      return failure(400, undefined);
    }
    const whole = await Deno.open(join(this.#dir, oid), { write: true, create: true });
    try {
      for (const { partNumber } of parts) {
        using part = await Deno.open(join(this.#dir, `${oid}.${partNumber}`));
        await part.readable.pipeTo(whole.writable, { preventClose: true });
      }
    } finally {
      whole.close();
    }
    return Response.json({});
  }

  async #receiveCommit(request: Request, url: URL, repo: Repo, branch: string): Promise<Response> {
    const lines = (await request.text()).split("\n").map((line) => Line.parse(JSON.parse(line)));
    const [header, ...operations] = lines;
    const head = repo.branches.get(branch);
    if (header?.key !== "header" || head === undefined) return failure(404, "RevisionNotFound");
    const { parentCommit, summary } = header.value;
    if (parentCommit !== undefined && parentCommit !== head) {
      return Response.json({ error: "A commit has happened since. Please refresh and try again." }, {
        status: 412,
      });
    }
    const tree = new Map(repo.commits.get(head)?.tree);
    for (const { key, value } of operations) {
      if (key === "deletedFile" && !tree.delete(value.path)) return failure(400, undefined);
      if (key === "file") tree.set(value.path, regular(Uint8Array.fromBase64(value.content)));
      if (key === "lfsFile") {
        if (!exists(join(this.#dir, value.oid))) return failure(400, undefined, "LFS object is missing");
        tree.set(value.path, lfsEntry(value.oid, value.size));
      }
    }
    const isPullRequest = url.searchParams.get("create_pr") === "1";
    const target = isPullRequest ? `refs/pr/${repo.pullRequests.length + 1}` : branch;
    const commit = this.#addCommit(repo, target, summary, tree, head);
    if (isPullRequest) repo.pullRequests.push(target);
    return Response.json({
      success: true,
      commitOid: commit.id,
      commitUrl: `${this.endpoint}/commit/${commit.id}`,
      hookOutput: "",
      ...(isPullRequest
        ? { pullRequestUrl: `${this.endpoint}/discussions/${repo.pullRequests.length}` }
        : {}),
    });
  }

  async #answerStorage(request: Request): Promise<Response> {
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

  #store(path: string, content: Uint8Array<ArrayBuffer>): Entry {
    if (!keepsInLfs(path, content.length, content.subarray(0, 512))) return regular(content);
    const sha256 = createHash("sha256").update(content).digest("hex");
    Deno.writeFileSync(join(this.#dir, sha256), content);
    return lfsEntry(sha256, content.length);
  }

  #addCommit(
    repo: Repo,
    branch: string,
    message: string,
    tree: ReadonlyMap<string, Entry>,
    parent = repo.branches.get(branch),
  ): Commit {
    const id = createHash("sha1").update(`${++this.#serial} ${message}`).digest("hex");
    const commit = { id, parent, message, tree };
    repo.commits.set(id, commit);
    repo.branches.set(branch, id);
    return commit;
  }
}

function failure(status: number, code: string | undefined, message = code ?? "refused"): Response {
  const headers = { "x-error-message": message, ...(code === undefined ? {} : { "x-error-code": code }) };
  return Response.json({ error: message }, { status, headers });
}
