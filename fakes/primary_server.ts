import { CATEGORIES, type Category } from "../lib/config/sections/references.ts";

/**
 * A PRIMARY server on loopback: horde-model-reference's version 1 API for readers, with and without `/api`, as with
 * FastAPI's `root_path`. Faults on demand.
 */
export interface FakePrimary extends AsyncDisposable {
  readonly origin: string;
  /** The JSON text of each category's records. A category without a text, or with an empty one, is not found. */
  readonly records: Map<Category, string>;
  /** Seconds since 1970; `null` before the first change. */
  lastUpdated: number | null;
  /** The reason for having no timestamps of changes. */
  mode: "primary" | "replica" | "v2";
  /** The paths of the API: `""`, `"/api"`. Other paths are missing, or a front page. */
  prefixes: readonly string[];
  elsewhere: "nothing" | "page";
  /** The required `Authorization` header; `undefined` for none. */
  authorization: string | undefined;
  /** Faults of the next answers, in order; `undefined` for a correct answer. */
  readonly faults: (PrimaryFault | undefined)[];
  /** The paths of every request, in order. */
  readonly requests: readonly string[];
  /** Resolves with the next request's path when it arrives, before it is answered. */
  nextRequest(): Promise<string>;
}

export type PrimaryFault =
  /** Answers with this response. */
  | { readonly kind: "answer"; readonly make: () => Response }
  /** No answer while the client waits. */
  | { readonly kind: "hang" }
  /** The correct answer, broken off in the middle. */
  | { readonly kind: "reset" }
  /** The correct answer, delayed until this resolves. */
  | { readonly kind: "slow"; readonly until: Promise<void> };

/** An error in FastAPI's format. */
export function problem(
  status: number,
  detail: string,
  headers: Readonly<Record<string, string>> = {},
): Response {
  return Response.json({ detail }, { status, headers });
}

/** The page of a proxy or a front end. */
export function page(status = 200): Response {
  return new Response("<!doctype html><title>Welcome</title>", {
    status,
    headers: { "content-type": "text/html" },
  });
}

export function startPrimary(): FakePrimary {
  return new PrimaryServer();
}

const V1 = "/model_references/v1";

/** The creation time of each category, for its metadata. */
const INITIALIZATION_TIME = 1_729_860_000;

class PrimaryServer implements FakePrimary {
  readonly records = new Map<Category, string>();
  lastUpdated: number | null = null;
  mode: FakePrimary["mode"] = "primary";
  prefixes: readonly string[] = ["", "/api"];
  elsewhere: FakePrimary["elsewhere"] = "nothing";
  authorization: string | undefined;
  readonly faults: (PrimaryFault | undefined)[] = [];
  readonly requests: string[] = [];
  #arrived = Promise.withResolvers<string>();
  readonly #closing = Promise.withResolvers<void>();
  readonly #server: Deno.HttpServer<Deno.NetAddr>;

