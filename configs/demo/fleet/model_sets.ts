import { createHash } from "node:crypto";
import { compareUtf8 } from "../../../lib/core/portable_path.ts";
import type { EventOf } from "../../../lib/wire/schema.ts";
import { Random } from "./random.ts";

/** A file of a release, as the wire lists it. */
type ReleaseFile = EventOf<"published">["data"]["files"][number];

/** A release of a model set. */
export interface FleetRelease {
  readonly digest: `sha256:${string}`;
  readonly sequence: number;
  /** The time from which consumers can pull it. */
  readonly publishedMs: number;
  readonly files: readonly ReleaseFile[];
  readonly bytes: number;
  /** The number and bytes of the files that changed since the release before. */
  readonly changed: number;
  readonly changedBytes: number;
  /** Its commit. */
  readonly revision: string;
  /** The hint of the signing key; missing for unsigned releases. */
  readonly signer?: string;
}

/** The result of a trainer's night: a release, no changes, or an error. */
export interface Night {
  readonly startedMs: number;
  readonly trainMs: number;
  readonly release: FleetRelease | undefined;
  readonly failed: boolean;
}

/** The models of one trainer, with all its publications. */
export interface ModelSet {
  readonly spec: SetSpec;
  /** Oldest first; the first one was published before the story. */
  readonly releases: readonly FleetRelease[];
  readonly nights: readonly Night[];
  /** The release that consumers roll back from. */
  readonly badSequence: number | undefined;
}

export interface SetSpec {
  readonly zone: string;
  readonly signed: boolean;
  readonly firstSequence: number;
  /** The trained symbols, in the order of their addition; the first `symbolsAtFirst` exist at the start. */
  readonly symbols: readonly string[];
  readonly symbolsAtFirst: number;
  /** The files of a symbol with their usual sizes. */
  readonly files: Readonly<Record<string, number>>;
  /** The files of the whole set. */
  readonly shared: Readonly<Record<string, number>>;
  /** Events by nights before the end; ignored in a shorter simulation. */
  readonly nightsAgo: {
    /** A bad release was published. */
    readonly bad?: number;
    readonly failed?: number;
    readonly unchanged?: number;
  };
}

const SYMBOLS = (quote: string, names: string) => names.split(" ").map((name) => `${name}_${quote}`);

/**
 * The sets of the fleet, by region. Each is published at midnight in its zone, and pulled in zones where it is morning
 * then.
 */
export const SET_SPECS = [
  {
    zone: "Europe/Paris",
    signed: true,
    firstSequence: 212,
    symbols: SYMBOLS("USDC", "BTC ETH SOL XRP ADA DOT LINK AVAX UNI ATOM LTC NEAR"),
    symbolsAtFirst: 8,
    files: { "direction.onnx": 2_400_000, "scaler.json": 4_200, "metadata.json": 1_900 },
    shared: { "features.json": 18_000 },
    nightsAgo: { bad: 8 },
  },
  {
    zone: "America/New_York",
    signed: false,
    firstSequence: 87,
    symbols: ["EURUSD", "USDJPY", "GBPUSD", "USDCHF", "AUDUSD", "USDCAD", "NZDUSD"],
    symbolsAtFirst: 4,
    files: { "lightgbm.txt": 5_600_000 },
    shared: { "calibration.json": 9_400, "holidays.csv": 31_000 },
    nightsAgo: { failed: 6, unchanged: 12 },
  },
  {
    zone: "Asia/Tokyo",
    signed: true,
    firstSequence: 341,
    symbols: SYMBOLS("JPY", "BTC ETH XRP SOL DOGE BCH LTC XLM"),
    symbolsAtFirst: 5,
    files: { "head.safetensors": 7_800_000, "config.json": 2_300 },
    shared: { "encoder.safetensors": 148_000_000, "tokenizer.json": 660_000 },
    nightsAgo: { unchanged: 5 },
  },
] as const satisfies readonly SetSpec[];

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
/**
 * When the signing key was replaced. A forgotten consumer, which pulls six hours after midnight, refused its last pull.
 */
const NEW_KEY_MS = 31 * HOUR_MS;
/** The delay between the end of training and availability to consumers. */
export const PUBLISH_MS = 20_000;

/**
 * Returns a set with its trainer's publications.
 *
 * @param toMs the end of the story; later nights have no special events
 * @param dueMs the trainer's due times; the first of a day gives a release, the others no changes
 */
