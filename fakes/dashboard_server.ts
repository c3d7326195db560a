import { parseBatch } from "../lib/wire/parse_batch.ts";
import type { ReportEvent } from "../lib/wire/schema.ts";

/** A received request. */
export interface BatchRequest {
  readonly path: string;
  readonly headers: Headers;
  readonly body: string;
  /** The number of its events. */
  readonly count: number;
}

/** A dashboard on loopback that accepts events as the real one does, or answers as a test sets it. */
export class DashboardServer implements AsyncDisposable {
  readonly token = "node-token-1";
  readonly requests: BatchRequest[] = [];
  /** Every accepted event, by source and id, in the order of arrival. */
  readonly events = new Map<string, ReportEvent>();
  /** Events that it rejected. */
  unusable = 0;
  /** Replaces the dashboard's answer with the response it returns. */
  fault: (request: BatchRequest) => Response | Promise<Response> | undefined = () => undefined;
  readonly #waiting: (() => void)[] = [];
  readonly #closing = Promise.withResolvers<Response>();
  readonly #server: Deno.HttpServer<Deno.NetAddr>;

  constructor() {
    this.#server = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen: () => {} },
      (request) => this.#handle(request),
    );
  }

  get origin(): string {
    return `http://127.0.0.1:${this.#server.addr.port}`;
  }

  /** Returns the ids of events of some types, in the order of arrival. */
  ids(...kinds: readonly string[]): string[] {
    return Array.from(this.events.values()).map(({ id }) => id)
      .filter((id) => kinds.length === 0 || kinds.some((kind) => id.includes(`/${kind}`)));
  }

  /** Resolves when a request makes the condition true. */
  async until(isTrue: () => boolean): Promise<void> {
    while (!isTrue()) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  async #handle(request: Request): Promise<Response> {
    const body = await request.text();
    const { pathname } = new URL(request.url);
    const json: unknown = safeJson(body);
    const count = Array.isArray(json) ? json.length : 0;
    const { headers } = request;
    const got: BatchRequest = { path: pathname, headers, body, count };
    this.requests.push(got);
    const answer = await this.fault(got) ?? this.#take(got, json);
    for (const wake of this.#waiting.splice(0)) wake();
    return answer;
  }

  #take({ path, headers }: BatchRequest, json: unknown): Response {
    if (path !== "/api/v1/events") return new Response("no such page", { status: 404 });
    if (headers.get("authorization") !== `Bearer ${this.token}`) return new Response("who?", { status: 401 });
    if (headers.get("content-type") !== "application/cloudevents-batch+json") {
      return new Response("not a batch", { status: 415 });
    }
    const { events, invalid, unknownTypes } = parseBatch(json);
    this.unusable += invalid + unknownTypes;
    for (const event of events) {
      const key = `${event.source} ${event.id}`;
      if (!this.events.has(key)) this.events.set(key, event);
    }
    return Response.json({ taken: events.length });
  }

  /** An answer that does not arrive before the dashboard is closed; `meanwhile` lets time pass. */
  hang(meanwhile: () => void): Promise<Response> {
    meanwhile();
    return this.#closing.promise;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.resolve(new Response());
    await this.#server.shutdown();
  }
}

function safeJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
