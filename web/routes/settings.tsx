import { type Context, Hono } from "hono";
import type { ComponentChildren } from "preact";
import { ModelSyncError } from "../../lib/core/errors.ts";
import { quote } from "../../lib/core/quote.ts";
import type { Access } from "../access/access.ts";
import { checkTypedPassword, type PasswordCheck } from "../access/check_password.ts";
import { hashPassword, normalized } from "../access/password_hash.ts";
import {
  createToken,
  findToken,
  listTokens,
  type NewToken,
  revokeToken,
  rotateToken,
} from "../access/tokens.ts";
import { addresses, SETTINGS_FORMS } from "../shared/addresses.ts";
import { ConfirmView, type Question } from "../components/ConfirmView.tsx";
import { NewTokenView } from "../components/NewTokenView.tsx";
import { Notice, PasswordNotice } from "../components/Notice.tsx";
import { type SettingsFacts, SettingsView } from "../components/SettingsView.tsx";
import type { App, AppEnv, Dashboard, Guarded } from "./dashboard.ts";
import { pageFacts } from "./page_facts.ts";
import { renderPage } from "./render_page.tsx";
import { isKnownNode } from "../store/known_nodes.ts";
import { removeNode } from "../store/remove_node.ts";
import {
  changeSettings,
  readSettings,
  RETENTION_DAYS_MAX,
  RETENTION_DAYS_MIN,
} from "../store/settings_row.ts";
import { kvFailure } from "../store/kv_failure.ts";
import type { Web } from "../shared/web.ts";
import { sentence } from "../shared/words.ts";

type Asked = Context<AppEnv>;
type Typed = Parameters<typeof SettingsView>[0]["typed"];

/** The result of a form, by the word in the address of the redirect. */
const DONE: ReadonlyMap<string, string> = new Map([
  ["revoked", "The token was revoked."],
  ["gone", "This token no longer exists."],
  ["forgotten", "The node was removed."],
  ["public", "The page is now public."],
  ["private", "The page is now private."],
  ["retention", "The retention was saved. Older entries are deleted in steps."],
  ["password", "The password was set. Everyone else was signed out."],
]);

/** The settings page and its forms. Read tokens are not admitted here. */
export function settingsRoutes(dashboard: Guarded & Pick<Dashboard, "live">): App {
  const settings = new SettingsPages(dashboard);
  const { form } = dashboard.access;
  return new Hono<AppEnv>()
    .use("/settings/*", async (context, next) => {
      await next();
      // Access may have changed: open pages reconnect and are checked again.
      if (context.req.method === "POST") dashboard.live.close();
    })
    .get("/settings", (context) => settings.show(context))
    .post(SETTINGS_FORMS.createToken, form((context, fields) => settings.createToken(context, fields)))
    .post(SETTINGS_FORMS.rotateToken, form((context, fields) => settings.rotateToken(context, fields)))
    .post(SETTINGS_FORMS.revokeToken, form((context, fields) => settings.revokeToken(context, fields)))
    .post(SETTINGS_FORMS.removeNode, form((context, fields) => settings.removeNode(context, fields)))
    .post(SETTINGS_FORMS.publicPage, form((context, fields) => settings.setPublic(context, fields)))
    .post(SETTINGS_FORMS.retention, form((context, fields) => settings.setRetention(context, fields)))
    .post(SETTINGS_FORMS.password, form((context, fields) => settings.setPassword(context, fields)))
    .post(SETTINGS_FORMS.signEveryoneOut, (context) => settings.signEveryoneOut(context));
}

class SettingsPages {
  readonly #web: Web;
  readonly #access: Access;

  constructor(dashboard: Guarded) {
    this.#web = dashboard;
    this.#access = dashboard.access;
  }

