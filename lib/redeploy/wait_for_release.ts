import * as z from "zod";
import type { Context } from "../core/context.ts";
import { FailedError, ModelSyncError } from "../core/errors.ts";
import { bearer, requestJson } from "../http/request.ts";
import { quote } from "../core/quote.ts";
import type { Secret } from "../core/secret.ts";
import { Working } from "../core/working.ts";
import { type Digest, shortDigest } from "../release/manifest.ts";

export interface WaitOptions {
  /** The address that reports the release of the backend. */
  readonly url: string;
  readonly token: Secret | undefined;
  /** A dotted path; `undefined` for the usual ones. */
  readonly field: string | undefined;
  readonly timeoutMs: number;
  readonly pollMs: number;
  readonly requestTimeoutMs: number;
}

/** The field of `model-sync status --json`, and likely names in other responses. */
const USUAL_FIELDS = ["release", "digest", "current.digest", "model_release", "model.release"];

/** The fewest digits of a digest that count: as many as this program shows. */
const PREFIX_DIGITS_MIN = 12;

/**
 * Waits until a backend reports that it serves a release. While it restarts, it may answer anything or nothing: only
 * the time limit is a failure.
 *
 * @returns the time that it took, in milliseconds
 * @throws {FailedError} code `RELEASE_NOT_SERVED`, with the last response of the backend
 */
export async function waitForRelease(
  context: Context,
  release: Digest,
  options: WaitOptions,
): Promise<number> {
  const { clock, log, signal } = context;
  const startedMs = clock.monotonicMs();
  using _working = new Working(context, `waiting for release ${shortDigest(release)}`);
  let last = "";
  for (;;) {
    const reported = await askBackend(context, options);
    if (isSame(reported.release, release)) return Math.round(clock.monotonicMs() - startedMs);
    if (reported.text !== last) {
      log.info(`waiting for release ${shortDigest(release)}: the backend ${reported.text}`);
    }
    last = reported.text;
    const leftMs = startedMs + options.timeoutMs - clock.monotonicMs();
    if (leftMs <= 0) break;
    await clock.sleep(Math.min(options.pollMs, leftMs), signal);
  }
  throw new FailedError(
    `Cannot see release ${shortDigest(release)} at ${new URL(options.url).host} after ${
      options.timeoutMs / 1000
    } s: the backend ${last}`,
    {
      code: "RELEASE_NOT_SERVED",
      hint:
        "check the backend's log; it has to report the digest that `model-sync status --json` shows as current.digest",
    },
  );
}

interface Reported {
  readonly release: string | undefined;
  readonly text: string;
}

async function askBackend(context: Context, options: WaitOptions): Promise<Reported> {
  try {
    const { data } = await requestJson(context, {
      url: options.url,
      headers: { accept: "application/json", "cache-control": "no-cache" },
      credentials: options.token === undefined ? undefined : bearer(options.url, options.token),
      what: "the release of the backend",
      timeoutMs: options.requestTimeoutMs,
    }, z.unknown());
    const fields = options.field === undefined ? USUAL_FIELDS : [options.field];
    const release = fields.map((field) => textAt(data, field)).find((text) => text !== undefined);
    if (release !== undefined) return { release, text: `reports ${quote(release)}` };
    return { release, text: `answers without ${fields.map((field) => `"${field}"`).join(", ")}` };
  } catch (error) {
    if (!(error instanceof ModelSyncError) || context.signal.aborted) throw error;
    return { release: undefined, text: `does not answer yet (${error.message})` };
  }
}

function textAt(data: unknown, field: string): string | undefined {
  let value = data;
  for (const name of field.split(".")) value = new Map(Object.entries(Object(value))).get(name);
  return typeof value === "string" && value !== "" ? value : undefined;
}

/** Compares digests that may be shortened, with or without `sha256:`. */
function isSame(reported: string | undefined, release: Digest): boolean {
  const digits = reported?.trim().toLowerCase().replace(/^sha256:/, "") ?? "";
  return digits.length >= PREFIX_DIGITS_MIN && release.slice("sha256:".length).startsWith(digits);
}
