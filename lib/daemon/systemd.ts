import { type Context, neverAborted } from "../core/context.ts";
import { cleanLine } from "../core/clean_text.ts";
import { FailedError, messageOf } from "../core/errors.ts";
import { runProcess } from "../core/subprocess.ts";
import type { DatagramSocket, OpenDatagramSocket } from "./datagram_socket.ts";

/** Reports to the service manager that started the daemon: sd_notify(3). Sending does not hold up the caller. */
export interface ServiceManager {
  /** Reports that the daemon is up, and begins the watchdog's messages. */
  ready(status: string): void;
  /** Sets the line that `systemctl status` shows. */
  status(text: string): void;
  /** Reports that the daemon is about to stop. */
  stopping(): void;
  /** Ends the watchdog's messages, and settles when the pending reports are sent, or cannot be. */
  close(): Promise<void>;
}

export interface ServiceManagerOptions {
  readonly openSocket: OpenDatagramSocket;
  /** Whether the daemon works. While it does not, the watchdog gets no message, and restarts it. */
  readonly isAlive: () => boolean;
  readonly pid: number;
}

/** For a daemon that no service manager started. */
const NO_MANAGER: ServiceManager = {
  ready: () => {},
  status: () => {},
  stopping: () => {},
  close: () => Promise.resolve(),
};

/** A running manager accepts a datagram at once. A stopped one must not hold up the end of the daemon. */
const SEND_MS_MAX = 5_000;

/** `systemd-notify` waits up to five seconds for the manager. */
const PROGRAM_MS_MAX = 10_000;

/** The length that `systemctl status` shows on a wide terminal. */
const STATUS_CHARS_MAX = 300;

/** The shortest interval of watchdog messages, however short the watchdog's time is. */
const WATCHDOG_MS_MIN = 50;

/**
 * Connects to the service manager that `NOTIFY_SOCKET` names. Without the variable, and where its value is not the
 * address of a Unix socket, reports are dropped. A manager that cannot be reached is logged once.
 */
export function connectServiceManager(context: Context, options: ServiceManagerOptions): ServiceManager {
  const address = context.env.get("NOTIFY_SOCKET") ?? "";
  if (address === "") return NO_MANAGER;
  if (!/^[/@]./.test(address)) {
    context.log.warn(
      `cannot report to the service manager: NOTIFY_SOCKET is neither a path nor an abstract name: ${
        cleanLine(address)
      }`,
    );
    return NO_MANAGER;
  }
  const reports = new Reports(context, address, options);
  const watchdog = new AbortController();
  const watching = new Set<Promise<void>>();
  return {
    ready(status) {
      reports.add({ READY: "1", STATUS: cleanLine(status, { charsMax: STATUS_CHARS_MAX }) });
      const intervalMs = watchdogIntervalMs(context, options.pid);
      if (intervalMs !== undefined) {
        watching.add(feedWatchdog(context, reports, intervalMs, options.isAlive, watchdog.signal));
      }
    },
    status: (text) => reports.add({ STATUS: cleanLine(text, { charsMax: STATUS_CHARS_MAX }) }),
    stopping: () => reports.add({ STOPPING: "1", STATUS: "stopping" }),
    async close() {
      watchdog.abort();
      await Promise.all(watching);
      await reports.close();
    },
  };
}

/** Returns half of the watchdog's time, as systemd recommends; `undefined` without a watchdog for this process. */
function watchdogIntervalMs({ env, log }: Pick<Context, "env" | "log">, pid: number): number | undefined {
  const text = env.get("WATCHDOG_USEC") ?? "";
  const owner = env.get("WATCHDOG_PID") ?? "";
  if (text === "" || (owner !== "" && owner !== String(pid))) return undefined;
  if (!/^[1-9]\d{0,15}$/.test(text)) {
    log.warn(`cannot serve the watchdog: WATCHDOG_USEC is not a number of microseconds: ${cleanLine(text)}`);
    return undefined;
  }
  return Math.max(Number(text) / 2_000, WATCHDOG_MS_MIN);
}

