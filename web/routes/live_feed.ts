import { messageOf } from "../../lib/core/errors.ts";
import type { FleetMemory } from "../store/fleet_memory.ts";
import type { Web } from "../shared/web.ts";

/** A change that is sent to open pages. */
export interface LiveMessage {
  /** The current version of the fleet, from which a page continues after it reconnects. */
  readonly version: string;
  /** The nodes that changed since the previous message; `undefined` if unknown. */
  readonly nodes: readonly string[] | undefined;
}

/** How soon pages show a change that another instance stored. Reading the pulses is one small read. */
const LOOK_MS = 1_000;

/** Open pages per instance. Each holds a connection. */
export const SUBSCRIBERS_MAX = 1_000;
/** Public pages among them, so that operators can always connect. */
const PUBLIC_SUBSCRIBERS_MAX = 500;

/** An open page. */
export interface Subscription {
  /** The version that the page has. */
  readonly version: string;
  readonly isOperator: boolean;
  /** Aborted when the page is closed. */
  readonly signal: AbortSignal;
  readonly send: (message: LiveMessage) => void;
  /** Called when the dashboard stops or access changes. */
  readonly end: () => void;
}

interface Subscriber extends Pick<Subscription, "isOperator" | "send" | "end"> {
  version: string;
}

/**
 * Sends open pages the names of changed nodes. While pages are open, it checks the database once a second for all of
 * them, because a database in a file does not announce changes by other processes.
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
   * Sends changes after a version until the signal is aborted.
   *
   * @returns `false` if too many pages are open
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
   * Ends every connection. A server that stops would wait for them. After a change of access, pages reconnect and are
   * checked again.
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

  /** Sends changes immediately, after this instance has stored some. Never throws. */
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
    this.#web.log.debug(`cannot check for changes: ${messageOf(error)}`);
  }
}
