/** An answer in the place of the one that was asked for. */
export interface Denial {
  readonly status: 400 | 401 | 403 | 404 | 405 | 408 | 413 | 415 | 429 | 500 | 503;
  /** Stable, for programs. */
  readonly code: string;
  /** What could not be done, and why. */
  readonly message: string;
  /** What to do next. */
  readonly hint: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** What one request may hold, where it held more. */
  readonly limits?: { readonly events: number; readonly bytes: number };
}

/** Returns the answer for programs: `{ "error": { "code", "message", "hint" } }`. */
export function denialJson({ status, code, message, hint, limits, headers }: Denial): Response {
  const error = { code, message, hint, ...(limits === undefined ? {} : { limits }) };
  return Response.json({ error }, { status, headers: headers ?? {} });
}

/** Returns the answer for people: plain text, so that it depends on nothing. */
export function denialText({ status, message, hint, headers }: Denial): Response {
  const text = `${message}.\n\n${hint.slice(0, 1).toUpperCase()}${hint.slice(1)}.\n`;
  return new Response(text, { status, headers: { ...headers, "content-type": "text/plain; charset=utf-8" } });
}
