import { Random } from "./random.ts";

/** The purpose of a node. */
export type Kind = "trainer" | "bot" | "backend" | "desk" | "gpu" | "references";

/** The fates of nodes; each happens to one node. */
export type Fate =
  /** Its canary is open at the end. */
  | "in-canary"
  /** It has been silent for nine hours. */
  | "down"
  /** Its daemon runs, but the run that was due an hour ago did not start. */
  | "late"
  /** It was off for nine hours once, including a due time, and made up for it. */
  | "was-down"
  /** It is off at weekends, and pulls on Monday when it is switched on. */
  | "weekends-off"
  | "paused"
  /** Its last two pulls failed. */
  | "unreachable"
  /** It does not trust the new signing key. */
  | "untrusted-key"
  /** Its token has expired: the last pull failed. */
  | "token-expired"
  /** Its clock has been 26 hours ahead for three days. */
  | "clock-ahead"
  /** Its pulls are no longer started. */
  | "stopped"
  /** Its disk is nearly full; two weeks ago it was full. */
  | "disk-full"
  /** Once it pulled files that another program had changed. */
  | "other-writer"
  /** It is in the middle of a run at the end. */
  | "running";

/** A node's permanent properties. */
export interface NodePlan {
  readonly name: string;
  readonly host: string;
  readonly kind: Kind;
  /** The model set that it trains or pulls. */
  readonly set: number;
  readonly zone: string;
  /** Without a daemon, another program starts its runs: it sends no heartbeats and has no schedule. */
  readonly hasDaemon: boolean;
  readonly hasCanary: boolean;
  readonly fate: Fate | undefined;
  readonly fingerprint: string;
}

interface Row {
  readonly kind: Kind;
  readonly name: string;
  readonly zone: string;
  readonly set: 0 | 1 | 2;
  readonly daemon?: false;
  readonly canary?: true;
  readonly fate?: Fate;
}

