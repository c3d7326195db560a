import { createToken } from "../../web/access/tokens.ts";
import type { Alerting } from "../../web/incidents/alerting.ts";
import type { App, Dashboard } from "../../web/routes/dashboard.ts";
import { openDashboard } from "../../web/open_dashboard.ts";
import { ingest } from "../../web/store/ingest.ts";
import { BATCH_CONTENT_TYPE } from "../../lib/wire/event_names.ts";
import type { ReportEvent } from "../../lib/wire/schema.ts";
import { FakeClock } from "./fake_clock.ts";
import { fixedEnvironment, type RecordedLog, recordedLog } from "./test_context.ts";

/** Options of a test of the API. */
export interface ApiChoice {
  readonly kv?: Deno.Kv;
  readonly env?: Readonly<Record<string, string>>;
  readonly alerting?: Alerting;
}

/** The dashboard on a database in memory. Without a password, every reader is an operator. */
export class ApiWorld implements AsyncDisposable {
  readonly clock = new FakeClock("2026-11-29T07:00:00Z");
  readonly log: RecordedLog = recordedLog();
  readonly dashboard: Dashboard;
  readonly app: App;
  readonly #ownsKv: boolean;

  constructor(kv: Deno.Kv, { env = {}, kv: given, alerting }: ApiChoice) {
    const web = { kv, clock: this.clock, log: this.log };
    const setup = { env: fixedEnvironment(env), isLoopback: true, isDeploy: false };
    const { app, dashboard } = openDashboard(web, setup, () => Promise.resolve(alerting));
    [this.app, this.dashboard, this.#ownsKv] = [app, dashboard, given === undefined];
  }

  get kv(): Deno.Kv {
    return this.dashboard.kv;
  }

  /** Sends a request to `http://localhost:8080`. */
  async send(path: string, init?: RequestInit): Promise<Response> {
    const request = new Request(new URL(path, "http://localhost:8080"), init);
    return await this.app.fetch(request, {
      remoteAddr: { transport: "tcp", hostname: "127.0.0.1", port: 40_000 },
    });
  }

  /** Stores events without a request. */
  async fill(...events: readonly ReportEvent[]): Promise<void> {
    await ingest(this.dashboard, events);
  }

  /** Returns the secret of a new token for a node and its sides. */
  async token(node: string): Promise<string> {
    return (await createToken(this.dashboard, "node", node)).secret;
  }

  /** Posts a batch like a node. */
  async post(
    secret: string,
    body: BodyInit | readonly unknown[],
    headers: Readonly<Record<string, string>> = {},
  ): Promise<Response> {
    return await this.send("/api/v1/events", {
      method: "POST",
      body: isList(body) ? JSON.stringify(body) : body,
      headers: { authorization: `Bearer ${secret}`, "content-type": BATCH_CONTENT_TYPE, ...headers },
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    if (this.#ownsKv) this.kv.close();
    return Promise.resolve();
  }
}

function isList(body: BodyInit | readonly unknown[]): body is readonly unknown[] {
  return Array.isArray(body);
}

/** Opens an {@link ApiWorld}. */
export async function apiWorld(choice: ApiChoice = {}): Promise<ApiWorld> {
  return new ApiWorld(choice.kv ?? await Deno.openKv(":memory:"), choice);
}
