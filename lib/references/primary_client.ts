import * as z from "zod";
import type { Context } from "../core/context.ts";
import { decodeUtf8 } from "../core/decode_utf8.ts";
import { RefusedError, TransientError, UnreachableError, UsageError } from "../core/errors.ts";
import type { Credentials, HttpRequest } from "../http/request_types.ts";
import { exchange, readBody } from "../http/request.ts";
import { statusError } from "../http/status_error.ts";
import { parseJson } from "../core/json.ts";
import { type RetryPolicy, withRetry } from "../core/retry.ts";
import { redactUrls, Secret } from "../core/secret.ts";
import { parseWebAddress } from "../http/web_address.ts";
import type { Category } from "../config/sections/references.ts";

/** The path of the API behind the server's usual proxy. Without a proxy, it is also at the root. */
const API_PREFIX = "/api";

/** The largest category has 1.1 MB. 64 MiB of text, parsed, fit into the memory of a small server. */
const RECORDS_BYTES_MAX = 64 * 1024 * 1024;

/** Enough for `{"last_updated": 1729864800}`, and for fields of later servers. */
const METADATA_BYTES_MAX = 1024 * 1024;

/**
 * As in the original tool: three attempts, 1 to 15 s apart. Half of a pause is fixed, so the first is at least 1 s. If
 * a server requires more than a minute, the client gives up: a watch polls again, and a single sync has other
 * categories.
 */
const RETRIES: RetryPolicy = {
  attemptsMax: 3,
  firstDelayMs: 2_000,
  delayMsMax: 15_000,
  retryAfterMsMax: 60_000,
};

/**
 * One attempt: the watch repeats polls and counts failures. An unreachable server is not retried for each category,
 * either.
 */
const NO_RETRIES: RetryPolicy = { ...RETRIES, attemptsMax: 1 };

/** The error codes for no answer. */
const SILENCE: readonly string[] = ["UNREACHABLE", "TIMEOUT", "PROXY_REFUSED"];

const LastUpdated = z.object({ last_updated: z.int().nullable() });

/** A request to the server. */
interface Question {
  /** The path below the address, with its slash. */
  readonly path: string;
  /** For errors: `the records of clip`. */
  readonly what: string;
  readonly bytesMax: number;
  readonly retries: RetryPolicy;
  /** Returns the error for a status with a special meaning. */
  readonly meaning: (status: number, said: UnreachableError) => UnreachableError | undefined;
}

/** The server's answer, or the error if it seems to have no such path. */
type Answer =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "absent" | "page"; readonly error: UnreachableError };

export interface PrimaryClientOptions {
  /** With or without `/api` at its end, and any number of slashes; may contain a login. */
  readonly baseUrl: string;
  /** The time limit for one attempt. */
  readonly timeoutMs: number;
}

/**
 * A PRIMARY server: the database of model records from which the reference files are generated (version 1 of its API,
 * which answers in the files' format). Reading needs no key.
 */
export class PrimaryClient {
  /** The server's address for display: without credentials and a slash at its end. */
  readonly shownUrl: string;
  readonly #context: Pick<Context, "http" | "clock" | "log" | "signal">;
  readonly #timeoutMs: number;
  readonly #credentials: Credentials | undefined;
  /** The addresses at which the API may be: the given one first. */
  readonly #bases: readonly string[];
  /** The address that has answered. */
  #answering: string | undefined;
  /** Whether the last request got no answer after all attempts. */
  #isAway = false;

  /** @throws {UsageError} code `ADDRESS_INVALID` */
  constructor(
    context: Pick<Context, "http" | "clock" | "log" | "signal">,
    { baseUrl, timeoutMs }: PrimaryClientOptions,
  ) {
    const url = parseBase(baseUrl);
    const path = url.pathname.replace(/\/+$/, "");
    const otherPath = path.endsWith(API_PREFIX) ? path.slice(0, -API_PREFIX.length) : path + API_PREFIX;
    this.#context = context;
    this.#timeoutMs = timeoutMs;
    this.#credentials = credentialsOf(url);
    this.#bases = [url.origin + path, url.origin + otherPath];
    this.shownUrl = url.origin + path;
  }

