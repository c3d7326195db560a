import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { join } from "node:path";
import type { Context } from "../../lib/core/context.ts";
import { hashFile } from "../../lib/core/hash.ts";
import { chooseCopies, RUN_BYTES_MIN, RUNS_MAX } from "../../lib/http/choose_copies.ts";
import { download } from "../../lib/http/download.ts";
import type { DownloadRequest, HeldSpan } from "../../lib/http/download_types.ts";
import { describePartial } from "../../lib/http/partial_file.ts";
import { SpanSet } from "../../lib/http/spans.ts";
import { type FileServer, startFileServer } from "../../fakes/file_server.ts";
import { QuickClock } from "../helpers/fake_clock.ts";
import { noise, type TempDir, tempDir } from "../helpers/temp_dir.ts";
import { testContext } from "../helpers/test_context.ts";

const MIB = 1024 ** 2;
const NEVER_MS = 24 * 3_600_000;

const OLD = noise(20 * MIB, 1);
/** As the old file, with other bytes in two places. */
const NEW = OLD.slice();
NEW.set(noise(MIB, 2), 4 * MIB);
NEW.set(noise(MIB, 3), 12 * MIB);

/** A server with the new file, and a folder with the old one. */
class Bench implements AsyncDisposable {
  readonly server: FileServer = startFileServer(NEW);
  readonly lines: string[] = [];
  readonly #dir: TempDir = tempDir();

  constructor() {
    Deno.writeFileSync(this.old, OLD);
  }