export function makeModelSet(
  spec: SetSpec,
  seed: number,
  { fromMs, toMs, dueMs }: {
    readonly fromMs: number;
    readonly toMs: number;
    readonly dueMs: readonly number[];
  },
): ModelSet {
  const { bad, failed, unchanged } = spec.nightsAgo;
  const random = Random.of(seed, `set ${spec.zone}`);
  const keys = [random.hex(64), random.hex(64)];
  const builder = new SetBuilder(spec, random);
  const releases = [builder.next(fromMs - 6 * HOUR_MS, keys[0])];
  const newKeyMs = toMs - NEW_KEY_MS;
  let badSequence: number | undefined;
  let lastMs = -Infinity;
  const past = dueMs.filter((startedMs) => startedMs <= toMs).length;
  const nights = dueMs.map((startedMs, index): Night => {
    const ago = past - index;
    const isFirst = startedMs - lastMs > DAY_MS - 2 * HOUR_MS;
    const trainMs = random.around(isFirst ? 28 * MINUTE_MS : 20_000);
    const night = { startedMs, trainMs, release: undefined, failed: ago === failed };
    if (!isFirst || night.failed || ago === unchanged) return night;
    lastMs = startedMs;
    const release = builder.next(startedMs + trainMs + PUBLISH_MS, keys[startedMs > newKeyMs ? 1 : 0]);
    releases.push(release);
    if (ago === bad) badSequence = release.sequence;
    return { ...night, release };
  });
  return { spec, releases, nights, badSequence };
}

/** Returns the newest release that consumers can pull at a time. */
export function newestAt({ releases }: ModelSet, timeMs: number): FleetRelease {
  const newest = releases.findLast(({ publishedMs }) => publishedMs <= timeMs) ?? releases[0];
  if (newest === undefined) throw new TypeError("a set has a release");
  return newest;
}

/** Derives each release from the one before: most models are trained again, and sometimes one is added or removed. */
class SetBuilder {
  readonly #spec: SetSpec;
  readonly #random: Random;
  readonly #symbols: string[];
  #files: readonly ReleaseFile[] = [];
  #sequence: number;

  constructor(spec: SetSpec, random: Random) {
    this.#spec = spec;
    this.#random = random;
    this.#symbols = spec.symbols.slice(0, spec.symbolsAtFirst);
    this.#sequence = spec.firstSequence - 1;
  }

  next(publishedMs: number, key: string | undefined): FleetRelease {
    this.#sequence++;
    const age = this.#sequence - this.#spec.firstSequence;
    if (age > 0 && age % 6 === 0) this.#addSymbol();
    if (age > 0 && age % 17 === 0) this.#symbols.splice(this.#random.integer(1, this.#symbols.length - 1), 1);
    const before = new Map(this.#files.map((file) => [file.path, file]));
    this.#files = [...this.#symbolFiles(before, age), ...this.#sharedFiles(before, age)]
      .sort((a, b) => compareUtf8(a.path, b.path));
    const changed = this.#files.filter((file) => before.get(file.path)?.sha256 !== file.sha256);
    const kept = new Set(this.#files.map(({ path }) => path));
    const removed = Array.from(before.keys()).filter((path) => !kept.has(path));
    return {
      digest: digestOf(this.#files),
      sequence: this.#sequence,
      publishedMs,
      files: this.#files,
      bytes: sizeOf(this.#files),
      changed: changed.length + removed.length,
      changedBytes: sizeOf(changed),
      revision: this.#random.hex(40),
      ...(this.#spec.signed && key !== undefined ? { signer: key } : {}),
    };
  }

  #addSymbol(): void {
    const next = this.#spec.symbols.find((symbol) => !this.#symbols.includes(symbol));
    if (next !== undefined) this.#symbols.push(next);
  }

  #symbolFiles(before: ReadonlyMap<string, ReleaseFile>, age: number): ReleaseFile[] {
    return this.#symbols.flatMap((symbol, index) => {
      // The first model is always trained again, so that no two releases are equal.
      const isTrained = index === 0 || this.#random.chance(0.6);
      return Object.entries(this.#spec.files).map(([name, size]) =>
        this.#file(`${symbol}/${name}`, size, age, before, isTrained)
      );
    });
  }

  #sharedFiles(before: ReadonlyMap<string, ReleaseFile>, age: number): ReleaseFile[] {
    return Object.entries(this.#spec.shared).map(([name, size]) =>
      this.#file(name, size, age, before, this.#random.chance(0.15))
    );
  }

  #file(
    path: string,
    usualSize: number,
    age: number,
    before: ReadonlyMap<string, ReleaseFile>,
    isNew: boolean,
  ): ReleaseFile {
    const known = before.get(path);
    if (known !== undefined && !isNew) return known;
    // Training data and models grow a little.
    const size = Math.round(usualSize * (1 + age * 0.004) * this.#random.between(0.985, 1.015));
    return { path, size, sha256: this.#random.hex(64) };
  }
}

/** As `releaseDigest` of lib, but synchronous: a dashboard checks the list against the digest. */
function digestOf(files: readonly ReleaseFile[]): FleetRelease["digest"] {
  const lines = files.map(({ path, size, sha256 }) => `${sha256}  ${size}  ${path}\n`).sort(compareUtf8);
  return `sha256:${createHash("sha256").update(lines.join("")).digest("hex")}`;
}

function sizeOf(files: readonly ReleaseFile[]): number {
  return files.reduce((sum, { size }) => sum + size, 0);
}
