import assert from "node:assert/strict";
import { reloadConsumers } from "../../lib/reload/reload_consumers.ts";
import { findProcess, sendSignal } from "../../lib/reload/send_signal.ts";
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

Deno.test({
  name: "a signal that is not permitted is not retried, and the hint names the permission and the user",
  ...POSIX,
  permissions: { read: "inherit", write: "inherit", env: "inherit", sys: "inherit", run: false },
  fn: async () => {
    using release = releaseOf({ "a.onnx": "a" });
    const file = `${release.path}/bot.pid`;
    Deno.writeTextFileSync(file, String(Deno.ppid));
    const context = reloadContext();
    const [hook = assert.fail()] = hooks({ type: "signal", pid_file: file, retries: 1 });
    assert.ok(hook.type === "signal");
    const expected = { code: "SIGNAL_FORBIDDEN", message: /^SIGHUP to process \d+ is not permitted$/ };
    await assert.rejects(sendSignal(context, hook), {
      ...expected,
      hint: /user of the service.*run permission/,
    });
    assert.throws(() => findProcess(Deno, hook), expected);
    assert.deepEqual(context.clock.pausesMs, []);
  },
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
