import { type Context, Hono } from "hono";
import { checkTypedPassword, type PasswordCheck } from "../access/check_password.ts";
import { nextPage } from "../access/next_page.ts";
import { PASSWORD_CHARS_MAX } from "../access/password_hash.ts";
import { addresses } from "../shared/addresses.ts";
import { PageTitle } from "../components/PageTitle.tsx";
import { PasswordNotice } from "../components/Notice.tsx";
import type { App, AppEnv, Guarded } from "./dashboard.ts";
import { pageFacts } from "./page_facts.ts";
import { renderPage } from "./render_page.tsx";

/** The sign-in page, its form, and the form "Sign out". */
export function signInRoutes(dashboard: Guarded): App {
  const { access } = dashboard;
  const page = (context: Context<AppEnv>, next: string, check?: PasswordCheck) =>
    renderPage({
      title: "Sign in",
      facts: pageFacts(context, dashboard.clock.now(), undefined),
      body: <SignInPage next={next} check={check} />,
    });
  return new Hono<AppEnv>()
    .get("/sign-in", (context) => {
      const next = nextPage(context.req.query("next"));
      if (context.var.viewer === "operator") return context.redirect(next, 303);
      return context.html(page(context, next));
    })
    .post(
      "/sign-in",
      access.form(async (context, fields) => {
        const next = nextPage(fields.get("next"));
        const source = await access.password();
        // Without a password, every visitor who is admitted is an operator.
        if (source.kind !== "set") return context.redirect(next, 303);
        const { visit } = context.var;
        const check = await checkTypedPassword(
          dashboard,
          visit,
          source.password,
          fields.get("password") ?? "",
        );
        if (check.kind === "right") {
          context.header("set-cookie", await access.sessionCookie(visit));
          return context.redirect(next, 303);
        }
        if (check.kind === "later") context.header("retry-after", String(check.retryAfterSec));
        return context.html(page(context, next, check), statusOf(check));
      }),
    )
    .post("/sign-out", (context) => {
      context.header("set-cookie", access.noSessionCookie(context.var.visit));
      return context.redirect(addresses.signIn(), 303);
    });
}

function statusOf(check: PasswordCheck): 403 | 429 | 503 {
  if (check.kind !== "later") return 403;
  return check.reason === "limit" ? 429 : 503;
}

interface SignInPageProps {
  readonly next: string;
  readonly check: PasswordCheck | undefined;
}

function SignInPage({ next, check }: SignInPageProps) {
  return (
    <>
      <PageTitle>Sign in</PageTitle>
      {check !== undefined && <PasswordNotice check={check} />}
      <form class="form" method="post" action={addresses.signIn()}>
        <input type="hidden" name="next" value={next} />
        <label class="field">
          <span>Password</span>
          <input
            type="password"
            name="password"
            autoComplete="current-password"
            maxLength={PASSWORD_CHARS_MAX}
            required
            autofocus
          />
        </label>
        <button type="submit" class="button-main">Sign in</button>
      </form>
    </>
  );
}
