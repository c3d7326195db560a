import assert from "node:assert/strict";

/** Asserts that a pause lasts as long as a server requested, and up to half as long again: clients spread. */
export function assertPause(
  pausedMs: number | undefined,
  requestedMs: number,
  spreadMs = requestedMs / 2,
): void {
  assert.ok(isPause(pausedMs, requestedMs, spreadMs), `${pausedMs} ms, requested ${requestedMs} ms`);
}

/** As {@link assertPause}, for one of several pauses. */
export function assertSomePause(pausesMs: readonly number[], requestedMs: number): void {
  const found = pausesMs.some((pausedMs) => isPause(pausedMs, requestedMs, requestedMs / 2));
  assert.ok(found, `${pausesMs.join(", ")} ms, requested ${requestedMs} ms`);
}

function isPause(pausedMs: number | undefined, requestedMs: number, spreadMs: number): boolean {
  return pausedMs !== undefined && pausedMs >= requestedMs && pausedMs <= requestedMs + spreadMs;
}