  /**
   * Returns the records of a category as the server's JSON text: an object of records by name.
   *
   * @throws {UnreachableError} code `RECORDS_MISSING` where the server has none, `CATEGORY_UNKNOWN`, `ANSWER_INVALID`
   * (a page, other bytes than UTF-8, nothing), `ANSWER_TOO_LARGE`; {@link TransientError} after three attempts, or one
   * if the request before got no answer either;
   * {@link RefusedError} code `REDIRECT_REFUSED`; {@link AuthenticationError}; the signal's reason
   */
  async records(category: Category): Promise<string> {
    return await this.#ask({
      path: `/model_references/v1/${category}`,
      what: `the records of ${category}`,
      bytesMax: RECORDS_BYTES_MAX,
      retries: RETRIES,
      meaning: (status) => recordsError(status, category),
    });
  }

  /**
   * Returns when a record last changed, in seconds since 1970 by the server's clock; `null` while it has no timestamp.
   * Makes one attempt.
   *
   * @throws as {@link records}; {@link TransientError} code `HTTP_503` also from a server that is not a PRIMARY
   */
  async lastUpdated(): Promise<number | null> {
    const what = "when the records changed last";
    const text = await this.#ask({
      path: "/model_references/v1/metadata/last_updated",
      what,
      bytesMax: METADATA_BYTES_MAX,
      retries: NO_RETRIES,
      meaning: metadataError,
    });
    const parsed = LastUpdated.safeParse(parseJson(text));
    if (parsed.success) return parsed.data.last_updated;
    throw new UnreachableError(
      `Cannot read ${what}: ${this.#host} did not answer {"last_updated": seconds or null}`,
      { code: "ANSWER_INVALID", hint: CHECK_ADDRESS },
    );
  }

  get #host(): string {
    return new URL(this.shownUrl).host;
  }

  /** Sends a request to the address that has answered before, or else to both. */
  async #ask(question: Question): Promise<string> {
    let refusal: UnreachableError | undefined;
    for (const base of this.#answering === undefined ? this.#bases : [this.#answering]) {
      const answer = await this.#askPatiently(base, question);
      if (answer.kind === "text") {
        this.#answering = base;
        return answer.text;
      }
      // Some sites answer every path with their front page: "not found" is more specific.
      if (refusal === undefined || answer.kind === "absent") refusal = answer.error;
    }
    throw refusal ?? new TypeError("a server without an address");
  }

  async #askPatiently(base: string, question: Question): Promise<Answer> {
    try {
      const retries = this.#isAway ? NO_RETRIES : question.retries;
      const answer = await withRetry(this.#context, retries, () => this.#askAt(base, question));
      this.#isAway = false;
      return answer;
    } catch (error) {
      this.#isAway = error instanceof TransientError && SILENCE.includes(error.code);
      throw error;
    }
  }

  async #askAt(base: string, question: Question): Promise<Answer> {
    const request = {
      url: base + question.path,
      what: question.what,
      headers: { accept: "application/json" },
      credentials: this.#credentials,
      timeoutMs: this.#timeoutMs,
    };
    return await exchange(this.#context, request, async (response) => {
      if (!response.ok) return await this.#failure(request, question, response);
      await refuseOtherHost(request, response);
      const text = await readWhole(request, response, question.bytesMax);
      if (!/^\s*</.test(text)) return { kind: "text", text };
      return {
        kind: "page",
        error: invalidAnswer(request, "answered a page (HTML) instead of JSON"),
      };
    });
  }

  /** @throws the error for the status, unless that is "not found" */
  async #failure(request: HttpRequest, question: Question, response: Response): Promise<Answer> {
    const said = await statusError(this.#context, request, response);
    const { status } = response;
    if (!(said instanceof UnreachableError)) throw said;
    const error = question.meaning(status, said) ?? said;
    if (status === 404) return { kind: "absent", error };
    if (status < 500 || error instanceof TransientError) throw error;
    // A server error may be temporary whatever its status.
    throw new TransientError(error.message, { code: error.code, hint: error.hint });
  }
}

