import assert from "node:assert/strict";
import { join } from "node:path";
import { openDatagramSocket } from "../../lib/daemon/datagram_socket.ts";
import { connectServiceManager, type ServiceManagerOptions } from "../../lib/daemon/systemd.ts";
import { FakeClock } from "../helpers/fake_clock.ts";
import { NotifyReceiver } from "../helpers/notify_receiver.ts";
import { tempDir } from "../helpers/temp_dir.ts";
import { fixedEnvironment, testContext } from "../helpers/test_context.ts";

const OPTIONS: ServiceManagerOptions = {
  openSocket: (fs) => openDatagramSocket(fs),
  isAlive: () => true,
  pid: 4711,
};

/** An abstract name, where the runtime knows them: Deno does since 2.9. */
const ABSTRACT_NAMES = Deno.build.os === "linux" && !/^2\.[6-8]\./.test(Deno.version.deno)
  ? [`@model-sync-test-${crypto.randomUUID()}`]
  : [];

const onLinux = { ignore: Deno.build.os !== "linux" };

Deno.test(
  "a daemon reports over a path and over an abstract name, in the order of events",
  onLinux,
  async () => {
    using dir = tempDir();
    for (const address of [join(dir.path, "notify"), ...ABSTRACT_NAMES]) {
      using receiver = new NotifyReceiver(address);
      const context = testContext({ env: fixedEnvironment({ NOTIFY_SOCKET: address }) });
      const manager = connectServiceManager(context, OPTIONS);
      manager.ready("client: next run at 06:00");
      assert.deepEqual(await receiver.next(), ["READY=1", "STATUS=client: next run at 06:00"]);
      manager.status("client: running");
      assert.deepEqual(await receiver.next(), ["STATUS=client: running"]);
      manager.stopping();
      assert.deepEqual(await receiver.next(), ["STOPPING=1", "STATUS=stopping"]);
      await manager.close();
      assert.deepEqual(context.log.lines, []);
    }
  },
);

Deno.test("a status is one short line, whatever is in it", onLinux, async () => {
  using dir = tempDir();
  using receiver = new NotifyReceiver(join(dir.path, "notify"));
  const context = testContext({ env: fixedEnvironment({ NOTIFY_SOCKET: receiver.address }) });
  const manager = connectServiceManager(context, OPTIONS);
  manager.status("first\nWATCHDOG=trigger\u001b[31m");
  assert.deepEqual(await receiver.next(), ["STATUS=first WATCHDOG=trigger"]);
  manager.status("x".repeat(100_000));
  const [line = ""] = await receiver.next();
  assert.ok(line.length < 400, String(line.length));
  await manager.close();
});

Deno.test(
  "the watchdog hears from a daemon at half of its time, while the daemon is alive",
  onLinux,
  async () => {
    using dir = tempDir();
    using receiver = new NotifyReceiver(join(dir.path, "notify"));
    const clock = new FakeClock("2026-11-29T12:00:00Z");
    const env = fixedEnvironment({
      NOTIFY_SOCKET: receiver.address,
      WATCHDOG_USEC: "20000000",
      WATCHDOG_PID: "4711",
    });
    const context = testContext({ env, clock });
    let alive = true;
    const manager = connectServiceManager(context, { ...OPTIONS, isAlive: () => alive });
    manager.ready("up");
    assert.deepEqual(await receiver.next(), ["READY=1", "STATUS=up", "WATCHDOG=1"]);
    clock.advance(9_999);
    clock.advance(1);
    assert.deepEqual(await receiver.next(), ["WATCHDOG=1"]);

    alive = false;
    clock.advance(10_000);
    await asleepAgain();
    clock.advance(10_000);
    await asleepAgain();
    // No message came in between: the next one is this.
    manager.status("stuck");
    assert.deepEqual(await receiver.next(), ["STATUS=stuck"]);
    assert.equal(context.log.lines.filter((line) => /stuck/.test(line)).length, 1);

    alive = true;
    clock.advance(10_000);
    assert.deepEqual(await receiver.next(), ["WATCHDOG=1"]);
    await manager.close();
  },
);

/** Lets what is due on the fake clock run until it sleeps again. */
async function asleepAgain(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
}

Deno.test(
  "no watchdog message is sent without a watchdog, or to that of another process",
  onLinux,
  async () => {
    const watchdogs: Record<string, string>[] = [
      {},
      { WATCHDOG_USEC: "" },
      { WATCHDOG_USEC: "0" },
      { WATCHDOG_USEC: "soon" },
      { WATCHDOG_USEC: "20000000", WATCHDOG_PID: "4712" },
    ];
    for (const variables of watchdogs) {
      using dir = tempDir();
      using receiver = new NotifyReceiver(join(dir.path, "notify"));
      const env = fixedEnvironment({ NOTIFY_SOCKET: receiver.address, ...variables });
      const manager = connectServiceManager(testContext({ env }), OPTIONS);
      manager.ready("up");
      await manager.close();
      assert.deepEqual(await receiver.next(), ["READY=1", "STATUS=up"], JSON.stringify(variables));
    }
  },
);

