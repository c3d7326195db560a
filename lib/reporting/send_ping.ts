import type { PingStyle } from "../config/sections/report.ts";
import { cleanLine } from "../core/clean_text.ts";
import type { Environment } from "../core/context.ts";
import { EXIT, UsageError } from "../core/errors.ts";
import { exchange } from "../http/request.ts";
import type { HttpContext, HttpRequest } from "../http/request_types.ts";
import { statusError } from "../http/status_error.ts";
import { requirePassword } from "../core/read_secret.ts";
import type { Secret } from "../core/secret.ts";
import { parseWebAddress, urlSecrets } from "../http/web_address.ts";
import type { RunRecord } from "../store/history.ts";

/**
 * Pings for a dead man's switch.
 *
 * - `healthchecks` (https://healthchecks.io/docs/http_api/): `/start` when a run begins, the address itself when it
 *   succeeded, `/<exit code>` when it failed, each with `rid`, a UUID that connects start and end. The log of the check
 *   shows the body of a POST.
 * - `plain`: one GET at the end with `status=up` or `down`, `msg` and `ping` (milliseconds), as Uptime Kuma's push
 *   monitors read them. A monitor that ignores `status` takes a failure for a success.
 */

/** The bound of a body. Hosted Healthchecks keeps 100 kB, a self-hosted one 10 kB. */
const BODY_CHARS_MAX = 10_000;

/** The bound of a message, which Uptime Kuma shows in one line of a list. */
const MESSAGE_CHARS_MAX = 250;

/** Uptime Kuma answers 400 to times over a day. */
const PING_MS_MAX = 86_400_000;

/**
 * Returns the monitor's address.
 *
 * @throws {AuthenticationError} code `SECRET_MISSING`; {@link UsageError} code `ADDRESS_INVALID`, without the address
 */
export function pingAddress(env: Environment, variable: string): Secret {
  const address = requirePassword(env, variable, {
    failure: "Cannot ping the monitor: ",
    code: "SECRET_MISSING",
    advice: " to the ping address that the monitor shows",
  });
  const text = address.reveal().trim();
  if (parseWebAddress(text) !== undefined) return address.map(() => text);
  throw new UsageError(`Cannot ping the monitor: the value of ${variable} is not an http address`, {
    code: "ADDRESS_INVALID",
    hint: `put the ping address that the monitor shows into ${variable}`,
  });
}

/** Pings that a run began, where the style has such a ping. */
export async function sendStartPing(
  context: HttpContext,
  style: PingStyle,
  address: Secret,
  runId: string,
  timeoutMs: number,
): Promise<void> {
  if (style !== "healthchecks") return;
  await send(
    context,
    { url: await healthchecksUrl(address, "/start", runId), method: "POST" },
    address,
    timeoutMs,
  );
}

/** Pings how a run ended. @throws {ModelSyncError} when the monitor does not accept the ping */
export async function sendEndPing(
  context: HttpContext,
  style: PingStyle,
  address: Secret,
  record: RunRecord,
  timeoutMs: number,
): Promise<void> {
  const request = style === "healthchecks"
    ? await healthchecksEnd(address, record)
    : plainEnd(address, record);
  await send(context, request, address, timeoutMs);
}

type PingRequest = Pick<HttpRequest, "url" | "body"> & { readonly method: "GET" | "POST" };

async function healthchecksEnd(address: Secret, record: RunRecord): Promise<PingRequest> {
  const code = exitCodeOf(record);
  const url = await healthchecksUrl(address, code === EXIT.done ? "" : `/${code}`, record.runId);
  return { url, method: "POST", body: bodyOf(record) };
}

async function healthchecksUrl(address: Secret, suffix: string, runId: string): Promise<string> {
  const url = new URL(address.reveal());
  url.pathname = url.pathname.replace(/\/+$/, "") + suffix;
  url.searchParams.set("rid", await uuidOf(runId));
  return url.href;
}

function plainEnd(address: Secret, record: RunRecord): PingRequest {
  const url = new URL(address.reveal());
  const { error, durationMs } = record;
  url.searchParams.set("status", error === undefined ? "up" : "down");
  url.searchParams.set("msg", cleanLine(summaryOf(record), { charsMax: MESSAGE_CHARS_MAX }));
  if (durationMs >= 0 && durationMs <= PING_MS_MAX) url.searchParams.set("ping", String(durationMs));
  else url.searchParams.delete("ping");
  return { url: url.href, method: "GET" };
}

/** Returns the exit code of the run. Records of earlier versions have errors without one. */
function exitCodeOf({ error }: RunRecord): number {
  return error === undefined ? EXIT.done : error.exitCode ?? EXIT.failed;
}

function summaryOf({ command, outcome, error }: RunRecord): string {
  return error === undefined
    ? `${command}: ${outcome}`
    : `${command}: ${outcome}: ${error.message} (${error.code})`;
}

/** Returns the error and its hint, and as many of the last log lines as fit. */
function bodyOf(record: RunRecord): string {
  const hint = record.error?.hint;
  const head = [summaryOf(record), ...(hint === undefined ? [] : [hint])];
  let left = BODY_CHARS_MAX - head.join("\n").length;
  const lines: string[] = [];
  for (const line of (record.log ?? []).toReversed()) {
    left -= line.length + 1;
    if (left < 0) break;
    lines.push(line);
  }
  return [...head, ...lines.toReversed()].join("\n");
}

/** Returns a UUID of version 8 (RFC 9562) that is always the same for a run. */
async function uuidOf(runId: string): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(runId)));
  const hex = Array.from(digest.subarray(0, 16), (byte) => byte.toString(16).padStart(2, "0")).join("");
  const variant = ((digest[8] ?? 0) & 0x3f | 0x80).toString(16);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-${variant}${hex.slice(18, 20)}-${
    hex.slice(20)
  }`;
}

async function send(
  context: HttpContext,
  ping: PingRequest,
  address: Secret,
  timeoutMs: number,
): Promise<void> {
  const request: HttpRequest & { readonly timeoutMs: number } = {
    ...ping,
    verb: "ping",
    what: "the monitor",
    secrets: urlSecrets(new URL(address.reveal())),
    timeoutMs,
  };
  await exchange(context, request, async (response) => {
    if (!response.ok) throw await statusError(context, request, response);
    await response.body?.cancel();
  });
}
