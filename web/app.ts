import { Hono } from "hono";
import { messageAndHint, UsageError } from "../lib/core/errors.ts";
import type { App, AppEnv, Dashboard } from "./routes/dashboard.ts";
import { apiRoutes, openApiRoutes } from "./routes/api.ts";
import { errorPage, notFoundPage } from "./routes/error_page.tsx";
import { eventRoutes } from "./routes/events.ts";
import { fleetRoutes } from "./routes/fleet.tsx";
import { incidentRoutes } from "./routes/incidents.tsx";
import { liveRoutes } from "./routes/live.ts";
import { monitoringRoutes } from "./routes/monitoring.ts";
import { newsRoutes } from "./routes/news.tsx";
import { nodeRoutes } from "./routes/node.tsx";
import { pullRequestRoutes } from "./routes/pull_requests.tsx";
import { releaseRoutes } from "./routes/releases.tsx";
import { runRoutes } from "./routes/run.tsx";
import { settingsRoutes } from "./routes/settings.tsx";
import { signInRoutes } from "./routes/sign_in.tsx";
import { staticRoutes } from "./routes/static.ts";
import { kvFailure } from "./store/kv_failure.ts";
import { CURSOR_INVALID } from "./store/page_range.ts";

/** Returns the application that answers requests: first the guard, then the routes. */
export function dashboardApp(dashboard: Dashboard): App {
  return new Hono<AppEnv>()
    .use(dashboard.access.guard)
    .route("/", staticRoutes())
    .route("/", fleetRoutes(dashboard))
    .route("/", newsRoutes(dashboard))
    .route("/", nodeRoutes(dashboard))
    .route("/", runRoutes(dashboard))
    .route("/", incidentRoutes(dashboard))
    .route("/", releaseRoutes(dashboard))
    .route("/", pullRequestRoutes(dashboard))
    .route("/", liveRoutes(dashboard))
    .route("/", eventRoutes(dashboard))
    .route("/", apiRoutes(dashboard))
    .route("/", monitoringRoutes(dashboard))
    .route("/", openApiRoutes())
    .route("/", settingsRoutes(dashboard))
    .route("/", signInRoutes(dashboard))
    .notFound((context) => notFoundPage(context, dashboard))
    .onError((error, context) => {
      const now = dashboard.clock.now();
      if (error instanceof UsageError && error.code === CURSOR_INVALID) {
        return errorPage(context, now, 400, {
          title: "No such page of the list",
          children: "The address does not name a page of the list. Start from the first page.",
        });
      }
      const failure = kvFailure(error);
      dashboard.log.error(
        `Cannot answer ${context.req.method} ${context.req.path}: ${messageAndHint(failure ?? error)}`,
      );
      if (failure !== undefined) {
        context.header("retry-after", "30");
        return errorPage(context, now, 503, {
          title: "The database is not available",
          children: "The dashboard's log has the reason. Reload the page in a moment.",
        });
      }
      return errorPage(context, now, 500, {
        title: "This page could not be shown",
        children: "The dashboard's log has the reason. Reload the page in a moment.",
      });
    });
}