  constructor() {
    this.#server = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen: () => {} },
      async (request) => {
        const response = await this.#receive(request);
        // Otherwise a pooled connection would hide that the server is closed.
        response.headers.set("connection", "close");
        return response;
      },
    );
  }

  get origin(): string {
    return `http://127.0.0.1:${this.#server.addr.port}`;
  }

  nextRequest(): Promise<string> {
    return this.#arrived.promise;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.resolve();
    await this.#server.shutdown();
  }

  async #receive(request: Request): Promise<Response> {
    const { pathname, search } = new URL(request.url);
    this.requests.push(pathname + search);
    this.#arrived.resolve(pathname);
    this.#arrived = Promise.withResolvers();
    const fault = this.faults.shift();
    if (fault?.kind === "answer") return fault.make();
    if (fault?.kind === "hang") await this.#closing.promise;
    if (fault?.kind === "slow") await fault.until;
    const answer = this.#answer(request, pathname);
    return fault?.kind === "reset" ? brokenOff(await answer.text()) : answer;
  }

  #answer(request: Request, pathname: string): Response {
    if (this.authorization !== undefined && request.headers.get("authorization") !== this.authorization) {
      return problem(401, "Not authenticated");
    }
    const prefix = this.prefixes.find((prefix) =>
      pathname.startsWith(`${prefix}/`) && isRoute(pathname, prefix)
    );
    if (prefix === undefined) return this.elsewhere === "page" ? page() : problem(404, "Not Found");
    if (request.method !== "GET") return problem(405, "Method Not Allowed");
    const path = pathname.slice(prefix.length);
    if (path === "/heartbeat") return Response.json({ status: "ok" });
    if (path === "/replicate_mode") return Response.json(this.#replicateMode());
    const [first = "", ...rest] = path.slice(V1.length + 1).split("/");
    if (first === "metadata") return this.#metadata(rest);
    if (rest.length > 0) return problem(404, "Not Found");
    if (first === "info") return Response.json({ message: "The legacy model reference API." });
    if (first === "model_categories") return Response.json(CATEGORIES);
    return this.#records(first);
  }

  #replicateMode(): unknown {
    const isPrimary = this.mode !== "replica";
    return {
      replicate_mode: isPrimary ? "PRIMARY" : "REPLICA",
      canonical_format: this.mode === "v2" ? "v2" : "legacy",
      writable: isPrimary,
    };
  }

  #records(name: string): Response {
    const bare = name === "db.json" ? "text_generation" : name.replace(/\.json$/, "");
    const category = findCategory(bare === "stable_diffusion" ? "image_generation" : bare);
    if (category === undefined) {
      return problem(
        422,
        `Invalid model category: '${bare}'. '${bare}' is not a valid MODEL_REFERENCE_CATEGORY`,
      );
    }
    if (category === "lora" || category === "ti") return json("{}");
    const text = this.records.get(category) ?? "";
    if (["", "{}", "null"].includes(text.trim())) {
      return problem(404, `Model category '${category}' not found or is empty`);
    }
    return json(text);
  }

  #metadata([first = "", second, ...rest]: readonly string[]): Response {
    if (this.mode === "replica") return problem(503, "Metadata tracking is not supported in REPLICA mode");
    if (first === "last_updated" && second === undefined) {
      if (this.mode === "v2") {
        return problem(
          503,
          "This endpoint is only available when canonical_format='LEGACY'. Current setting: canonical_format='v2'",
        );
      }
      return Response.json({ last_updated: this.lastUpdated });
    }
    const changed = this.lastUpdated;
    if (first === "metadata" && second === undefined) {
      const entries = changed === null
        ? []
        : [...this.records.keys()].map((name) => [name, metadataOf(name, changed)]);
      return Response.json(Object.fromEntries(entries));
    }
    if (rest.length > 0 || (second !== undefined && second !== "last_updated")) {
      return problem(404, "Not Found");
    }
    const category = findCategory(first);
    if (category === undefined) return problem(422, `Invalid model category: '${first}'`);
    if (changed === null || !this.records.has(category)) {
      return problem(404, `No legacy metadata found for category ${category}`);
    }
    return Response.json(
      second === undefined ? metadataOf(category, changed) : { category, last_updated: changed },
    );
  }
}

function isRoute(pathname: string, prefix: string): boolean {
  const path = pathname.slice(prefix.length);
  return path.startsWith(`${V1}/`) || path === "/heartbeat" || path === "/replicate_mode";
}

function findCategory(name: string): Category | undefined {
  return CATEGORIES.find((category) => category === name);
}

function metadataOf(category: Category, lastUpdated: number): unknown {
  return {
    category,
    last_updated: lastUpdated,
    last_operation_type: "update",
    last_operation_model: null,
    total_creates: 0,
    total_updates: 1,
    total_deletes: 0,
    total_models: 1,
    initialization_time: INITIALIZATION_TIME,
    last_successful_operation: lastUpdated,
    error_count: 0,
    metadata_schema_version: "1.0.0",
    backend_type: "FileSystemBackend",
  };
}

/** Returns the stored text, byte for byte. */
function json(text: string): Response {
  return new Response(text, { headers: { "content-type": "application/json" } });
}

/** Returns an answer with fewer bytes than announced. */
function brokenOff(text: string): Response {
  const half = new TextEncoder().encode(text.slice(0, text.length / 2));
  let isBegun = false;
  const body = new ReadableStream({
    pull(controller) {
      if (isBegun) return controller.error(new Error("broken off, as asked"));
      isBegun = true;
      controller.enqueue(half);
    },
  }, { highWaterMark: 0 });
  return new Response(body, {
    headers: { "content-type": "application/json", "content-length": String(half.length * 2 + 1) },
  });
}