  async show(context: Asked): Promise<Response> {
    const node = context.req.query("node")?.trim();
    if (context.req.query("ask") === "forget" && node !== undefined) {
      return await this.#askToRemove(context, node);
    }
    const question = await this.#question(context.req.query("ask"), context.req.query("token") ?? "");
    if (question === "gone") return done(context, "gone");
    if (question !== undefined) {
      return await this.#page(context, "Settings", <ConfirmView question={question} />);
    }
    const text = DONE.get(context.req.query("done") ?? "");
    return await this.#settings(context, {
      notice: text === undefined ? undefined : <Notice tone="good" role="status" title={text} />,
    });
  }

  async createToken(context: Asked, fields: URLSearchParams): Promise<Response> {
    const kind = fields.get("kind") === "read" ? "read" : "node";
    const name = fields.get("name") ?? "";
    try {
      return await this.#secret(context, await createToken(this.#web, kind, name));
    } catch (error) {
      return await this.#refused(context, error, kind === "node" ? { node: name } : { purpose: name });
    }
  }

  async rotateToken(context: Asked, fields: URLSearchParams): Promise<Response> {
    const rotated = await rotateToken(this.#web, fields.get("token") ?? "");
    return rotated === undefined ? done(context, "gone") : await this.#secret(context, rotated);
  }

  async revokeToken(context: Asked, fields: URLSearchParams): Promise<Response> {
    const revoked = await revokeToken(this.#web, fields.get("token") ?? "");
    return done(context, revoked === undefined ? "gone" : "revoked");
  }

  async removeNode(context: Asked, fields: URLSearchParams): Promise<Response> {
    const node = fields.get("node") ?? "";
    if (!await isKnownNode(this.#web.kv, node)) return await this.#unknownNode(context, node);
    await removeNode(this.#web, node);
    this.#web.log.info(`the node ${quote(node)} was removed on the settings page`);
    return done(context, "forgotten");
  }

  async setPublic(context: Asked, fields: URLSearchParams): Promise<Response> {
    // Private unless the form clearly says otherwise.
    const isPublic = fields.get("public") === "on";
    await changeSettings(this.#web.kv, { isPublic });
    return done(context, isPublic ? "public" : "private");
  }

  async setRetention(context: Asked, fields: URLSearchParams): Promise<Response> {
    const typed = fields.get("days")?.trim() ?? "";
    const days = /^\d{1,4}$/.test(typed) ? Number(typed) : 0;
    if (days < RETENTION_DAYS_MIN || days > RETENTION_DAYS_MAX) {
      const notice = (
        <Notice tone="bad" role="alert" title="Cannot save the retention: it is not a number of days.">
          <p>Enter a whole number from {RETENTION_DAYS_MIN} to {RETENTION_DAYS_MAX}.</p>
        </Notice>
      );
      return await this.#settings(context, { notice, typed: { days: typed.slice(0, 20) }, status: 400 });
    }
    await changeSettings(this.#web.kv, { retentionDays: days });
    return done(context, "retention");
  }

  async setPassword(context: Asked, fields: URLSearchParams): Promise<Response> {
    const source = await this.#access.password();
    if (source.kind === "set") {
      if (source.password.variable !== undefined) return done(context, "");
      const typed = fields.get("current") ?? "";
      const check = await checkTypedPassword(this.#web, context.var.visit, source.password, typed);
      if (check.kind !== "right") return await this.#wrongPassword(context, check);
    }
    const password = fields.get("password") ?? "";
    if (normalized(password) !== normalized(fields.get("again") ?? "")) {
      const notice = (
        <Notice tone="bad" role="alert" title="Cannot set the password: the two new passwords differ.">
          <p>Enter the new password twice.</p>
        </Notice>
      );
      return await this.#settings(context, { notice, status: 400 });
    }
    try {
      await changeSettings(this.#web.kv, { passwordHash: await hashPassword(password) });
    } catch (error) {
      return await this.#refused(context, error);
    }
    this.#web.log.info("the dashboard's password was set on the settings page");
    context.header("set-cookie", await this.#access.sessionCookie(context.var.visit));
    return done(context, "password");
  }

  async signEveryoneOut(context: Asked): Promise<Response> {
    await this.#access.signEveryoneOut();
    context.header("set-cookie", this.#access.noSessionCookie(context.var.visit));
    return context.redirect(addresses.signIn(), 303);
  }

  async #askToRemove(context: Asked, node: string): Promise<Response> {
    if (!await isKnownNode(this.#web.kv, node)) return await this.#unknownNode(context, node);
    return await this.#page(context, "Settings", <ConfirmView question={{ what: "forget", node }} />);
  }

  async #unknownNode(context: Asked, node: string): Promise<Response> {
    const notice = (
      <Notice tone="bad" role="alert" title="Cannot remove this node: no node has this name.">
        <p>Copy the name from the fleet.</p>
      </Notice>
    );
    return await this.#settings(context, { notice, typed: { forgotten: node.slice(0, 200) }, status: 400 });
  }

  async #question(ask: string | undefined, id: string): Promise<Question | "gone" | undefined> {
    if (ask === "sign-everyone-out") return { what: ask };
    if (ask !== "rotate" && ask !== "revoke") return undefined;
    const token = await findToken(this.#web.kv, id);
    return token === undefined ? "gone" : { what: ask, token };
  }

  /** Answers with the secret directly instead of after a redirect, because it is not stored. */
  #secret(context: Asked, { row, secret }: NewToken): Response | Promise<Response> {
    const { host, isHttps } = context.var.visit;
    const origin = `${isHttps ? "https" : "http"}://${host}`;
    return this.#page(context, "New token", <NewTokenView token={row} secret={secret} origin={origin} />);
  }

  async #wrongPassword(context: Asked, check: PasswordCheck): Promise<Response> {
    if (check.kind === "later") context.header("retry-after", String(check.retryAfterSec));
    const status = check.kind === "later" ? 429 : 403;
    return await this.#settings(context, { notice: <PasswordNotice check={check} />, status });
  }

  async #refused(context: Asked, error: unknown, typed?: Typed): Promise<Response> {
    if (!(error instanceof ModelSyncError) || kvFailure(error) !== undefined) throw error;
    const notice = (
      <Notice tone="bad" role="alert" title={sentence(error.message)}>
        {error.hint !== undefined && <p>{sentence(error.hint)}</p>}
      </Notice>
    );
    return await this.#settings(context, { notice, ...typed === undefined ? {} : { typed }, status: 400 });
  }

  async #settings(
    context: Asked,
    { notice, typed, status = 200 }: {
      readonly notice?: ComponentChildren;
      readonly typed?: Typed;
      readonly status?: 200 | 400 | 403 | 429;
    },
  ): Promise<Response> {
    const [tokens, settings, password] = await Promise.all([
      listTokens(this.#web.kv),
      readSettings(this.#web.kv),
      this.#passwordFacts(),
    ]);
    const body = (
      <SettingsView
        facts={{ tokens, settings, password }}
        notice={notice}
        {...typed === undefined ? {} : { typed }}
      />
    );
    return await this.#page(context, "Settings", body, status);
  }

  async #passwordFacts(): Promise<SettingsFacts["password"]> {
    const source = await this.#access.password();
    if (source.kind !== "set") return "none";
    const { variable } = source.password;
    return variable === undefined ? "stored" : { variable };
  }

  #page(
    context: Asked,
    title: string,
    body: ComponentChildren,
    status: 200 | 400 | 403 | 429 = 200,
  ): Response | Promise<Response> {
    const facts = pageFacts(context, this.#web.clock.now(), undefined);
    const html = renderPage({ title, facts: { ...facts, path: addresses.settings() }, body });
    return context.html(html, status);
  }
}

/** Redirects to the settings page, so that a reload does not submit the form again. */
function done(context: Asked, what: string): Response {
  return context.redirect(what === "" ? addresses.settings() : `${addresses.settings()}?done=${what}`, 303);
}
