import type { Context } from "../../lib/core/context.ts";
import type { FileServer } from "../../fakes/file_server.ts";
import type { FakeClock } from "../helpers/fake_clock.ts";
import { testContext } from "../helpers/test_context.ts";

/**
 * Pauses the next answer of a server for a second, so that a waiting download opens further connections.
 *
 * @param arrivedBytes the bytes that arrived before that answer
 */
export function slowLine(server: FileServer, clock: FakeClock, arrivedBytes = 0): Context {
  const { promise: released, resolve: release } = Promise.withResolvers<void>();
  const afterBytes = Math.min(1024 ** 2, server.content.length >> 1);
  server.faults.push({ kind: "pause", afterBytes, released });
  const context = testContext({ clock });
  context.log.progress = (_label, done) => {
    if (done !== arrivedBytes + afterBytes) return;
    // By then, the download waits for more.
    setTimeout(() => {
      clock.advance(1_000);
      release();
    });
  };
  return context;
}