/** The first fifty nodes. A larger fleet repeats the consumers, with numbered names. */
const ROWS: readonly Row[] = [
  { kind: "trainer", name: "train-1", zone: "Europe/Paris", set: 0 },
  { kind: "bot", name: "bot-paris", zone: "Europe/Paris", set: 0, canary: true, fate: "in-canary" },
  { kind: "bot", name: "bot-frankfurt", zone: "Europe/Berlin", set: 0, fate: "down" },
  { kind: "backend", name: "api-render", zone: "UTC", set: 0 },
  { kind: "trainer", name: "train-2", zone: "America/New_York", set: 1 },
  { kind: "desk", name: "desk-chicago", zone: "America/Chicago", set: 1, fate: "disk-full" },
  { kind: "trainer", name: "train-3", zone: "Asia/Tokyo", set: 2 },
  { kind: "gpu", name: "gpu-worker-3", zone: "UTC", set: 2, fate: "running" },
  { kind: "references", name: "ops-1/references", zone: "UTC", set: 0 },
  { kind: "bot", name: "bot-london", zone: "Europe/London", set: 0, canary: true },
  { kind: "bot", name: "bot-madrid", zone: "Europe/Madrid", set: 0, canary: true },
  { kind: "bot", name: "bot-oslo", zone: "Europe/Oslo", set: 0, fate: "untrusted-key" },
  { kind: "bot", name: "bot-warsaw", zone: "Europe/Warsaw", set: 0, fate: "unreachable" },
  { kind: "bot", name: "bot-milan", zone: "Europe/Rome", set: 0, fate: "paused" },
  { kind: "bot", name: "bot-athens", zone: "Europe/Athens", set: 0, daemon: false, fate: "stopped" },
  { kind: "bot", name: "bot-vienna", zone: "Europe/Vienna", set: 0, fate: "late" },
  { kind: "bot", name: "bot-singapore", zone: "Asia/Singapore", set: 2, fate: "clock-ahead" },
  { kind: "bot", name: "bot-stockholm", zone: "Europe/Stockholm", set: 0, fate: "token-expired" },
  { kind: "bot", name: "bot-lisbon", zone: "Europe/Lisbon", set: 0, fate: "weekends-off" },
  { kind: "bot", name: "bot-amsterdam", zone: "Europe/Amsterdam", set: 0, fate: "other-writer" },
  { kind: "bot", name: "bot-dublin", zone: "Europe/Dublin", set: 0, fate: "was-down" },
  { kind: "bot", name: "bot-zurich", zone: "Europe/Zurich", set: 0, canary: true },
  { kind: "bot", name: "bot-tokyo", zone: "Asia/Tokyo", set: 2, canary: true },
  { kind: "bot", name: "bot-new-york", zone: "America/New_York", set: 1 },
  { kind: "desk", name: "desk-london", zone: "Europe/London", set: 1 },
  { kind: "backend", name: "api-render-eu", zone: "UTC", set: 0 },
  { kind: "backend", name: "scoring-render", zone: "UTC", set: 0 },
  { kind: "gpu", name: "gpu-worker-1", zone: "UTC", set: 2 },
  { kind: "gpu", name: "gpu-worker-2", zone: "UTC", set: 2 },
  { kind: "bot", name: "bot-toronto", zone: "America/Toronto", set: 1, daemon: false },
  { kind: "bot", name: "bot-sao-paulo", zone: "America/Sao_Paulo", set: 1, daemon: false },
  { kind: "bot", name: "bot-sydney", zone: "Australia/Sydney", set: 2 },
  { kind: "bot", name: "bot-seoul", zone: "Asia/Seoul", set: 2 },
  { kind: "bot", name: "bot-hong-kong", zone: "Asia/Hong_Kong", set: 2 },
  { kind: "desk", name: "desk-toronto", zone: "America/Toronto", set: 1 },
  { kind: "backend", name: "api-fly", zone: "UTC", set: 0 },
  { kind: "gpu", name: "gpu-worker-4", zone: "UTC", set: 2 },
  { kind: "bot", name: "bot-mumbai", zone: "Asia/Kolkata", set: 2 },
  { kind: "bot", name: "bot-seattle", zone: "America/Los_Angeles", set: 1 },
  { kind: "bot", name: "bot-denver", zone: "America/Denver", set: 1 },
  { kind: "bot", name: "bot-miami", zone: "America/New_York", set: 1, daemon: false },
  { kind: "bot", name: "bot-bogota", zone: "America/Bogota", set: 1 },
  { kind: "bot", name: "bot-helsinki", zone: "Europe/Helsinki", set: 0 },
  { kind: "bot", name: "bot-brussels", zone: "Europe/Brussels", set: 0 },
  { kind: "bot", name: "bot-prague", zone: "Europe/Prague", set: 0 },
  { kind: "backend", name: "risk-render", zone: "UTC", set: 0 },
  { kind: "backend", name: "backtest-render", zone: "UTC", set: 0 },
  { kind: "bot", name: "bot-cape-town", zone: "Africa/Johannesburg", set: 0, daemon: false },
  { kind: "bot", name: "bot-osaka", zone: "Asia/Tokyo", set: 2 },
  { kind: "desk", name: "desk-new-york", zone: "America/New_York", set: 1 },
];

/** Returns the nodes of a fleet. @param hasFates whether something happens to them */
export function makeRoster(nodes: number, seed: number, hasFates: boolean): NodePlan[] {
  const copied = ROWS.filter(({ kind }) => kind !== "trainer" && kind !== "references");
  return Array.from({ length: nodes }, (_, index): NodePlan => {
    const row = ROWS[index];
    if (row !== undefined) return planOf(row, row.name, hasFates, seed);
    const beyond = index - ROWS.length;
    const copy = copied[beyond % copied.length];
    if (copy === undefined) throw new TypeError("no consumer to copy");
    return planOf(copy, `${copy.name}-${2 + Math.floor(beyond / copied.length)}`, false, seed);
  });
}

function planOf(row: Row, name: string, hasFate: boolean, seed: number): NodePlan {
  return {
    name,
    host: name.split("/")[0] ?? name,
    kind: row.kind,
    set: row.set,
    zone: row.zone,
    hasDaemon: row.daemon !== false,
    hasCanary: hasFate && row.canary === true,
    fate: hasFate ? row.fate : undefined,
    // One configuration for each kind, except for manually changed nodes.
    fingerprint: Random.of(seed, row.canary === true ? `${row.kind} canary` : row.kind).hex(16),
  };
}
