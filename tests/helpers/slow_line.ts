import type { Context } from "../../lib/core/context.ts";
import type { FileServer } from "../../fakes/file_server.ts";
import type { FakeClock } from "./fake_clock.ts";
import { testContext } from "./test_context.ts";

/**
 * Lets the next answer of a server pause for a second, so that a download that waits for it wants further connections.
 *
 * @param arrivedBytes how much arrived before that answer
 */
export function slowLine(server: FileServer, clock: FakeClock, arrivedBytes = 0): Context {
  const { promise: released, resolve: release } = Promise.withResolvers<void>();
  const afterBytes = Math.min(1024 ** 2, server.content.length >> 1);
  server.faults.push({ kind: "pause", afterBytes, released });
  const context = testContext({ clock });
  context.log.progress = (_label, done) => {
    if (done !== arrivedBytes + afterBytes) return;
    // By then, more is waited for.
    setTimeout(() => {
      clock.advance(1_000);
      release();
    });
  };
  return context;
}
