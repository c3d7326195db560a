import { createHash } from "node:crypto";
import { listCommits, resolveFile } from "./hub_answers.ts";
import { type HubFault, HubFaults } from "./hub_faults.ts";
import { Batch, CommitLine, Completed, Created, failure, Preupload } from "./hub_messages.ts";
import {
  ATTRIBUTES,
  type Commit,
  type Entry,
  find,
  keepsInLfs,
  lfsEntry,
  listedFiles,
  regular,
  type Repo,
} from "./hub_repo.ts";
import { HubStorage } from "./hub_storage.ts";

export interface HubRequest {
  readonly server: "hub" | "storage";
  readonly method: string;
  readonly path: string;
  readonly status: number;
  readonly headers: Headers;
}

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
  /** LFS objects of at least this size are uploaded in parts of this size. */
  partBytes = Infinity;
  readonly requests: HubRequest[] = [];
  readonly repos = new Map<string, Repo>();
  readonly storage: HubStorage;
  readonly #hub: Deno.HttpServer<Deno.NetAddr>;
  readonly #storageServer: Deno.HttpServer<Deno.NetAddr>;
  readonly #faults = new HubFaults();
  #serial = 0;

  /** @param dir an existing folder for LFS objects */
  constructor(dir: string) {
    const options = { hostname: "127.0.0.1", port: 0, onListen: () => {} };
    this.#hub = Deno.serve(options, (request) => this.#serve("hub", request));
    this.#storageServer = Deno.serve(options, (request) => this.#serve("storage", request));
    this.storage = new HubStorage(dir, `http://127.0.0.1:${this.#storageServer.addr.port}`);
  }

  get endpoint(): string {
    return `http://127.0.0.1:${this.#hub.addr.port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.#hub.shutdown(), this.#storageServer.shutdown()]);
  }

  /** Adds faults for the next requests whose `METHOD /path` matches, in order. */
  fail(on: RegExp, ...faults: HubFault[]): void {
    this.#faults.add(on, faults);
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
      const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
      if (bytes === undefined) tree.delete(path);
      else tree.set(path, this.#store(path, bytes));
    }
    return this.#addCommit(repo, branch, "by hand", tree);
  }

  /** Adds a commit with a file on this disk, for files that are too large for memory. */
  commitLarge(id: string, path: string, file: string, sha256: string, branch = "main"): Commit {
    const repo = this.repos.get(id) ?? this.createRepo(id);
    this.storage.link(sha256, file);
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
          ? this.storage.text(entry.sha256 ?? "")
          : new TextDecoder().decode(entry.content),
      ]),
    );
  }

  async #serve(server: "hub" | "storage", request: Request): Promise<Response> {
    const { pathname } = new URL(request.url);
    const path = decodeURIComponent(pathname);
    const response = await this.#faults.answer(
      `${request.method} ${path}`,
      () => server === "hub" ? this.#answerHub(request) : this.storage.answer(request),
    );
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
        return resolveFile(this.storage, repo, names[0] ?? "", names.slice(1).join("/"));
      case "preupload":
        return await this.#preupload(request);
      case "info":
        return await this.#batch(request, id);
      case "complete":
        return await this.#complete(request);
      case "branch":
        return this.#createBranch(repo, names[0] ?? "");
      case "commits":
        return listCommits(url, repo, names[0] ?? "");
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
    const all = listedFiles(commit, below);
    const start = Number(url.searchParams.get("cursor") ?? 0);
    const next = new URL(`${url.pathname}${url.search}`, this.linkRoot ?? url);
    next.searchParams.set("cursor", String(start + this.pageSize));
    const link: Record<string, string> = start + this.pageSize < all.length
      ? { link: `<${next}>; rel="next"` }
      : {};
    return Response.json(all.slice(start, start + this.pageSize), { headers: link });
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
      if (this.storage.has(oid)) return { oid, size };
      if (size < this.partBytes) return { oid, size, actions: { upload: { href: this.storage.sign(oid) } } };
      const header: Record<string, string> = { chunk_size: String(this.partBytes) };
      const urls = this.storage.signParts(oid, Math.ceil(size / this.partBytes));
      for (const [index, url] of urls.entries()) header[String(index + 1).padStart(5, "0")] = url;
      return { oid, size, actions: { upload: { href: `${this.endpoint}/${id}/complete/${oid}`, header } } };
    });
    return Response.json({ transfer: "basic", objects: answer }, {
      headers: { "content-type": "application/vnd.git-lfs+json" },
    });
  }

  async #complete(request: Request): Promise<Response> {
    const { oid, parts } = Completed.parse(await request.json());
    return await this.storage.joinParts(oid, parts) ? Response.json({}) : failure(400, undefined);
  }

  async #receiveCommit(request: Request, url: URL, repo: Repo, branch: string): Promise<Response> {
    const lines = (await request.text()).split("\n").map((line) => CommitLine.parse(JSON.parse(line)));
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
        if (!this.storage.has(value.oid)) return failure(400, undefined, "LFS object is missing");
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

  #store(path: string, content: Uint8Array<ArrayBuffer>): Entry {
    if (!keepsInLfs(path, content.length, content.subarray(0, 512))) return regular(content);
    const sha256 = createHash("sha256").update(content).digest("hex");
    this.storage.write(sha256, content);
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
