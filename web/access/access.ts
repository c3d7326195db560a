import type { Context, MiddlewareHandler } from "hono";
import { messageAndHint } from "../../lib/core/errors.ts";
import { ensureSessionKey, replaceSessionKey } from "../store/session_key.ts";
import { readSettingsAndKey } from "../store/settings_row.ts";
import { addresses } from "../shared/addresses.ts";
import type { Viewer, Web } from "../shared/web.ts";
import { type Area, areaOf, isForPrograms, methodsOf } from "./areas.ts";
import { cookieValues, setCookie } from "./cookies.ts";
import { crossSiteFault } from "./cross_site.ts";
import { type Denial, denialJson, denialText, REFUSALS } from "./refusals.ts";
import { nextPage } from "./next_page.ts";
import { passwordOfEnvironment, passwordOfSettings, type PasswordSource } from "./password_source.ts";
import { EVENTS_BYTES_MAX, FORM_BYTES_MAX, formFields, readBody } from "./read_body.ts";
import { isLoopbackName } from "./request_host.ts";
import { withSecurityHeaders } from "./security_headers.ts";
import {
  newSession,
  openSession,
  renewedSession,
  sealSession,
  type Session,
  sessionLeftMs,
} from "./session.ts";
import { presentedToken } from "./tokens.ts";
import { type AccessEnv, type AccessSetup, type Visit, visitOf } from "./visit.ts";

type Asked = Context<AccessEnv>;

/** The access rules in the database, as of this request. */
interface Rules {
  readonly source: PasswordSource;
  readonly isPublic: boolean;
  readonly key: Uint8Array | undefined;
}

/** Decides what each request may see and do. */
export class Access {
  readonly #web: Web;
  readonly #setup: AccessSetup;
  readonly #ofEnvironment: PasswordSource | undefined;

  constructor(web: Web, setup: AccessSetup) {
    this.#web = web;
    this.#setup = setup;
    this.#ofEnvironment = passwordOfEnvironment(setup.env);
  }

