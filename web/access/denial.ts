/** An answer in the place of the one that was asked for. */
export interface Denial {
  readonly status: 400 | 401 | 403 | 405 | 408 | 413 | 415 | 429 | 503;
  /** Stable, for programs. */
  readonly code: string;
  /** What could not be done, and why. */
  readonly message: string;
  /** What to do next. */
  readonly hint: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Returns the answer for programs: `{ "error": { "code", "message", "hint" } }`. */
export function denialJson({ status, code, message, hint, headers }: Denial): Response {
  return Response.json({ error: { code, message, hint } }, { status, headers: headers ?? {} });
}

/** Returns the answer for people: plain text, so that it depends on nothing. */
export function denialText({ status, message, hint, headers }: Denial): Response {
  const text = `${message}.\n\n${hint.slice(0, 1).toUpperCase()}${hint.slice(1)}.\n`;
  return new Response(text, { status, headers: { ...headers, "content-type": "text/plain; charset=utf-8" } });
}
