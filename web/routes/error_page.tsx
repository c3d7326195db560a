import type { Context } from "hono";
import { addresses } from "../shared/addresses.ts";
import { Empty } from "../components/Section.tsx";
import { PageTitle } from "../components/PageTitle.tsx";
import type { AppEnv, Dashboard } from "./dashboard.ts";
import { pageFacts } from "./page_facts.ts";
import { renderPage } from "./render_page.tsx";

interface ErrorPageProps {
  readonly title: string;
  readonly children: string;
}

function ErrorPage({ title, children }: ErrorPageProps) {
  return (
    <>
      <PageTitle>{title}</PageTitle>
      <Empty title={children}>
        <a href={addresses.fleet()}>Go to the fleet</a>
      </Empty>
    </>
  );
}

/** Returns the answer for an unknown address. */
export function notFoundPage(
  context: Context<AppEnv>,
  { clock }: Pick<Dashboard, "clock">,
  what = "There is no page at this address.",
): Response | Promise<Response> {
  return errorPage(context, clock.now(), 404, { title: "Not found", children: what });
}

/** Returns an error page. */
export function errorPage(
  context: Context<AppEnv>,
  now: Date,
  status: 400 | 404 | 500 | 503,
  { title, children }: ErrorPageProps,
): Response | Promise<Response> {
  const body = <ErrorPage title={title}>{children}</ErrorPage>;
  return context.html(renderPage({ title, facts: pageFacts(context, now, undefined), body }), status);
}
