import { messageOf } from "../../lib/core/errors.ts";
import type { FleetMemory } from "../store/fleet_memory.ts";
import type { Web } from "../shared/web.ts";

/** What an open page hears of a change. */
export interface LiveMessage {
  /** The version of the fleet now: a page that reconnects continues from it. */
  readonly version: string;
  /** The nodes that changed since the message before; `undefined` where that is not known. */
  readonly nodes: readonly string[] | undefined;
}

/** How soon a page hears of a change that another instance took in. Reading the pulses costs one small read. */
const LOOK_MS = 1_000;

/** Pages that are open at once, on one instance; each holds a connection. */
export const SUBSCRIBERS_MAX = 1_000;
/** Pages of the public among them: operators find room, however many others look. */
export const PUBLIC_SUBSCRIBERS_MAX = 500;

/** An open page. */
export interface Subscription {
  /** What it knows. */
  readonly version: string;
  readonly isOperator: boolean;
  /** Aborted when the page is closed. */
  readonly signal: AbortSignal;
  readonly send: (message: LiveMessage) => void;
  /** Called when the dashboard stops or read access changes. */
  readonly end: () => void;
}

interface Subscriber extends Pick<Subscription, "isOperator" | "send" | "end"> {
  version: string;
}

/**
 * Tells open pages which nodes changed. It looks at the database once a second while a page is open, for all of them:
 * a database in a file does not say when another process changed it.
 */
export class LiveFeed {
  readonly #web: Pick<Web, "clock" | "log">;
  readonly #fleet: FleetMemory;
  readonly #subscribers = new Set<Subscriber>();
  #looking: AbortController | undefined;

  constructor(web: Pick<Web, "clock" | "log">, fleet: FleetMemory) {
    this.#web = web;
    this.#fleet = fleet;
  }

  get subscribers(): number {
    return this.#subscribers.size;
  }

  /**
   * Sends what changed after a version, now and from now on, until the signal is aborted.
   *
   * @returns whether there was room for one more
   */
  subscribe({ version, isOperator, signal, send, end }: Subscription): boolean {
    if (signal.aborted || !this.#hasRoom(isOperator)) return false;
    const subscriber: Subscriber = { version, isOperator, send, end };
    this.#subscribers.add(subscriber);
    signal.addEventListener("abort", () => this.#leave(subscriber), { once: true });
    if (this.#looking === undefined) {
      this.#looking = new AbortController();
      this.#look(this.#looking.signal);
    } else this.poke();
    return true;
  }

  #hasRoom(isOperator: boolean): boolean {
    if (this.#subscribers.size >= SUBSCRIBERS_MAX) return false;
    if (isOperator) return true;
    let others = 0;
    for (const subscriber of this.#subscribers) if (!subscriber.isOperator) others++;
    return others < PUBLIC_SUBSCRIBERS_MAX;
  }

  /**
   * Ends every connection. A server that stops would wait for them; and pages connect again when rights change, so that
   * each is checked.
   */
  close(): void {
    for (const { end } of this.#subscribers) end();
  }

  #leave(subscriber: Subscriber): void {
    this.#subscribers.delete(subscriber);
    if (this.#subscribers.size > 0) return;
    this.#looking?.abort();
    this.#looking = undefined;
  }

  /** Tells of changes at once: this instance has just taken some in. Never throws. */
  poke(): void {
    if (this.#subscribers.size > 0) this.#tell().catch((error) => this.#failed(error));
  }

  async #look(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#tell().catch((error) => this.#failed(error));
      await this.#web.clock.sleep(LOOK_MS, signal).catch(() => {});
    }
  }

  async #tell(): Promise<void> {
    const { version } = await this.#fleet.read();
    for (const subscriber of this.#subscribers) {
      if (subscriber.version === version) continue;
      const nodes = this.#fleet.changedSince(subscriber.version);
      subscriber.version = version;
      subscriber.send({ version, nodes });
    }
  }

  #failed(error: unknown): void {
    this.#web.log.debug(`cannot look for changes: ${messageOf(error)}`);
  }
}
