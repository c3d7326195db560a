import { type Context, Hono } from "hono";
import { etag } from "hono/etag";
import { messageAndHint, ModelSyncError } from "../../lib/core/errors.ts";
import { denialJson, REFUSALS } from "../access/refusals.ts";
import type { Fleet, RunDetails } from "../api/answers.ts";
import { FAILURES } from "../api/failures.ts";
import { newestAnswer, nodeAnswer, nodeDetails, runAnswer, statusAnswer } from "../api/node_answers.ts";
import { FleetQuery, NodeQuery, parseQuery, RunQuery } from "../api/queries.ts";
import { releaseAnswer } from "../api/release_answer.ts";
import type { App, AppEnv, Dashboard } from "./dashboard.ts";
import { filterFleet } from "../fleet/filter_fleet.ts";
import { publicRelease } from "../viewer/public_release.ts";
import { publicPeriod, publicRun } from "../viewer/public_view.ts";
import { readableFleet, trueName } from "../viewer/readable_fleet.ts";
import { findRunningRun, readRun, readRuns } from "../store/read_runs.ts";
import { CURSOR_INVALID } from "../store/page_range.ts";
import { readActivations } from "../store/read_activations.ts";
import { readRelease } from "../store/read_release.ts";
import { kvFailure } from "../store/kv_failure.ts";
import { openApiDescription } from "../api/openapi.ts";

const PERIODS_MS = 30 * 24 * 3_600_000;

/** Clients must revalidate a cached answer. */
const REVALIDATE = "private, no-cache";

/** Routes of the API: the fleet, nodes, runs and releases as JSON. */
export function apiRoutes(dashboard: Dashboard): App {
  return new Hono<AppEnv>()
    .get("/api/v1/fleet", etag(), (context) => fleet(dashboard, context))
    .get("/api/v1/nodes/:node{[\\s\\S]+}", (context) => node(dashboard, context, context.req.param("node")))
    .get("/api/v1/runs/:run{[\\s\\S]+}", (context) => run(dashboard, context, context.req.param("run")))
    .get("/api/v1/releases/:digest", (context) => release(dashboard, context, context.req.param("digest")))
    .onError((error, context) => apiError(dashboard, error, context));
}

async function fleet(dashboard: Dashboard, context: Context<AppEnv>): Promise<Response> {
  const parsed = parseQuery(FleetQuery, context.req.query());
  if ("status" in parsed) return denialJson(parsed);
  const { group = "any", state = "any", q, limit, cursor } = parsed.query;
  const { view, version } = await readableFleet(dashboard, context.var.viewer);
  const wanted = filterFleet(view.nodes, { group, state, search: q, page: 1 })
    .filter(({ row }) => cursor === undefined || row.node > cursor)
    .sort((a, b) => a.row.node < b.row.node ? -1 : 1);
  const page = wanted.slice(0, limit);
  const answer: Fleet = {
    version,
    status: statusAnswer(view.nodes),
    newest: newestAnswer(view),
    nodes: page.map(nodeAnswer),
    next: wanted.length > page.length ? page.at(-1)?.row.node ?? null : null,
  };
  return context.json(answer, 200, { "cache-control": REVALIDATE });
}

async function node(dashboard: Dashboard, context: Context<AppEnv>, name: string): Promise<Response> {
  const parsed = parseQuery(NodeQuery, context.req.query());
  if ("status" in parsed) return denialJson(parsed);
  const readable = await readableFleet(dashboard, context.var.viewer);
  const own = trueName(readable, name);
  const view = readable.view.nodes.find(({ row }) => row.node === name);
  if (own === undefined || view === undefined) {
    return denialJson(FAILURES.missing("this node", "GET /api/v1/fleet lists the nodes"));
  }
  const { kv, clock } = dashboard;
  const from = new Date(clock.now().getTime() - PERIODS_MS).toISOString();
  const [runs, periods] = await Promise.all([
    readRuns(kv, own, parsed.query),
    readActivations(kv, own, { from }),
  ]);
  const { publicNames } = readable;
  if (publicNames === undefined) return context.json(nodeDetails(view, runs, periods));
  const shown = runs.rows.map((run) => publicRun(run, name));
  // A cursor contains the id of a run, which the public must not see. A time works as well.
  const older = runs.older === undefined ? undefined : runs.rows.at(-1)?.startedAt;
  return context.json(
    nodeDetails(view, { rows: shown, older }, periods.map((period) => publicPeriod(period, publicNames))),
  );
}

async function run(dashboard: Dashboard, context: Context<AppEnv>, runId: string): Promise<Response> {
  if (context.var.viewer !== "operator") return denialJson(REFUSALS.signIn);
  const parsed = parseQuery(RunQuery, context.req.query());
  if ("status" in parsed) return denialJson(parsed);
  const { node } = parsed.query;
  const stored = await readRun(dashboard.kv, runId, node) ??
    findRunningRun((await dashboard.fleet.read()).rows.values(), runId, node);
  if (stored === undefined) {
    return denialJson(FAILURES.missing("this run", "GET /api/v1/nodes/NAME lists the runs of a node"));
  }
  const { row, details, nodes } = stored;
  const answer: RunDetails = { run: runAnswer(row), details: details ?? null, nodes: [...nodes] };
  return context.json(answer);
}

async function release(dashboard: Dashboard, context: Context<AppEnv>, digest: string): Promise<Response> {
  const stored = await readRelease(dashboard.kv, digest);
  if (stored === undefined) {
    return denialJson(
      FAILURES.missing("this release", "use the whole digest: sha256: and 64 hexadecimal digits"),
    );
  }
  const { publicNames } = await readableFleet(dashboard, context.var.viewer);
  return context.json(
    releaseAnswer(publicNames === undefined ? stored : publicRelease(stored, publicNames)),
  );
}

/** Returns the answer for an error: an invalid cursor is the reader's fault, everything else the dashboard's. */
export function apiError(dashboard: Dashboard, error: unknown, context: Context<AppEnv>): Response {
  if (error instanceof ModelSyncError && error.code === CURSOR_INVALID) {
    return denialJson({ status: 400, code: error.code, message: error.message, hint: error.hint ?? "" });
  }
  const failure = kvFailure(error);
  dashboard.log.error(`cannot answer GET ${context.req.routePath}: ${messageAndHint(failure ?? error)}`);
  return denialJson(failure === undefined ? FAILURES.internal : FAILURES.unavailable);
}

/** `GET /api/v1/openapi.json`: the description of the API. It reveals nothing about the fleet. */
export function openApiRoutes(): App {
  let description: Record<string, unknown> | undefined;
  return new Hono<AppEnv>().get("/api/v1/openapi.json", (context) => {
    description ??= openApiDescription();
    return context.json(description, 200, { "cache-control": "public, max-age=3600" });
  });
}
