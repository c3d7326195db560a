import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { simulateFleet } from "../../configs/demo/fleet/simulate_fleet.ts";
import { systemClock } from "../../lib/core/clock.ts";
import { BATCH_CONTENT_TYPE, BATCH_EVENTS_MAX, EVENT_TYPES } from "../../lib/wire/event_names.ts";
import type { ReportEvent } from "../../lib/wire/schema.ts";
import { createToken } from "../../web/access/tokens.ts";
import { ingest } from "../../web/store/ingest.ts";
import { PROJECT } from "../helpers/run_cli.ts";
import { testContext } from "../helpers/test_context.ts";
import { peakMB, readPage, startDashboard } from "./dashboard_process.ts";
import { ms } from "./units.ts";
import type { Workbench } from "./workbench.ts";

/** A fleet larger than one operator manages. */
const NODES = 1_000;
const RUNS_PER_NODE = 100;
const READERS = 100;
/** The nodes that report while the page is read. Together they report as often as all nodes of the fleet. */
const REPORTING_NODES = 20;
/** Each node sends its month at once. */
const MONTH = { days: 30, batchHours: 30 * 24 };
/** 1,000 nodes with a heartbeat a minute. */
const REPORT_EVERY_MS = 60;

/**
 * A dashboard with a large fleet: its first page, its pages while nodes report, and the rate at which it stores
 * reports.
 */
export async function dashboardLoad(bench: Workbench): Promise<void> {
  const file = join(bench.dir, "kv.sqlite3");
  const filled = await fill(bench, file);
  const startMs = performance.now();
  await using server = await startDashboard(bench, file);
  await readPage(`${server.origin}/`);
  const coldMs = performance.now() - startMs;
  const perSecond = await takeIn(server.origin, filled);
  await using _readers = await openReaders(server.origin, bench.scale.count(READERS));
  const pages = await readWhileReporting(bench, server.origin, filled);
  const script = gzipSync(Deno.readFileSync(`${PROJECT}web/static/islands.js`)).length;
  const memory = peakMB(server.pid);
  const fleet = `a dashboard with ${filled.nodes} nodes and ${filled.runs.toLocaleString("en")} runs`;
  bench.report(
    row(`${fleet}: the fleet page, ${bench.scale.count(READERS)} readers, reports arriving`, {
      ours: `p95 ${ms(pages.p95)}, median ${ms(pages.median)}`,
      wanted: "p95 under 50 ms",
      kept: pages.p95 < 50,
    }),
    row(`${fleet}: started, until the first page is read`, {
      ours: ms(coldMs),
      wanted: "under 500 ms",
      kept: coldMs < 500,
    }),
    row("events that a dashboard stores, in batches", {
      ours: `${Math.round(perSecond).toLocaleString("en")} a second`,
      wanted: "2,000 a second",
      kept: perSecond >= 2_000,
    }),
    row(`${fleet}: memory, at most`, { ours: `${memory} MB`, wanted: "under 250 MB", kept: memory < 250 }),
    row("the dashboard's script, compressed", {
      ours: `${(script / 1000).toFixed(1)} kB`,
      wanted: "under 40 kB",
      kept: script < 40_000,
    }),
  );
}

function row(what: string, { ours, wanted, kept }: { ours: string; wanted: string; kept: boolean }) {
  return { what, ours, theirs: "", ratio: "", wanted, kept };
}

/** A node that reports while the dashboard is measured. */
interface Reporter {
  readonly authorization: string;
  /** Its runs of the month, not reported yet. */
  readonly backlog: readonly ReportEvent[];
  readonly heartbeat: ReportEvent | undefined;
}

interface Filled {
  readonly nodes: number;
  /** The runs of the reporters among them. */
  readonly runs: number;
  readonly reporters: readonly Reporter[];
}

