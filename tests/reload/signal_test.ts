import assert from "node:assert/strict";
import { reloadConsumers } from "../../lib/reload/reload_consumers.ts";
import { hooks, releaseOf, reloadContext } from "../helpers/reload_world.ts";

const POSIX = { ignore: Deno.build.os === "windows" };

/** A process that waits for ever, and ends by any signal. */
function startService() {
  return new Deno.Command("cat", { stdin: "piped", stdout: "null" }).spawn();
}

Deno.test(
  "the process of the pid file gets the configured signal, by default SIGHUP",
  POSIX,
  async () => {
    using release = releaseOf({ "a.onnx": "a" });
    const file = `${release.path}/bot.pid`;
    for (
      const [signal, written] of [["SIGHUP", {}], ["SIGUSR1", { signal: "SIGUSR1" }]] as const
    ) {
      await using service = startService();
      Deno.writeTextFileSync(file, `${service.pid}\n`);
      await reloadConsumers(
        reloadContext(),
        hooks({ type: "signal", pid_file: file, ...written }),
        release.news,
      );
      assert.equal((await service.status).signal, signal);
      await service.stdin.abort();
    }
  },
);

Deno.test(
  "no signal is sent to init, a process group, all processes, this program, or for an invalid pid",
  POSIX,
  async () => {
    using release = releaseOf({ "a.onnx": "a" });
    const file = `${release.path}/bot.pid`;
    for (
      const content of ["0", "1", "-1", "-12", String(Deno.pid), "", "12 13", "0x10", "1e3", "9".repeat(40)]
    ) {
      Deno.writeTextFileSync(file, content);
      const context = reloadContext();
      await assert.rejects(
        reloadConsumers(context, hooks({ type: "signal", pid_file: file }), release.news),
        { code: "RELOAD_FAILED", message: /holds ".*", which is not the pid of another process/ },
        content,
      );
      assert.deepEqual(context.clock.pausesMs, []);
    }
  },
);

Deno.test("a missing process is retried, and then reported", POSIX, async () => {
  using release = releaseOf({ "a.onnx": "a" });
  const file = `${release.path}/bot.pid`;
  const missing = reloadContext();
  const hook = hooks({ type: "signal", pid_file: file, retries: 1 });
  await assert.rejects(reloadConsumers(missing, hook, release.news), {
    code: "RELOAD_FAILED",
    message: /bot\.pid does not exist$/,
  });
  assert.equal(missing.clock.pausesMs.length, 1);
  const service = startService();
  await service.stdin.close();
  await service.status;
  Deno.writeTextFileSync(file, String(service.pid));
  await assert.rejects(reloadConsumers(reloadContext(), hook, release.news), {
    code: "RELOAD_FAILED",
    message: new RegExp(`process ${service.pid} does not exist$`),
  });
});

Deno.test("a pid file that is a pipe is refused instead of waiting for it", POSIX, async () => {
  using release = releaseOf({ "a.onnx": "a" });
  const file = `${release.path}/bot.pid`;
  assert.ok(new Deno.Command("mkfifo", { args: [file] }).outputSync().success);
  await assert.rejects(
    reloadConsumers(reloadContext(), hooks({ type: "signal", pid_file: file }), release.news),
    { code: "RELOAD_FAILED", message: /is not a file$/ },
  );
});
