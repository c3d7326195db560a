import { PassingError } from "./errors.ts";

/** What a request is called in its errors. */
export interface NamedRequest {
  /** What it is about: `the state of job 12`. */
  readonly what: string;
  /** What is done to that: `create`; `read` where nothing is said. */
  readonly verb?: string | undefined;
}

/** What could not be done when a request fails: `read the state of job 12`. */
export function actionOf({ verb = "read", what }: NamedRequest): string {
  return `${verb} ${what}`;
}

/** What a failed connection, or one that broke while a body was read, stands for. */
export function networkError(
  error: unknown,
  request: NamedRequest,
  host: string,
  signal?: AbortSignal,
): unknown {
  if (signal?.aborted) return signal.reason;
  // Deno tells what the network did in a TypeError, or in an error of its own while a body is read.
  if (!(error instanceof TypeError || error instanceof Deno.errors.Http || isSystemFault(error))) {
    return error;
  }
  return new PassingError(`Cannot ${actionOf(request)}: ${host} did not answer (${faultOf(error)})`, {
    code: "UNREACHABLE",
    cause: error,
    hint: `check the network, and that ${host} is right`,
  });
}

function isSystemFault(error: unknown): error is Error {
  return error instanceof Error &&
    [
      Deno.errors.ConnectionReset,
      Deno.errors.ConnectionAborted,
      Deno.errors.ConnectionRefused,
      Deno.errors.BrokenPipe,
      Deno.errors.UnexpectedEof,
      Deno.errors.TimedOut,
    ].some((fault) => error instanceof fault);
}

/**
 * What the network did, without the address. Deno 2.9 tells it in the innermost cause of `fetch failed`, Deno 2.6 at
 * the end of `error sending request for url (…): client error (Connect): tcp connect error: Connection refused`.
 */
function faultOf(error: Error): string {
  let innermost = error;
  for (let depth = 0; innermost.cause instanceof Error && depth < CAUSES_MAX; depth++) {
    innermost = innermost.cause;
  }
  const message = innermost.message.replace(/\(https?:[^)]*\)/g, "");
  return message.split(": ").at(-1) ?? "";
}

/** A chain of causes is three long; a circle must end. */
const CAUSES_MAX = 10;