/** Fills a database with a fleet, except for the runs that reporters will send. */
async function fill(bench: Workbench, file: string): Promise<Filled> {
  const nodes = bench.scale.count(NODES);
  const runsPerNode = bench.scale.count(RUNS_PER_NODE);
  using kv = await Deno.openKv(file);
  const web = { kv, clock: systemClock, log: testContext().log };
  const ofReporters = new Map<string, ReportEvent[]>();
  for (const { node, events } of simulateFleet({ ...MONTH, nodes, now: systemClock.now(), runsPerNode })) {
    bench.signal.throwIfAborted();
    const kept = ofReporters.get(node);
    if (kept !== undefined) kept.push(...events);
    else if (ofReporters.size < REPORTING_NODES) ofReporters.set(node, [...events]);
    else await ingest(web, events);
  }
  const reporters = await Promise.all(
    Array.from(ofReporters, async ([node, events]) => {
      const { secret } = await createToken(web, "node", node);
      return {
        authorization: `Bearer ${secret}`,
        backlog: events.filter(({ type }) => type !== EVENT_TYPES.heartbeat),
        heartbeat: events.findLast(({ type }) => type === EVENT_TYPES.heartbeat),
      };
    }),
  );
  return { nodes, runs: nodes * runsPerNode, reporters };
}

/** Pages that stay open. */
async function openReaders(origin: string, count: number): Promise<AsyncDisposable> {
  const closing = new AbortController();
  const { signal } = closing;
  const responses = await Promise.all(
    Array.from({ length: count }, () => fetch(`${origin}/api/v1/live`, { signal })),
  );
  // Incoming events are discarded until the end.
  const reading = responses.map(({ body }) => body?.pipeTo(new WritableStream(), { signal }).catch(() => {}));
  return {
    async [Symbol.asyncDispose]() {
      closing.abort();
      await Promise.all(reading);
    },
  };
}

async function readWhileReporting(
  bench: Workbench,
  origin: string,
  { reporters }: Filled,
): Promise<{ readonly p95: number; readonly median: number }> {
  const reporting = new AbortController();
  const reports = report(origin, reporters, reporting.signal);
  const times: number[] = [];
  try {
    for (let round = 0; round < bench.scale.rounds(300); round++) {
      const startMs = performance.now();
      await readPage(`${origin}/`);
      times.push(performance.now() - startMs);
    }
  } finally {
    reporting.abort();
    await reports;
  }
  times.sort((a, b) => a - b);
  const part = (share: number) => times[Math.floor((times.length - 1) * share)] ?? NaN;
  return { p95: part(0.95), median: part(0.5) };
}

/** Sends one heartbeat after another, each with the current state. */
async function report(origin: string, reporters: readonly Reporter[], signal: AbortSignal): Promise<void> {
  for (let count = 0; !signal.aborted; count++) {
    const { authorization = "", heartbeat } = reporters[count % reporters.length] ?? {};
    if (heartbeat !== undefined) {
      const time = systemClock.now().toISOString();
      await post(origin, authorization, [{
        ...heartbeat,
        time,
        id: `${heartbeat.subject}/heartbeat/${time}`,
      }]);
    }
    await new Promise((resolve) => setTimeout(resolve, REPORT_EVERY_MS));
  }
}

/** Sends the runs that reporters have not reported yet. */
async function takeIn(origin: string, { reporters }: Filled): Promise<number> {
  const startMs = performance.now();
  let events = 0;
  for (const { authorization, backlog } of reporters) {
    for (let first = 0; first < backlog.length; first += BATCH_EVENTS_MAX) {
      const batch = backlog.slice(first, first + BATCH_EVENTS_MAX);
      await post(origin, authorization, batch);
      events += batch.length;
    }
  }
  return events / (performance.now() - startMs) * 1000;
}

async function post(origin: string, authorization: string, events: readonly ReportEvent[]): Promise<void> {
  const response = await fetch(`${origin}/api/v1/events`, {
    method: "POST",
    headers: { authorization, "content-type": BATCH_CONTENT_TYPE },
    body: JSON.stringify(events),
  });
  const answer = await response.text();
  if (!response.ok) throw new Error(`the dashboard answered ${response.status}: ${answer}`);
}
