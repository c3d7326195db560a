import { Hono } from "hono";
import type { App, AppEnv } from "../dashboard.ts";
import { faviconState, faviconSvg } from "../favicon.ts";
import { staticFiles } from "../static_files.ts";

/** Addresses of static files hold the version of their content. */
const FOR_EVER = "public, max-age=31536000, immutable";
const AN_HOUR = "public, max-age=3600";

/** What browsers load beside a page: the stylesheet, the script, the favicon. */
export function staticRoutes(): App {
  return new Hono<AppEnv>()
    .get("/static/:name", (context) => {
      const file = staticFiles.get(context.req.param("name"));
      if (file === undefined) return context.notFound();
      const isVersioned = context.req.query("v") === file.version;
      return context.body(file.bytes, 200, {
        "content-type": file.contentType,
        "cache-control": isVersioned ? FOR_EVER : AN_HOUR,
      });
    })
    .get(
      "/favicon.svg",
      (context) =>
        context.body(faviconSvg(faviconState(context.req.query("state"))), 200, {
          "content-type": "image/svg+xml",
          "cache-control": AN_HOUR,
        }),
    )
    // Browsers that know no SVG icons ask for this one, whatever the page says.
    .get("/favicon.ico", (context) => context.redirect("/favicon.svg", 308))
    .get("/robots.txt", (context) => context.text("User-agent: *\nDisallow: /\n"));
}
