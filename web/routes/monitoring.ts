import { type Context, Hono } from "hono";
import { messageAndHint } from "../../lib/core/errors.ts";
import { TEXT_FORMAT_TYPE, textFormat } from "../../lib/metrics/text_format.ts";
import { denialJson, REFUSALS } from "../access/refusals.ts";
import { badgeOf, UNKNOWN_BADGE } from "../api/badge.ts";
import { dashboardMetrics } from "../api/metrics.ts";
import { statusAnswer } from "../api/node_answers.ts";
import { BadgeQuery, parseQuery } from "../api/queries.ts";
import type { App, AppEnv, Dashboard } from "./dashboard.ts";
import { readableFleet } from "../viewer/readable_fleet.ts";
import { keys } from "../store/keys.ts";
import { openIncidents } from "../store/incident_rows.ts";
import { apiError } from "./api.ts";

/** A database that is slower than this cannot serve pages. */
const HEALTH_MS_MAX = 2_000;

/** How long a badge may be cached. Image proxies request it once a minute. */
const BADGE_CACHE = "max-age=60";

/** Routes for monitors and READMEs: status, health, metrics and badges. */
export function monitoringRoutes(dashboard: Dashboard): App {
  return new Hono<AppEnv>()
    .get("/status.json", async (context) => {
      const { view } = await readableFleet(dashboard, context.var.viewer);
      return context.json(statusAnswer(view.nodes));
    })
    .get(
      "/healthz",
      async (context) => {
        if (!await isHealthy(dashboard)) return denialJson(REFUSALS.database);
        const { problem } = dashboard.intake;
        return problem === undefined
          ? context.json({ ok: true })
          : denialJson(REFUSALS.intake(problem.publicReason));
      },
    )
    .get("/badge/:file{[\\s\\S]+}", (context) => badge(dashboard, context, context.req.param("file")))
    .get("/metrics", (context) => metrics(dashboard, context))
    .onError((error, context) => apiError(dashboard, error, context));
}

/** Returns whether the database answers in time. */
async function isHealthy({ kv, clock, log }: Dashboard): Promise<boolean> {
  const late = new AbortController();
  const reading = kv.get(keys.settings()).then(() => true, (error) => {
    log.error(`the database cannot be read: ${messageAndHint(error)}`);
    return false;
  });
  const waiting = clock.sleep(HEALTH_MS_MAX, late.signal).then(() => false, () => false);
  try {
    return await Promise.race([reading, waiting]);
  } finally {
    late.abort();
  }
}

async function badge(dashboard: Dashboard, context: Context<AppEnv>, file: string): Promise<Response> {
  const parsed = parseQuery(BadgeQuery, context.req.query());
  if ("status" in parsed) return denialJson(parsed);
  const { viewer } = context.var;
  const name = file.endsWith(".svg") ? file.slice(0, -".svg".length) : undefined;
  const { view } = await readableFleet(dashboard, viewer);
  const node = view.nodes.find(({ row }) => row.node === name);
  const svg = node === undefined ? UNKNOWN_BADGE : badgeOf(node, parsed.query.show);
  return context.body(svg, node === undefined ? 404 : 200, {
    "content-type": "image/svg+xml; charset=utf-8",
    "cache-control": `${viewer === "operator" ? "private" : "public"}, ${BADGE_CACHE}`,
  });
}

async function metrics(dashboard: Dashboard, context: Context<AppEnv>): Promise<Response> {
  if (context.var.viewer !== "operator") return denialJson(REFUSALS.signIn);
  const [{ view }, incidents] = await Promise.all([
    readableFleet(dashboard, "operator"),
    openIncidents(dashboard.kv),
  ]);
  const { counts, live } = dashboard;
  const families = dashboardMetrics({ view, incidents, counts, subscribers: live.subscribers });
  return context.body(textFormat(families, {}), 200, { "content-type": TEXT_FORMAT_TYPE });
}
