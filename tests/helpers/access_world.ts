import { type Context, Hono } from "hono";
import { Access } from "../../web/access/access.ts";
import type { AccessEnv } from "../../web/access/visit.ts";
import type { Web } from "../../web/shared/web.ts";
import { FakeClock } from "./fake_clock.ts";
import { fixedEnvironment, recordedLog } from "./test_context.ts";

/** Options of a test of access. */
export interface AccessChoice {
  readonly kv?: Deno.Kv;
  readonly clock?: FakeClock;
  readonly env?: Readonly<Record<string, string>>;
  readonly isLoopback?: boolean;
  readonly isDeploy?: boolean;
  /** More routes, after the guard. */
  readonly routes?: (app: Hono<AccessEnv>, access: Access, web: Web) => void;
}

/** The password of tests. It comes from the environment, which needs no scrypt and no time. */
export const PASSWORD = "correct horse battery";
export const WITH_PASSWORD = { MODEL_SYNC_DASHBOARD_PASSWORD: PASSWORD };

/** An app behind the guard that answers every address with the facts of the guard, on a database in memory. */
export interface AccessWorld extends AsyncDisposable {
  readonly web: Web;
  readonly clock: FakeClock;
  readonly access: Access;
  /** The lines of the log. */
  readonly logged: readonly string[];
  /** Sends a request to `http://localhost:8080`, or to `path` if it is an address. */
  readonly send: (path: string, init?: RequestInit, from?: string) => Promise<Response>;
  /** Sends a form as from the dashboard's own page. */
  readonly post: (
    path: string,
    fields: Readonly<Record<string, string>>,
    headers?: Readonly<Record<string, string>>,
  ) => Promise<Response>;
}

export async function accessWorld(choice: AccessChoice = {}): Promise<AccessWorld> {
  const kv = choice.kv ?? await Deno.openKv(":memory:");
  const clock = choice.clock ?? new FakeClock("2026-11-29T12:00:00Z");
  const log = recordedLog();
  const web: Web = { kv, clock, log };
  const access = new Access(web, {
    env: fixedEnvironment(choice.env ?? {}),
    isLoopback: choice.isLoopback ?? true,
    isDeploy: choice.isDeploy ?? false,
  });
  const app = new Hono<AccessEnv>();
  app.use("*", access.guard);
  choice.routes?.(app, access, web);
  app.all("*", report);
  const send = async (path: string, init?: RequestInit, from = "192.0.2.7") => {
    const request = new Request(new URL(path, "http://localhost:8080"), init);
    return await app.fetch(request, { remoteAddr: { transport: "tcp", hostname: from, port: 40_000 } });
  };
  return {
    web,
    clock,
    access,
    logged: log.lines,
    send,
    post: (path, fields, headers = {}) =>
      send(path, {
        method: "POST",
        body: new URLSearchParams(fields),
        headers: { origin: "http://localhost:8080", "sec-fetch-site": "same-origin", ...headers },
      }),
    [Symbol.asyncDispose]: () => {
      // The caller closes a database that it opened.
      if (choice.kv === undefined) kv.close();
      return Promise.resolve();
    },
  };
}

/** Answers with the viewer, the visit and the body of an admitted request. */
async function report(c: Context<AccessEnv>): Promise<Response> {
  return c.json({
    viewer: c.get("viewer"),
    visit: c.get("visit"),
    token: c.get("nodeToken")?.name,
    signedIn: c.get("signedIn"),
    body: c.req.method === "POST" ? await c.req.text() : "",
  });
}

/** Signs in to an app on HTTP. @returns the cookie as a browser sends it back */
export async function signedIn({ access }: AccessWorld): Promise<string> {
  const header = await access.sessionCookie({
    host: "localhost:8080",
    hostname: "localhost",
    isHttps: false,
    address: "192.0.2.7",
  });
  return header.split(";")[0] ?? "";
}

/** Returns the cookie that an answer sets, as a browser sends it back. */
export function cookieOf(response: Response): string {
  const [cookie] = response.headers.getSetCookie();
  return (cookie ?? "").split(";")[0] ?? "";
}
