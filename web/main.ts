import { EXIT, messageAndHint } from "../lib/core/errors.ts";
import { findAlerting } from "./incidents/find_alerting.ts";
import { SWEEP_JOB, sweepJob, WATCH_JOB, watchJob } from "./jobs.ts";
import { type OpenDashboard, openDashboard } from "./open_dashboard.ts";
import { reportSetup, setupFaults } from "./report_setup.ts";
import { kvFileOf, openKv } from "./store/open_kv.ts";
import { watchKvFile } from "./store/watch_kv_file.ts";
import { systemClock } from "../lib/core/clock.ts";
import { type Context, neverAborted } from "../lib/core/context.ts";
import { type Log, LOG_LEVELS, type LogLevel } from "../lib/core/log.ts";
import { spawnProcess } from "../lib/core/subprocess.ts";

/**
 * The entry point of the dashboard on Deno Deploy and similar platforms. Settings come from environment variables, data
 * is kept in the platform's database. Deno Deploy finds the jobs by loading this module, so they are registered at the
 * top level. What is missing is logged at the start, and does not end it: pages say it, too, and a request after it was
 * added succeeds.
 */

/** A file or the URL of a `denokv` server. If it is not set, the platform's database is used. */
const KV_VARIABLE = "MODEL_SYNC_DASHBOARD_KV";

const context = platformContext();
const { env, clock, log } = context;
const isDeploy = env.get("DENO_DEPLOY") !== undefined;
let opening: Promise<OpenDashboard> | undefined;
let alerting: ReturnType<typeof findAlerting> | undefined;

/** Cached, so that problems with the settings are logged once. */
function readAlerting(): ReturnType<typeof findAlerting> {
  return alerting ??= findAlerting(context);
}

/** Returns the dashboard that all requests of this instance share. If opening fails, the next request tries again. */
function opened(): Promise<OpenDashboard> {
  opening ??= open().catch((error) => {
    opening = undefined;
    throw error;
  });
  return opening;
}

async function open(): Promise<OpenDashboard> {
  const place = env.get(KV_VARIABLE);
  const kv = await openKv(place, env);
  watchKvFile(context, kvFileOf(place)).catch((error) => {
    log.error(messageAndHint(error));
    Deno.exit(EXIT.disk);
  });
  return openDashboard({ kv, clock, log }, { env, isLoopback: false, isDeploy }, readAlerting);
}

/** Retries would overlap with the job of the next minute. */
const NO_RETRIES = { backoffSchedule: [] };

Deno.cron(WATCH_JOB.name, WATCH_JOB.schedule, NO_RETRIES, async () => {
  const found = await readAlerting();
  await withDashboard(({ dashboard }) => watchJob(dashboard, found));
});

Deno.cron(SWEEP_JOB.name, SWEEP_JOB.schedule, NO_RETRIES, async () => {
  await withDashboard(({ dashboard }) => sweepJob(dashboard));
});

/** Logs why a job could not start: the platform only reports that it failed. */
async function withDashboard(work: (dashboard: OpenDashboard) => Promise<void>): Promise<void> {
  try {
    await work(await opened());
  } catch (error) {
    log.error(messageAndHint(error));
  }
}

Deno.serve(async (request, info) => {
  try {
    const { app } = await opened();
    return await app.fetch(request, info);
  } catch (error) {
    const faults = setupFaults(error, { env, isDeploy });
    for (const fault of faults) log.error(fault);
    return new Response(faults.map((fault) => `${fault}\n`).join(""), {
      status: 503,
      headers: { "retry-after": "30", "cache-control": "no-store" },
    });
  }
});

void reportSetup(log, { env, isDeploy }, opened);

/** Levels that are logged: platforms keep every line, and some bill for it. */
const LEVELS: readonly LogLevel[] = LOG_LEVELS.slice(LOG_LEVELS.indexOf("info"));

/** Returns the outside world of a hosted dashboard: no configuration file, no store, no programs. */
function platformContext(): Context {
  return {
    fs: Deno,
    // The dashboard starts no program. It is here because alerts need a complete context.
    spawn: spawnProcess,
    http: fetch,
    clock: systemClock,
    log: lineLog((line) => Deno.stderr.writeSync(new TextEncoder().encode(`${line}\n`))),
    env: { get: (name) => Deno.env.get(name), toObject: () => Deno.env.toObject() },
    signal: neverAborted(),
    freeBytes: () => Promise.resolve(undefined),
    host: Deno.env.get("DENO_DEPLOY_APPLICATION_SLUG") ?? "dashboard",
  };
}

/** Returns a log that writes JSON lines, which platforms filter by level. */
function lineLog(write: (line: string) => void): Log {
  const at = (level: LogLevel) => (message: string, fields = {}) => {
    if (!LEVELS.includes(level)) return;
    write(JSON.stringify({ time: systemClock.now().toISOString(), level, message, ...fields }));
  };
  return { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error"), progress: () => {} };
}