  /**
   * The middleware in front of all routes. It checks the address, the method, the origin, the session or token, and the
   * length of the body; sets the variables of {@link AccessEnv}; and adds security headers to every answer.
   */
  readonly guard: MiddlewareHandler<AccessEnv> = async (c, next) => {
    const visit = visitOf(c.req.raw, c.env, this.#setup);
    const refusal = visit === undefined ? REFUSALS.address : await this.#admit(c, visit);
    if (refusal === undefined) await next();
    const response = refusal === undefined ? c.res : this.#answer(c, refusal);
    const isHttps = visit?.isHttps ?? false;
    const isEmbeddable = c.get("viewer") === "public" && c.req.path.startsWith("/badge/");
    // Without this, Hono copies the headers of the replaced response over the new ones.
    c.res = undefined;
    c.res = withSecurityHeaders(response, {
      isHttps,
      isEmbeddable,
      isPrivate: c.get("viewer") === "operator",
    });
    const renewal = c.get("renewal");
    if (renewal !== undefined && !c.res.headers.has("set-cookie")) c.res.headers.set("set-cookie", renewal);
  };

  /** Returns the current password. */
  async password(): Promise<PasswordSource> {
    return (await this.#rules()).source;
  }

  /** Returns the `Set-Cookie` header that signs a browser in. Changing the password ends the session. */
  async sessionCookie(visit: Visit): Promise<string> {
    const { source } = await this.#rules();
    if (source.kind !== "set") throw new TypeError("without a password there is no sign-in");
    const key = await ensureSessionKey(this.#web.kv);
    const { fingerprint } = source.password;
    return this.#cookieOf(visit, { key, fingerprint }, newSession(this.#web.clock.now()));
  }

  /** Returns the `Set-Cookie` header that signs a browser out. */
  noSessionCookie({ isHttps }: Visit): string {
    return setCookie({ name: cookieName(isHttps), value: "", maxAgeSec: 0, isHttps });
  }

  /** Ends all sessions on all instances. */
  async signEveryoneOut(): Promise<void> {
    await replaceSessionKey(this.#web.kv);
  }

  /** Answers with a denial: JSON for programs, text for people. */
  deny(c: Asked, denial: Denial): Response {
    return isForPrograms(c.req.path) ? denialJson(denial) : denialText(denial);
  }

  /** Returns the handler of a form, which gets its fields. A body of another content type is denied. */
  readonly form =
    (handle: (c: Asked, fields: URLSearchParams) => Response | Promise<Response>) =>
    async (c: Asked): Promise<Response> => {
      const fields = await formFields(c);
      return fields === undefined ? this.deny(c, REFUSALS.formType) : await handle(c, fields);
    };

  #answer(c: Asked, refusal: Denial | SignInNeeded): Response {
    if (refusal !== SIGN_IN_NEEDED) return this.deny(c, refusal);
    if (isForPrograms(c.req.path)) return this.deny(c, REFUSALS.signIn);
    const url = URL.parse(c.req.url);
    const asked = c.req.method === "POST"
      ? "/settings"
      : nextPage(url === null ? "/" : url.pathname + url.search);
    const location = asked === "/" ? "/sign-in" : `/sign-in?next=${encodeURIComponent(asked)}`;
    return new Response(null, { status: 303, headers: { location } });
  }

  /** Returns why a request is denied; `undefined` if it is admitted. */
  async #admit(c: Asked, visit: Visit): Promise<Denial | SignInNeeded | undefined> {
    c.set("visit", visit);
    c.set("viewer", "public");
    c.set("signedIn", false);
    const { path, method } = c.req;
    const methods = methodsOf(path);
    if (!methods.includes(method)) return REFUSALS.method(method, methods);
    if (areaOf(path) === "always") return undefined;
    try {
      const rules = await this.#rules();
      return this.#unsafePlace(c, visit, rules) ?? await this.#admitViewer(c, visit, rules) ??
        await this.#checkPost(c, visit);
    } catch (error) {
      this.#web.log.error(`cannot check a request: ${messageAndHint(error)}`);
      return REFUSALS.database;
    }
  }

  /**
   * Returns why a request is unsafe. Without a password, the dashboard only answers programs of this machine that
   * address it as such.
   */
  #unsafePlace(c: Asked, visit: Visit, { source }: Rules): Denial | undefined {
    if (source.kind === "set") return undefined;
    if (source.kind === "broken") return REFUSALS.brokenPassword(source.fault);
    if (!this.#setup.isLoopback) return REFUSALS.noPassword(this.#setup.isDeploy);
    if (!isLoopbackName(visit.hostname)) return REFUSALS.otherName;
    return FORWARDED.some((name) => c.req.raw.headers.has(name)) ? REFUSALS.forwarded : undefined;
  }

  async #admitViewer(c: Asked, visit: Visit, rules: Rules): Promise<Denial | SignInNeeded | undefined> {
    const area = areaOf(c.req.path);
    if (area === "events") return await this.#admitNode(c);
    const viewer = await this.#viewerOf(c, visit, rules, area);
    if (viewer !== undefined) c.set("viewer", viewer);
    if (area === "open" || viewer === "operator") return undefined;
    return area === "public" && viewer === "public" ? undefined : SIGN_IN_NEEDED;
  }

  async #admitNode(c: Asked): Promise<Denial | undefined> {
    const token = await presentedToken(this.#web, c.req.header("authorization") ?? null, "node");
    if (token === undefined) return REFUSALS.nodeToken;
    c.set("nodeToken", token);
    return undefined;
  }

  async #viewerOf(c: Asked, visit: Visit, rules: Rules, area: Area): Promise<Viewer | undefined> {
    if (rules.source.kind !== "set") return "operator";
    const authorization = c.req.header("authorization") ?? feedAuthorization(c);
    if (area !== "person" && /^bearer\b/i.test(authorization ?? "")) {
      // A revoked token must be rejected, even on a public page.
      return await presentedToken(this.#web, authorization, "read") === undefined ? undefined : "operator";
    }
    if (rules.key !== undefined) {
      const secrets = { key: rules.key, fingerprint: rules.source.password.fingerprint };
      if (this.#hasSession(c, visit, secrets)) {
        c.set("signedIn", true);
        return "operator";
      }
    }
    return rules.isPublic ? "public" : undefined;
  }

  #hasSession(
    c: Asked,
    visit: Visit,
    secrets: { readonly key: Uint8Array; readonly fingerprint: string },
  ): boolean {
    const now = this.#web.clock.now();
    for (const value of cookieValues(c.req.header("cookie") ?? null, cookieName(visit.isHttps))) {
      const session = openSession(secrets, value, now);
      if (session === undefined) continue;
      const renewed = renewedSession(session, now);
      if (renewed !== undefined) c.set("renewal", this.#cookieOf(visit, secrets, renewed));
      return true;
    }
    return false;
  }

  #cookieOf(
    { isHttps }: Visit,
    secrets: { readonly key: Uint8Array; readonly fingerprint: string },
    session: Session,
  ): string {
    const maxAgeSec = Math.floor(sessionLeftMs(session, this.#web.clock.now()) / 1000);
    return setCookie({ name: cookieName(isHttps), value: sealSession(secrets, session), maxAgeSec, isHttps });
  }

  /** Checks the origin and the length of a form or report, and replaces the request's body by what was read. */
  async #checkPost(c: Asked, visit: Visit): Promise<Denial | undefined> {
    if (c.req.method !== "POST") return undefined;
    const isReport = areaOf(c.req.path) === "events";
    // A report needs no check of its origin, because other sites do not have its token.
    const fault = isReport ? undefined : crossSiteFault(c.req.raw.headers, visit.host);
    if (fault !== undefined) return REFUSALS.crossSite(fault);
    const bytesMax = isReport ? EVENTS_BYTES_MAX : FORM_BYTES_MAX;
    const body = await readBody(c.req.raw, bytesMax, this.#web.clock);
    if (body === "too long") return isReport ? REFUSALS.reportTooLarge : REFUSALS.bodyTooLarge(bytesMax);
    if (body === "broken off") return REFUSALS.bodyMissing;
    c.req.raw = new Request(c.req.raw.url, { method: "POST", headers: c.req.raw.headers, body });
    return undefined;
  }

  async #rules(): Promise<Rules> {
    const { settings, key } = await readSettingsAndKey(this.#web.kv);
    const source = this.#ofEnvironment ?? passwordOfSettings(settings.passwordHash);
    return { source, isPublic: settings.isPublic, key };
  }
}

/** Feed readers cannot send headers, so the feed's address may contain the token. */
function feedAuthorization({ req }: Asked): string | null {
  const token = req.path === addresses.incidentsFeed() ? req.query("token") : undefined;
  return token === undefined ? null : `Bearer ${token}`;
}

/** The result for a request that needs a sign-in: people are redirected, programs get an error. */
const SIGN_IN_NEEDED = "sign-in needed";
type SignInNeeded = typeof SIGN_IN_NEEDED;

/** Headers that proxies add to forwarded requests. */
const FORWARDED = ["forwarded", "x-forwarded-for", "x-real-ip", "cf-connecting-ip", "via"];

/** Browsers accept the `__Host-` prefix only over HTTPS and only from this exact host. */
function cookieName(isHttps: boolean): string {
  return isHttps ? "__Host-model_sync_session" : "model_sync_session";
}