const CHECK_ADDRESS = "check the address: is this a PRIMARY server?";

function recordsError(status: number, category: Category): UnreachableError | undefined {
  const subject = `Cannot read the records of ${category}`;
  if (status === 404) {
    return new UnreachableError(
      `${subject}: PRIMARY has no records for ${category} (missing or empty there)`,
      {
        code: "RECORDS_MISSING",
        hint: "omit it from --categories; if every category is missing, check the address",
      },
    );
  }
  if (status !== 422) return undefined;
  return new UnreachableError(`${subject}: PRIMARY does not know the category ${category}`, {
    code: "CATEGORY_UNKNOWN",
    hint: "omit it from --categories, or update the server",
  });
}

function metadataError(status: number, said: UnreachableError): UnreachableError | undefined {
  if (status === 404) {
    return new UnreachableError("Cannot read when the records changed last: PRIMARY has no such endpoint", {
      code: "METADATA_MISSING",
      hint: CHECK_ADDRESS,
    });
  }
  if (status !== 503 || !(said instanceof TransientError)) return undefined;
  return new TransientError(said.message, {
    code: said.code,
    retryAfterMs: said.retryAfterMs,
    hint: "PRIMARY must not be a replica, and its canonical format must be legacy",
  });
}

function parseBase(baseUrl: string): URL {
  const text = baseUrl.trim();
  const address = parseWebAddress(text);
  if (address !== undefined) return address;
  throw new UsageError(`Cannot query PRIMARY: "${redactUrls(text)}" is not an http address`, {
    code: "ADDRESS_INVALID",
    hint: "set --primary-url to the server's address, for example https://models.example.org/api",
  });
}

/** Returns the header for a login in an address (RFC 7617). */
function credentialsOf(url: URL): Credentials | undefined {
  if (url.username === "" && url.password === "") return undefined;
  const bytes = new TextEncoder().encode(`${decodePart(url.username)}:${decodePart(url.password)}`);
  const encoded = btoa(String.fromCharCode(...bytes));
  return { origin: url.origin, headers: { authorization: new Secret(`Basic ${encoded}`) } };
}

function decodePart(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    // A percent sign that is not an escape stays.
    return text;
  }
}

/** A redirect to the same server over https is allowed. Another server's records may be different. */
async function refuseOtherHost(request: HttpRequest, response: Response): Promise<void> {
  if (!URL.canParse(response.url)) return;
  const [asked, answered] = [new URL(request.url), new URL(response.url)];
  if (asked.hostname === answered.hostname) return;
  await response.body?.cancel();
  throw new RefusedError(`Cannot read ${request.what}: ${asked.host} redirects to ${answered.origin}`, {
    code: "REDIRECT_REFUSED",
    hint: "if that server is the right one, set --primary-url to its address",
  });
}

async function readWhole(request: HttpRequest, response: Response, bytesMax: number): Promise<string> {
  const pieces: Uint8Array<ArrayBuffer>[] = [];
  for await (const piece of readBody(response, request, bytesMax)) pieces.push(new Uint8Array(piece));
  const text = decodeUtf8(new Uint8Array(await new Blob(pieces).arrayBuffer()));
  if (text === undefined) throw invalidAnswer(request, "sent an answer that is not UTF-8");
  if (text.trim() === "") throw invalidAnswer(request, "sent an empty answer");
  // A byte order mark is not part of the JSON.
  return text.replace(/^\ufeff/, "");
}

function invalidAnswer(request: HttpRequest, what: string): UnreachableError {
  return new UnreachableError(`Cannot read ${request.what}: ${new URL(request.url).host} ${what}`, {
    code: "ANSWER_INVALID",
    hint: CHECK_ADDRESS,
  });
}
