import { dirname } from "node:path";
import type { AlertsSettings } from "../config/sections/alerts.ts";
import type { ReportSettings } from "../config/sections/report.ts";
import type { Context } from "../core/context.ts";
import { absolutePath, entryKind, findEntry, ifFound } from "../core/files.ts";
import { probeServer } from "../http/probe_server.ts";
import { metricsFileObstacle } from "../metrics/write_metrics_file.ts";
import { channelsOf } from "../notifiers/channels.ts";
import { postEvents } from "../reporting/post_events.ts";
import { receiverOf } from "../reporting/receiver.ts";
import { pingAddress } from "../reporting/send_ping.ts";
import type { Store } from "../store/store.ts";
import { type Check, fail, pass, tried, warn } from "./check.ts";
import { probeWritable } from "./probe_writable.ts";

/** The names of this machine, in the spelling of `URL`. */
const LOOPBACK = /^(?:(?:.*\.)?localhost|127(?:\.\d+){3}|\[::1\])$/;

/** The time limit of a request. An idle dashboard may need a second to start; a person waits for the answer. */
const REQUEST_TIMEOUT_MS = 10_000;

/** Checks that alerts would arrive. None is sent. Needs net permission. */
export async function checkAlerts(context: Context, settings: AlertsSettings): Promise<Check[]> {
  return await Promise.all(
    channelsOf(context.env, settings).map((channel) =>
      tried("alerts", async () => pass("alerts", await channel.check(context)))
    ),
  );
}

/**
 * Checks that reports, pings and metrics would arrive. Sends neither a report nor a ping: the dashboard gets an empty
 * batch, the monitor's server a HEAD request of its root. Needs net and write permission for what is configured.
 */
export async function checkReporting(
  context: Context,
  settings: ReportSettings,
  store: Pick<Store, "root" | "modelsDir">,
): Promise<Check[]> {
  const { url, ping, metrics_file } = settings;
  const { url_env } = ping;
  return await Promise.all([
    ...(url === undefined ? [] : [tried("report", () => checkDashboard(context, settings))]),
    ...(url_env === undefined ? [] : [tried("ping", () => checkPing(context, url_env))]),
    ...(metrics_file === undefined
      ? []
      : [tried("metrics file", () => checkMetricsFile(context, metrics_file, store))]),
  ]);
}

/**
 * Posts an empty batch, which is valid (CloudEvents' JSON format, section 4), exactly as a report is posted. So it
 * finds a wrong address, an invalid certificate, a login page, a redirect and a refused token.
 */
async function checkDashboard(context: Context, settings: ReportSettings): Promise<Check> {
  const receiver = receiverOf(context.env, settings);
  if (receiver === undefined) throw new TypeError("no dashboard is configured");
  await postEvents(context, receiver, [], REQUEST_TIMEOUT_MS);
  const { protocol, host, hostname } = new URL(receiver.url);
  const { token, tokenVariable } = receiver;
  if (protocol === "http:" && !LOOPBACK.test(hostname)) {
    return warn(
      "report",
      `${host} accepts reports, but without TLS: others can read them${
        token === undefined ? "" : " and the token"
      }`,
      "set report.url to an https address",
    );
  }
  const how = token === undefined
    ? `without a token: ${tokenVariable} is not set`
    : `with the token in ${tokenVariable}`;
  return pass("report", `${host} accepts reports, ${how}; an empty batch was sent to try it`);
}

async function checkPing(context: Context, variable: string): Promise<Check> {
  const address = pingAddress(context.env, variable);
  const host = await probeServer(context, address.reveal(), "the address of the monitor", REQUEST_TIMEOUT_MS);
  return pass("ping", `${host} answers; no ping was sent to try it`);
}

function checkMetricsFile(
  { fs }: Context,
  file: string,
  store: Pick<Store, "root" | "modelsDir">,
): Check {
  const path = absolutePath(fs, file);
  const folder = dirname(path);
  const hint = "create the folder that node_exporter reads, or set report.metrics_file to another path";
  const found = ifFound(() => fs.statSync(folder));
  if (found?.isDirectory !== true) {
    return fail(
      "metrics file",
      `${folder} ${found === undefined ? "does not exist" : "is not a folder"}`,
      hint,
    );
  }
  const obstacle = metricsFileObstacle(fs, path, store);
  if (obstacle !== undefined) return fail("metrics file", `${path}: ${obstacle}`, hint);
  const entry = findEntry(fs, path);
  if (entry?.isFile === false) {
    return fail("metrics file", `${path} is ${entryKind(entry)}, not a file`, hint);
  }
  const reason = probeWritable(fs, folder);
  return reason === undefined
    ? pass("metrics file", `${folder} is writable`)
    : fail("metrics file", `${folder} is not writable: ${reason}`, "run as a user that may write there");
}