async function feedWatchdog(
  { clock, log }: Pick<Context, "clock" | "log">,
  reports: Reports,
  intervalMs: number,
  isAlive: () => boolean,
  signal: AbortSignal,
): Promise<void> {
  let wasAlive = true;
  while (!signal.aborted) {
    const alive = isAlive();
    if (alive) reports.add({ WATCHDOG: "1" });
    else if (wasAlive) {
      log.error("a role of the daemon is stuck: the service manager's watchdog gets no message");
    }
    wasAlive = alive;
    await clock.sleep(intervalMs, signal).catch(() => {});
  }
}

/** The variables of a message. A newer value replaces one that was not sent yet. */
type Variables = Readonly<Record<string, string>>;

/** Sends one message at a time. Variables that are added meanwhile go into the next one. */
class Reports {
  readonly #context: Context;
  readonly #address: string;
  readonly #openSocket: OpenDatagramSocket;
  readonly #pid: number;
  #socket: DatagramSocket | undefined;
  #pending: Variables = {};
  #sending: Promise<void> | undefined;
  #hasWarned = false;
  /** Whether reports go through `systemd-notify`, because this process cannot use the socket. */
  #usesProgram = false;

  constructor(context: Context, address: string, { openSocket, pid }: ServiceManagerOptions) {
    this.#context = context;
    this.#address = address;
    this.#openSocket = openSocket;
    this.#pid = pid;
  }

  add(variables: Variables): void {
    this.#pending = { ...this.#pending, ...variables };
    this.#sending ??= this.#sendPending();
  }

  async close(): Promise<void> {
    await this.#sending;
    this.#socket?.[Symbol.dispose]();
    this.#socket = undefined;
  }

  async #sendPending(): Promise<void> {
    // Reports of the same turn go into one message.
    await Promise.resolve();
    while (Object.keys(this.#pending).length > 0) {
      const assignments = Object.entries(this.#pending).map(([name, value]) => `${name}=${value}`);
      this.#pending = {};
      await this.#send(assignments);
    }
    this.#sending = undefined;
  }

  async #send(assignments: readonly string[]): Promise<void> {
    if (this.#usesProgram) {
      await this.#sendByProgram(assignments).catch((error) => this.#warn(error));
      return;
    }
    try {
      await this.#sendBySocket(new TextEncoder().encode(assignments.join("\n")));
    } catch (error) {
      // Tried once: starting a program for every message to a manager that is gone costs too much.
      if (this.#hasWarned) return;
      this.#usesProgram = await this.#sendByProgram(assignments).then(() => true, () => false);
      if (!this.#usesProgram) this.#warn(error);
    }
  }

  async #sendBySocket(bytes: Uint8Array): Promise<void> {
    const { fs, clock } = this.#context;
    const path = this.#address.startsWith("@") ? `\0${this.#address.slice(1)}` : this.#address;
    const socket = this.#socket ??= this.#openSocket(fs);
    const waiting = new AbortController();
    const late = clock.sleep(SEND_MS_MAX, waiting.signal).then(() => {
      throw new FailedError("the socket takes no message", { code: "TIMEOUT" });
    }, () => {});
    try {
      await Promise.race([socket.send(path, bytes), late]);
    } catch (error) {
      // Closing the socket ends a send that waits.
      socket[Symbol.dispose]();
      this.#socket = undefined;
      throw error;
    } finally {
      waiting.abort();
    }
  }

  /** Runs to its end although the daemon is stopped: "stopping" is one of the messages. */
  async #sendByProgram(assignments: readonly string[]): Promise<void> {
    const { code, stderr } = await runProcess(this.#context.spawn, {
      command: "systemd-notify",
      args: [`--pid=${this.#pid}`, ...assignments],
      env: { NOTIFY_SOCKET: this.#address },
      timeoutMs: PROGRAM_MS_MAX,
      signal: neverAborted(),
    });
    if (code !== 0) throw new FailedError(stderr.trim(), { code: "NOTIFY_FAILED" });
  }

  #warn(error: unknown): void {
    if (this.#hasWarned) return;
    this.#hasWarned = true;
    this.#context.log.warn(
      `cannot report to the service manager at ${cleanLine(this.#address)}: ${messageOf(error)}; ` +
        "the daemon continues",
    );
  }
}