  get old(): string {
    return join(this.#dir.path, "old");
  }

  get path(): string {
    return join(this.#dir.path, "partial");
  }

  /** The unchanged parts. */
  get held(): HeldSpan[] {
    return [[0, 4], [5, 12], [13, 20]].map(([start = 0, end = 0]) => ({
      path: this.old,
      start: start * MIB,
      end: end * MIB,
      offset: start * MIB,
    }));
  }

  async expected() {
    const path = join(this.#dir.path, "new");
    Deno.writeFileSync(path, NEW);
    return await hashFile(Deno, path, { signal: new AbortController().signal, isForManifest: true });
  }

  context(): Context {
    const context = testContext({ clock: new QuickClock("2026-11-21T00:00:00Z") });
    for (const level of ["info", "warn"] as const) {
      context.log[level] = (message) => this.lines.push(`${level}: ${message}`);
    }
    return context;
  }

  async download(changed: Partial<DownloadRequest> = {}, context = this.context()) {
    return await download(context, {
      what: "the model",
      locate: () => Promise.resolve({ url: this.server.url, isSigned: false }),
      expected: await this.expected(),
      limits: { stallMs: NEVER_MS, totalMs: NEVER_MS, bytesMax: 1024 * MIB },
      path: this.path,
      findHeld: () => Promise.resolve(this.held),
      ...changed,
    });
  }

  get ranges(): (string | null)[] {
    return this.server.requests.map(({ range }) => range).sort();
  }

  assertArrived() {
    assert.ok(Buffer.from(NEW).equals(Deno.readFileSync(this.path)), "other bytes arrived");
    assert.throws(() => Deno.lstatSync(`${this.path}.parts`), Deno.errors.NotFound);
  }

  async [Symbol.asyncDispose]() {
    await this.server[Symbol.asyncDispose]();
    this.#dir[Symbol.dispose]();
  }
}

/** The requests for the changed parts. */
const CHANGED = [`bytes=${12 * MIB}-${13 * MIB - 1}`, `bytes=${4 * MIB}-${5 * MIB - 1}`];

Deno.test("download() copies the spans that other files hold, and requests only the others", async () => {
  await using bench = new Bench();
  const { copiedBytes, resumedBytes } = await bench.download();
  bench.assertArrived();
  assert.deepEqual([copiedBytes, resumedBytes], [18 * MIB, 0]);
  assert.deepEqual(bench.ranges, CHANGED);
  assert.deepEqual(bench.lines, [
    "info: reusing 18.0 MiB of 20.0 MiB of the model: this machine has them in other releases",
  ]);
});

Deno.test("four connections request what is between the copies, large gaps in parts", async () => {
  await using bench = new Bench();
  const released = Promise.withResolvers<void>();
  const large = new Uint8Array(74 * MIB);
  bench.server.content = large;
  for (let count = 0; count < 3; count++) {
    bench.server.faults.push({ kind: "pause", afterBytes: 1000, released: released.promise });
  }
  bench.server.faults.push({
    kind: "answer",
    make: (request) => {
      // It is sent although the others wait.
      released.resolve();
      return fetch(bench.server.url, { headers: request.headers });
    },
  });
  Deno.writeFileSync(bench.old, large.subarray(0, 10 * MIB));
  const held = [0, 5].map((start) => ({
    path: bench.old,
    start: start * MIB,
    end: (start + 4) * MIB,
    offset: start * MIB,
  }));
  const expected = {
    bytes: large.length,
    sha256: createHash("sha256").update(large).digest("hex"),
  };
  await bench.download({ expected, findHeld: () => Promise.resolve(held) });
  assert.deepEqual(bench.ranges.filter((range, index, all) => range !== all[index - 1]), [
    `bytes=${4 * MIB}-${5 * MIB - 1}`,
    `bytes=${41 * MIB}-${73 * MIB - 1}`,
    `bytes=${73 * MIB}-${74 * MIB - 1}`,
    `bytes=${9 * MIB}-${41 * MIB - 1}`,
  ]);
});

Deno.test("download() sends no request for a file of which every span is held", async () => {
  await using bench = new Bench();
  Deno.writeFileSync(bench.old, NEW);
  await bench.download({
    findHeld: () => Promise.resolve([{ path: bench.old, start: 0, end: NEW.length, offset: 0 }]),
  });
  bench.assertArrived();
  assert.deepEqual(bench.ranges, []);
});

Deno.test("download() copies nothing without a known digest, and nothing if little of the file is held", async () => {
  await using bench = new Bench();
  await bench.download({ expected: { bytes: NEW.length }, findHeld: () => assert.fail("nothing is proven") });
  bench.assertArrived();
  const few = bench.held.slice(0, 1).map((span) => ({ ...span, end: 600_000 }));
  assert.equal((await bench.download({ findHeld: () => Promise.resolve(few) })).copiedBytes, 0);
  bench.assertArrived();
  assert.deepEqual(bench.ranges, [null, null]);
});

Deno.test("a damaged byte of a held file costs the download of its chunk", async () => {
  await using bench = new Bench();
  const damaged = OLD.slice();
  damaged[8 * MIB] = (damaged[8 * MIB] ?? 0) ^ 1;
  Deno.writeFileSync(bench.old, damaged);
  await bench.download();
  bench.assertArrived();
  const [last, ...others] = bench.ranges.filter((range) => !CHANGED.includes(`${range}`));
  const [, start, end] = /^bytes=(\d+)-(\d+)$/.exec(last ?? "") ?? [];
  assert.ok(
    Number(start) <= 8 * MIB && Number(end) >= 8 * MIB && Number(end) - Number(start) < MIB,
    `${last}`,
  );
  assert.deepEqual(others, []);
});

Deno.test("a damaged held file costs a whole download if there are no chunk digests", async () => {
  await using bench = new Bench();
  Deno.writeFileSync(bench.old, OLD.slice().fill(0, 0, 1));
  const { bytes, sha256 } = await bench.expected();
  await bench.download({ expected: { bytes, sha256 } });
  bench.assertArrived();
  assert.equal(bench.server.requests.length, 3);
});

Deno.test("held files that are missing, unreadable or shorter than expected cost the download of their spans", async () => {
  await using bench = new Bench();
  Deno.truncateSync(bench.old, 6 * MIB);
  await bench.download();
  bench.assertArrived();
  Deno.removeSync(bench.old);
  bench.server.requests.length = 0;
  await bench.download();
  bench.assertArrived();
  Deno.mkdirSync(bench.old);
  await bench.download();
  bench.assertArrived();
  const warnings = bench.lines.filter((line) =>
    /warn: cannot reuse .*old: .*; downloading what it lacks/.test(line)
  );
  // One for the missing file and one for the folder in its place: each has several spans.
  assert.equal(warnings.length, 2, bench.lines.join("\n"));
});

Deno.test("download() requests the whole file from a server that ignores ranges", async () => {
  await using bench = new Bench();
  bench.server.hasRanges = false;
  await bench.download();
  bench.assertArrived();
});

Deno.test("a server that lies about spans or about the file is refused, after one whole download", async () => {
  await using bench = new Bench();
  bench.server.content = NEW.map((byte) => byte ^ 1);
  await assert.rejects(bench.download(), { code: "DIGEST_MISMATCH", exitCode: 5 });
  assert.ok(bench.ranges.includes(null), "no request for the whole file");
  assert.ok(bench.server.requests.length < 20);
});

Deno.test("chunk digests that do not belong to the file cost a whole download", async () => {
  await using bench = new Bench();
  const { contentChunks } = await hashFile(Deno, bench.old, {
    signal: new AbortController().signal,
    isForManifest: true,
  });
  const whole = [{ path: bench.old, start: 0, end: OLD.length, offset: 0 }];
  const expected = { ...await bench.expected(), contentChunks };
  await bench.download({ expected, findHeld: () => Promise.resolve(whole) });
  bench.assertArrived();
  assert.deepEqual(bench.ranges, [null]);
});

Deno.test("download() copies only what an interrupted download does not have", async () => {
  await using bench = new Bench();
  Deno.writeFileSync(bench.path, NEW.subarray(0, 10 * MIB));
  describePartial(Deno, bench.path, [{ start: 0, end: 10 * MIB }]);
  const { copiedBytes, resumedBytes } = await bench.download();
  bench.assertArrived();
  assert.deepEqual([copiedBytes, resumedBytes], [9 * MIB, 10 * MIB]);
  assert.deepEqual(bench.ranges, CHANGED.slice(0, 1));
});

Deno.test("a download that is interrupted during the copying is continued, and proves what was copied", async () => {
  await using bench = new Bench();
  const stop = new AbortController();
  const context = { ...bench.context(), signal: stop.signal };
  context.log.progress = (_label, done) => {
    if (done > 9 * MIB) stop.abort(new RangeError("stop"));
  };
  await assert.rejects(bench.download({}, context), RangeError);
  const { copiedBytes, resumedBytes } = await bench.download();
  bench.assertArrived();
  assert.ok(resumedBytes > 8 * MIB && copiedBytes < 12 * MIB, `${resumedBytes} ${copiedBytes}`);
});

Deno.test("a full disk ends the copying as a full disk", async () => {
  await using bench = new Bench();
  const context = bench.context();
  const full = () => Promise.reject(Object.assign(new Error("No space left on device"), { code: "ENOSPC" }));
  const fs = {
    ...Deno,
    open: async (path: string | URL, options?: Deno.OpenOptions) => {
      const file = await Deno.open(path, options);
      if (options?.write === true) file.write = full;
      return file;
    },
  };
  await assert.rejects(bench.download({}, { ...context, fs }), { code: "DISK", exitCode: 7 });
});

Deno.test("chooseCopies() limits the requests between the copies, and leaves short runs to the download", () => {
  const have = new SpanSet();
  const span = (start: number, end: number): HeldSpan => ({ path: "old", start, end, offset: start + 7 });
  assert.deepEqual(chooseCopies([span(0, RUN_BYTES_MIN - 1)], have, RUN_BYTES_MIN), []);
  // Two spans that touch are one run.
  const touching = [span(0, 300_000), { ...span(300_000, RUN_BYTES_MIN), path: "other" }];
  assert.deepEqual(chooseCopies(touching, have, RUN_BYTES_MIN), touching);
  const many = Array.from(
    { length: 300 },
    (_, index) => span(index * 2 * MIB, index * 2 * MIB + MIB + index),
  );
  const chosen = chooseCopies(many, have, 600 * MIB);
  assert.deepEqual(chosen, many.slice(300 - RUNS_MAX));
  have.add({ start: 0, end: MIB });
  have.add({ start: 3 * MIB, end: 4 * MIB });
  assert.deepEqual(chooseCopies([span(0, 5 * MIB)], have, 5 * MIB), [
    span(MIB, 3 * MIB),
    span(4 * MIB, 5 * MIB),
  ]);
});

Deno.test("SpanSet.of and without return the same bytes as adding spans one by one", () => {
  const numbers = noise(4_000, 9);
  const spansFrom = (first: number) =>
    Array.from({ length: 12 }, (_, index) => {
      const start = numbers[(first + index) % numbers.length] ?? 0;
      return { start, end: start + (numbers[(first + index + 1) % numbers.length] ?? 0) % 16 };
    });
  for (let round = 0; round < 200; round++) {
    const [wanted, held] = [spansFrom(round * 20), spansFrom(round * 20 + 10)];
    const added = new SpanSet();
    for (const span of wanted) added.add(span);
    const whole = SpanSet.of(wanted);
    assert.deepEqual(whole.spans, added.spans);
    const has = (spans: readonly { start: number; end: number }[], at: number) =>
      spans.some(({ start, end }) => start <= at && at < end);
    const left = whole.without(SpanSet.of(held));
    for (let at = 0; at < 280; at++) {
      assert.equal(has(left, at), has(wanted, at) && !has(held, at), `round ${round}, byte ${at}`);
    }
    assert.ok(left.every(({ start, end }, index) => start < end && start > (left[index - 1]?.end ?? -1)));
  }
});