Deno.test("without a service manager nothing is opened and nothing is logged", async () => {
  for (const variables of [{}, { NOTIFY_SOCKET: "" }]) {
    const context = testContext({ env: fixedEnvironment({ ...variables, WATCHDOG_USEC: "1000" }) });
    const openSocket = () => assert.fail("a socket was opened");
    const manager = connectServiceManager(context, { ...OPTIONS, openSocket });
    manager.ready("up");
    manager.stopping();
    await manager.close();
    assert.deepEqual(context.log.lines, []);
  }
});

Deno.test("a service manager that cannot be reached costs one warning", async () => {
  using dir = tempDir();
  const nowhere = [
    join(dir.path, "gone"),
    `@gone-${crypto.randomUUID()}`,
    "relative",
    "vsock:2:1234",
    `/${"x".repeat(300)}`,
  ];
  for (const address of nowhere) {
    const spawn = () => assert.fail("no such program");
    const context = testContext({ env: fixedEnvironment({ NOTIFY_SOCKET: address }), spawn });
    const manager = connectServiceManager(context, OPTIONS);
    manager.ready("up");
    for (const text of ["one", "two", "three"]) {
      manager.status(text);
      await asleepAgain();
    }
    manager.stopping();
    await manager.close();
    assert.equal(context.log.lines.length, 1, context.log.lines.join("\n"));
    assert.match(context.log.lines[0] ?? "", /^warn cannot report to the service manager/);
  }
});

Deno.test("a manager that restarts gets reports again", onLinux, async () => {
  using dir = tempDir();
  const address = join(dir.path, "notify");
  const spawn = () => assert.fail("no such program");
  const context = testContext({ env: fixedEnvironment({ NOTIFY_SOCKET: address }), spawn });
  const manager = connectServiceManager(context, OPTIONS);
  manager.ready("up");
  while (context.log.lines.length === 0) await new Promise((resolve) => setTimeout(resolve, 1));
  using receiver = new NotifyReceiver(address);
  manager.status("still here");
  assert.deepEqual(await receiver.next(), ["STATUS=still here"]);
  await manager.close();
});

Deno.test("a socket that accepts no message does not delay the end of the daemon", async () => {
  const clock = new FakeClock("2026-11-29T12:00:00Z");
  const context = testContext({
    env: fixedEnvironment({ NOTIFY_SOCKET: "/run/full" }),
    clock,
    spawn: () => assert.fail("no such program"),
  });
  let closed = 0;
  const openSocket = () => ({
    send: () => new Promise<void>(() => {}),
    [Symbol.dispose]: () => void closed++,
  });
  const manager = connectServiceManager(context, { ...OPTIONS, openSocket });
  manager.ready("up");
  await asleepAgain();
  const closing = manager.close();
  clock.advance(5_000);
  await closing;
  assert.equal(closed, 1);
  assert.match(context.log.lines.join("\n"), /the socket takes no message/);
});

Deno.test("where the socket cannot be used, systemd-notify reports, from the first message on", async () => {
  const calls: { args: readonly string[]; env: Readonly<Record<string, string>> | undefined }[] = [];
  const context = testContext({
    env: fixedEnvironment({ NOTIFY_SOCKET: "/run/systemd/notify" }),
    spawn: ({ command, args, env }) => {
      assert.equal(command, "systemd-notify");
      calls.push({ args, env });
      return { stdout: (async function* () {})(), exit: Promise.resolve({ code: 0, stderr: "" }) };
    },
  });
  let opened = 0;
  const openSocket = () => {
    opened++;
    throw new Deno.errors.PermissionDenied("Permission denied (os error 13)");
  };
  const manager = connectServiceManager(context, { ...OPTIONS, openSocket });
  manager.ready("up");
  await asleepAgain();
  manager.stopping();
  await manager.close();
  const env = { NOTIFY_SOCKET: "/run/systemd/notify" };
  assert.deepEqual(calls[0], { args: ["--pid=4711", "READY=1", "STATUS=up"], env });
  assert.deepEqual(calls.at(-1), { args: ["--pid=4711", "STOPPING=1", "STATUS=stopping"], env });
  assert.equal(opened, 1);
  assert.deepEqual(context.log.lines, []);
});

Deno.test("a socket with a file of its own leaves none behind", onLinux, async () => {
  using dir = tempDir();
  using receiver = new NotifyReceiver(join(dir.path, "notify"));
  // As in runtimes without abstract names.
  const bind = (path: string) => {
    if (path.startsWith("\0")) throw new TypeError("paths must not contain interior null bytes");
    return Deno.listenDatagram({ transport: "unixpacket", path });
  };
  const made: string[] = [];
  const fs = {
    ...Deno,
    makeTempDirSync(options?: Deno.MakeTempOptions) {
      const folder = Deno.makeTempDirSync({ ...options, dir: dir.path });
      made.push(folder);
      return folder;
    },
  };
  using socket = openDatagramSocket(fs, bind);
  await socket.send(receiver.address, new TextEncoder().encode("READY=1"));
  assert.deepEqual(await receiver.next(), ["READY=1"]);
  assert.equal(made.length, 1);
  assert.deepEqual(Array.from(Deno.readDirSync(dir.path), ({ name }) => name), ["notify"]);
});
