import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { join } from "node:path";
import { Chunks } from "../../lib/core/chunk_list.ts";
import type { Context } from "../../lib/core/context.ts";
import { download } from "../../lib/http/download.ts";
import type { DownloadRequest } from "../../lib/http/download_types.ts";
import { ModelSyncError } from "../../lib/core/errors.ts";
import { hashFile } from "../../lib/core/hash.ts";
import { bearer } from "../../lib/http/request.ts";
import { describePartial, readPartial, removePartial } from "../../lib/http/partial_file.ts";
import { Secret } from "../../lib/core/secret.ts";
import { type FileServer, startFileServer } from "../../fakes/file_server.ts";
import { FakeClock, QuickClock } from "../helpers/fake_clock.ts";
import { slowLine } from "./slow_line.ts";
import { noise, type TempDir, tempDir } from "../helpers/temp_dir.ts";
import { testContext } from "../helpers/test_context.ts";
import { assertPause } from "../helpers/assert_pause.ts";

const MIB = 1024 ** 2;
const NEVER_MS = 24 * 3_600_000;

/** A content of one span, and one that is cut into several. */
const SMALL = noise(300_001, 1);
const LARGE = noise(100 * MIB + 7, 2);

/** One server, one folder, and a clock on which no retry waits. */
class Bench implements AsyncDisposable {
  readonly server: FileServer;
  readonly clock = new QuickClock("2026-11-21T00:00:00Z");
  readonly #dir: TempDir = tempDir();

  constructor(content: Uint8Array<ArrayBuffer>) {
    this.server = startFileServer(content);
  }

  get path(): string {
    return join(this.#dir.path, "partial");
  }

  async expected() {
    const path = join(this.#dir.path, "original");
    Deno.writeFileSync(path, this.server.content);
    return await hashFile(Deno, path, { signal: new AbortController().signal, isForManifest: true });
  }

  /** Returns the chunk that holds a byte, as the range of a request. */
  async chunkAt(offset: number) {
    const { contentChunks = "" } = await this.expected();
    const chunks = Chunks.read(contentChunks, this.server.content.length);
    assert.ok(chunks !== undefined);
    let index = 0;
    while (chunks.end(index) <= offset) index++;
    const [start, end] = [chunks.start(index), chunks.end(index)];
    return { start, end, range: `bytes=${start}-${end - 1}` };
  }

  download(changed: Partial<DownloadRequest> = {}, context: Context = testContext({ clock: this.clock })) {
    return download(context, {
      what: "the model",
      locate: () => Promise.resolve({ url: this.server.url, isSigned: false }),
      expected: {},
      limits: { stallMs: NEVER_MS, totalMs: NEVER_MS, bytesMax: 1024 * MIB },
      path: this.path,
      ...changed,
    });
  }

  slowLine(arrivedBytes = 0): Context {
    return slowLine(this.server, this.clock, arrivedBytes);
  }

  assertArrived(content: Uint8Array = this.server.content) {
    assert.ok(Buffer.from(content).equals(Deno.readFileSync(this.path)), "other bytes arrived");
    assert.throws(() => Deno.lstatSync(`${this.path}.parts`), Deno.errors.NotFound);
  }

  assertNothingLeft() {
    assert.throws(() => Deno.lstatSync(this.path), Deno.errors.NotFound);
    assert.throws(() => Deno.lstatSync(`${this.path}.parts`), Deno.errors.NotFound);
  }

  async [Symbol.asyncDispose]() {
    await this.server[Symbol.asyncDispose]();
    this.#dir[Symbol.dispose]();
  }
}

Deno.test("download() writes and hashes a file of any size, with and without a known digest", async () => {
  for (const content of [new Uint8Array(0), new Uint8Array([7]), SMALL, LARGE]) {
    await using bench = new Bench(content);
    const expected = await bench.expected();
    for (const known of [{}, { bytes: expected.bytes }, expected]) {
      const { resumedBytes, copiedBytes, ...digest } = await bench.download({ expected: known });
      assert.deepEqual([resumedBytes, copiedBytes], [0, 0]);
      assert.deepEqual([digest.bytes, digest.sha256], [expected.bytes, expected.sha256]);
      bench.assertArrived();
    }
  }
});

Deno.test("download() uses several connections for a large file on a slow line, and one otherwise", async () => {
  await using large = new Bench(LARGE);
  for (const expected of [{}, await large.expected()]) {
    large.server.requests.length = 0;
    await large.download({ expected }, large.slowLine());
    large.assertArrived();
    const [first, ...others] = large.server.requests.map(({ range }) => range);
    assert.match(first ?? "", /^bytes=0-/);
    assert.equal(others.length, 3);
    await large.download({ expected });
    large.assertArrived();
    assert.equal(large.server.requests.length, 5);
  }
  await using small = new Bench(SMALL);
  await small.download({}, small.slowLine());
  assert.equal(small.server.requests.length, 1);
});

Deno.test("download() adds no connections if the disk or a rate limit is the bottleneck", async () => {
  await using bench = new Bench(LARGE);
  const context = testContext({ clock: bench.clock });
  context.log.progress = () => bench.clock.advance(1_000);
  const limits = { stallMs: NEVER_MS, totalMs: NEVER_MS, bytesMax: 1024 * MIB };
  await bench.download({ limits }, context);
  await bench.download({ limits: { ...limits, bytesPerSecondMax: 10 * MIB } });
  assert.equal(bench.server.requests.length, 2);
});

Deno.test("download() accepts the whole file from a server that ignores ranges", async () => {
  await using bench = new Bench(LARGE);
  bench.server.hasRanges = false;
  await bench.download({ expected: await bench.expected() }, bench.slowLine());
  assert.equal(bench.server.requests.length, 1);
  bench.assertArrived();
});

Deno.test("download() continues where a connection broke", async () => {
  await using bench = new Bench(LARGE);
  const reset = (afterBytes: number) => ({ kind: "reset", afterBytes }) as const;
  bench.server.faults.push(reset(0), reset(300_000));
  const context = bench.slowLine(300_000);
  bench.server.faults.push(reset(5 * MIB), reset(MIB), reset(0));
  await bench.download({}, context);
  bench.assertArrived();
  // One with three attempts, three beside it, of which there were three breaks.
  assert.equal(bench.server.requests.length, 9);
  const ifRanges = bench.server.requests.map(({ headers }) => headers.get("if-range"));
  assert.deepEqual(ifRanges, [null, ...Array(8).fill('"v1"')]);
});

Deno.test("download() restarts from zero after a break if nothing proves that both halves belong together", async () => {
  await using bench = new Bench(SMALL);
  bench.server.etag = undefined;
  bench.server.faults.push({ kind: "reset", afterBytes: 100_000 });
  await bench.download();
  bench.assertArrived();
  assert.deepEqual(bench.server.requests.map(({ range }) => range), ["bytes=0-", "bytes=0-"]);
});

Deno.test("download() never joins two versions of a file", async () => {
  await using bench = new Bench(SMALL);
  const other = noise(SMALL.length, 9);
  bench.server.faults.push({ kind: "reset", afterBytes: 100_000 }, {
    kind: "answer",
    make: (request) => {
      bench.server.content = other;
      bench.server.etag = '"v2"';
      assert.equal(request.headers.get("if-range"), '"v1"');
      return new Response(other, { headers: { etag: '"v2"' } });
    },
  });
  await bench.download();
  bench.assertArrived(other);
});

Deno.test("download() closes a connection without data at the stall limit, independent of the total time limit", async () => {
  await using bench = new Bench(SMALL);
  const { promise: released, resolve: release } = Promise.withResolvers<void>();
  const clock = new FakeClock("2026-11-21T00:00:00Z");
  bench.server.faults.push({ kind: "hang", afterBytes: 1000, released });
  const context = testContext({ clock });
  const warned = Promise.withResolvers<void>();
  context.log.warn = (message) => {
    if (message.includes("no data for 30 s")) warned.resolve();
  };
  context.log.progress = () => ticking ??= setInterval(() => clock.advance(10_000), 1);
  let ticking: ReturnType<typeof setInterval> | undefined;
  const running = bench.download({ limits: { stallMs: 30_000, totalMs: NEVER_MS, bytesMax: MIB } }, context);
  await Promise.race([warned.promise, running]);
  clearInterval(ticking);
  release();
  // The pause before the next attempt is shorter than this.
  clock.advance(1_000);
  await running;
  bench.assertArrived();
});

Deno.test("download() ends at its total time limit", async () => {
  await using bench = new Bench(SMALL);
  const { promise: released, resolve: release } = Promise.withResolvers<void>();
  bench.server.faults.push({ kind: "hang", afterBytes: 1000, released });
  const clock = new FakeClock("2026-11-21T00:00:00Z");
  const context = testContext({ clock });
  context.log.progress = () => clock.advance(60_000);
  await assert.rejects(
    bench.download({ limits: { stallMs: NEVER_MS, totalMs: 60_000, bytesMax: MIB } }, context),
    { code: "TIMEOUT", exitCode: 4 },
  );
  release();
  bench.assertNothingLeft();
});

Deno.test("download() waits as long as the server requests, and backs off without a request", async () => {
  await using bench = new Bench(SMALL);
  const busy = (status: number, headers: Record<string, string> = {}) =>
    ({ kind: "answer", make: () => new Response("busy", { status, headers }) }) as const;
  const date = new Date(bench.clock.now().getTime() + 90_000).toUTCString();
  bench.server.faults.push(
    busy(429, { "retry-after": "70" }),
    busy(503, { "retry-after": date }),
    busy(429),
    busy(500),
  );
  await bench.download();
  bench.assertArrived();
  const [first, second, third, fourth] = bench.clock.pausesMs;
  assertPause(first, 70_000);
  // The first pause counts for the date, too.
  assertPause(second, 90_000 - (first ?? 0), 90_000 / 2);
  assert.ok(third !== undefined && third >= 1_000 && third <= 2_000, `${third}`);
  assert.ok(fourth !== undefined && fourth >= 2_000 && fourth <= 4_000, `${fourth}`);
});

Deno.test("download() gives up after the allowed failures in a row, and quotes the server's answer", async () => {
  await using bench = new Bench(SMALL);
  for (let count = 0; count < 6; count++) {
    bench.server.faults.push({ kind: "answer", make: () => new Response("out of order", { status: 500 }) });
  }
  await assert.rejects(bench.download(), (error) => {
    assert.ok(error instanceof ModelSyncError);
    assert.match(error.message, /the model: 127\.0\.0\.1:\d+ answered 500: out of order/);
    return error.exitCode === 4 && error.retryable;
  });
  assert.equal(bench.server.requests.length, 6);
  bench.assertNothingLeft();
});

Deno.test("download() requests a new address when a signed one has expired", async () => {
  await using bench = new Bench(LARGE);
  const expired = { kind: "answer", make: () => new Response("expired", { status: 403 }) } as const;
  bench.server.faults.push(expired);
  const context = bench.slowLine();
  bench.server.faults.push(expired, { kind: "reset", afterBytes: MIB }, expired);
  let asked = 0;
  const locate = () => Promise.resolve({ url: `${bench.server.url}?sig=${++asked}`, isSigned: true });
  await bench.download({ locate }, context);
  bench.assertArrived();
  assert.ok(asked > 2, `${asked}`);
});

Deno.test("download() reports a refused token at once", async () => {
  await using bench = new Bench(SMALL);
  bench.server.faults.push({ kind: "answer", make: () => new Response("no", { status: 401 }) });
  await assert.rejects(bench.download(), { code: "HTTP_401", exitCode: 3 });
  assert.equal(bench.server.requests.length, 1);
});

Deno.test("download() sends credentials to their own origin, and not to redirect targets", async () => {
  await using api = new Bench(SMALL);
  await using storage = new Bench(SMALL);
  api.server.faults.push({ kind: "answer", make: () => Response.redirect(storage.server.url, 302) });
  const credentials = {
    ...bearer(api.server.url, new Secret("rp_secret")),
    headers: {
      authorization: new Secret("Bearer rp_secret"),
      "x-team": new Secret("t"),
      cookie: new Secret("c"),
    },
  };
  await api.download({
    locate: () => Promise.resolve({ url: api.server.url, credentials, isSigned: false }),
  });
  const [asked] = api.server.requests;
  assert.deepEqual(
    ["authorization", "x-team", "cookie"].map((name) => asked?.headers.get(name)),
    ["Bearer rp_secret", "t", "c"],
  );
  const [served] = storage.server.requests;
  assert.ok(served !== undefined);
  assert.deepEqual(["authorization", "x-team", "cookie"].map((name) => served.headers.has(name)), [
    false,
    false,
    false,
  ]);
  api.assertArrived(SMALL);
});

Deno.test("download() follows no endless and no unsafe redirect", async () => {
  await using bench = new Bench(SMALL);
  for (let count = 0; count < 7; count++) {
    bench.server.faults.push({ kind: "answer", make: () => Response.redirect(bench.server.url, 302) });
  }
  await assert.rejects(bench.download(), { code: "REDIRECT_REFUSED", exitCode: 5 });
  bench.server.faults.length = 0;
  bench.server.faults.push({
    kind: "answer",
    make: () => new Response(null, { status: 302, headers: { location: "file:///etc/passwd" } }),
  });
  await assert.rejects(bench.download(), (error: Error & { code?: string }) => {
    assert.equal(error.code, "REDIRECT_REFUSED");
    assert.match(error.message, /redirects to file:\/\/, which is not an http address$/);
    return true;
  });
});

Deno.test("download() refuses an HTML page with status 200", async () => {
  await using bench = new Bench(SMALL);
  bench.server.faults.push({
    kind: "answer",
    make: () =>
      new Response("<html>please log in</html>", { headers: { "content-type": "text/html; charset=utf-8" } }),
  });
  await assert.rejects(bench.download(), { code: "HTML_PAGE", exitCode: 4 });
  bench.assertNothingLeft();
});

Deno.test("download() falls back to one stream when a range is answered with another", async () => {
  await using bench = new Bench(LARGE);
  const lie = {
    kind: "answer",
    make: () =>
      new Response(LARGE.subarray(0, 100), {
        status: 206,
        headers: { "content-range": `bytes 1-100/${LARGE.length}`, etag: '"v1"' },
      }),
  } as const;
  const context = bench.slowLine();
  bench.server.faults.push(lie);
  await bench.download({ expected: await bench.expected() }, context);
  bench.assertArrived();
  assert.equal(bench.server.requests.at(-1)?.range, null);
});

Deno.test("download() falls back to one stream when a range's answer states another size than expected", async () => {
  for (const total of [LARGE.length + 1, LARGE.length - 1, 2 ** 60]) {
    await using bench = new Bench(LARGE);
    const expected = await bench.expected();
    const limits = { stallMs: NEVER_MS, totalMs: NEVER_MS, bytesMax: LARGE.length };
    const part = () =>
      new Response(LARGE.subarray(0, 100), {
        status: 206,
        headers: { "content-range": `bytes 0-99/${total}`, etag: '"v1"' },
      });
    bench.server.faults.push({ kind: "answer", make: part });
    await bench.download({ expected, limits });
    bench.assertArrived();
    assert.deepEqual(bench.server.requests.map(({ range }) => range), [`bytes=0-${LARGE.length - 1}`, null]);
    // A server whose whole answer has another size, too.
    const whole = () => new Response(LARGE.subarray(0, 1000));
    bench.server.faults.push({ kind: "answer", make: part }, { kind: "answer", make: whole });
    await assert.rejects(bench.download({ expected, limits }), { code: "SIZE_MISMATCH", exitCode: 5 });
    assert.equal(bench.server.requests.length, 4);
    bench.assertNothingLeft();
  }
});

Deno.test("download() names the expected size, and no limit, if a file is longer", async () => {
  await using bench = new Bench(SMALL);
  const bytes = SMALL.length - 1;
  const limits = { stallMs: NEVER_MS, totalMs: NEVER_MS, bytesMax: bytes };
  await assert.rejects(bench.download({ expected: { bytes }, limits }), {
    code: "SIZE_MISMATCH",
    message: `Cannot accept the model: it is ${SMALL.length} bytes, expected ${bytes}`,
  });
});

Deno.test("download() refuses wrong bytes of the right size, and removes them", async () => {
  await using bench = new Bench(SMALL);
  const expected = await bench.expected();
  bench.server.content = SMALL.map((byte, index) => index === 200_000 ? byte ^ 1 : byte);
  await assert.rejects(bench.download({ expected }), (error) => {
    assert.ok(error instanceof ModelSyncError);
    assert.match(error.message, /its SHA-256 is [0-9a-f]{64}, expected [0-9a-f]{64}/);
    return error.exitCode === 5;
  });
  bench.assertNothingLeft();
  assert.equal(bench.server.requests.length, 2);
});

Deno.test("download() repeats a file without chunk digests once if its bytes were damaged on the way", async () => {
  await using bench = new Bench(SMALL);
  const expected = { ...await bench.expected(), contentChunks: undefined };
  const damaged = SMALL.map((byte, index) => index === 200_000 ? byte ^ 1 : byte);
  bench.server.faults.push({ kind: "answer", make: () => new Response(damaged) });
  await bench.download({ expected });
  bench.assertArrived();
  assert.equal(bench.server.requests.length, 2);
});

Deno.test("download() of a wrong file with chunk digests ends after the damaged part, and all of it, were repeated", async () => {
  await using bench = new Bench(LARGE);
  const expected = await bench.expected();
  bench.server.content = LARGE.map((byte, index) => index === 0 ? byte ^ 1 : byte);
  await assert.rejects(bench.download({ expected }), { code: "DIGEST_MISMATCH" });
  const [all, { range }] = [`bytes=0-${LARGE.length - 1}`, await bench.chunkAt(0)];
  assert.deepEqual(bench.server.requests.map((request) => request.range), [all, range, all]);
  bench.assertNothingLeft();
});

Deno.test("download() refuses a file that is longer or shorter than expected, or larger than the limit", async () => {
  await using bench = new Bench(SMALL);
  for (const bytes of [SMALL.length - 1, SMALL.length + 1]) {
    await assert.rejects(bench.download({ expected: { bytes } }), { code: "SIZE_MISMATCH", exitCode: 5 });
  }
  const limits = { stallMs: NEVER_MS, totalMs: NEVER_MS, bytesMax: SMALL.length - 1 };
  await assert.rejects(bench.download({ limits }), { code: "DOWNLOAD_TOO_LARGE", exitCode: 5 });
  // A server that does not say how long it will be.
  const endless = () => new Response(new Blob([SMALL]).stream());
  bench.server.faults.push({ kind: "answer", make: endless }, { kind: "answer", make: endless });
  await assert.rejects(bench.download({ limits }), { code: "DOWNLOAD_TOO_LARGE", exitCode: 5 });
  await bench.download();
  bench.assertArrived();
});

Deno.test("download() calls onSize before it writes anything", async () => {
  await using bench = new Bench(SMALL);
  await assert.rejects(
    bench.download({
      onSize: (bytes) => {
        assert.equal(bytes, SMALL.length);
        bench.assertNothingLeft();
        return Promise.reject(new RangeError("no room"));
      },
      expected: { bytes: SMALL.length },
    }),
    RangeError,
  );
  assert.equal(bench.server.requests.length, 0);
});

Deno.test("download() keeps all connections together under a rate limit", async () => {
  await using bench = new Bench(LARGE);
  const startMs = bench.clock.monotonicMs();
  const limits = { stallMs: NEVER_MS, totalMs: NEVER_MS, bytesMax: 1024 * MIB, bytesPerSecondMax: 5 * MIB };
  await bench.download({ limits }, bench.slowLine());
  assert.equal(bench.server.requests.length, 4);
  const tookSec = (bench.clock.monotonicMs() - startMs) / 1000;
  // A second of it is the pause of the line.
  assert.ok(tookSec >= 20.9 && tookSec <= 23, `${tookSec} s for 100 MiB at 5 MiB/s`);
});

Deno.test("download() continues an interrupted download, and fetches only the rest", async () => {
  await using bench = new Bench(LARGE);
  const expected = { ...await bench.expected(), contentChunks: undefined };
  const controller = new AbortController();
  const context = testContext({ clock: bench.clock, signal: controller.signal });
  context.log.progress = (_label, done) => {
    if (done > 30 * MIB) controller.abort(new RangeError("stop"));
  };
  await assert.rejects(bench.download({ expected }, context), RangeError);
  bench.server.requests.length = 0;
  const { resumedBytes, sha256 } = await bench.download({ expected });
  assert.ok(resumedBytes > 30 * MIB && resumedBytes < LARGE.length, `${resumedBytes}`);
  assert.equal(sha256, expected.sha256);
  bench.assertArrived();
});

Deno.test("download() ignores a chunk list of a file of another size", async () => {
  await using bench = new Bench(SMALL);
  await using larger = new Bench(LARGE);
  const { contentChunks } = await larger.expected();
  const expected = { ...await bench.expected(), contentChunks };
  Deno.writeFileSync(bench.path, SMALL.subarray(0, 200_000));
  describePartial(Deno, bench.path, [{ start: 0, end: 200_000 }]);
  assert.equal((await bench.download({ expected })).resumedBytes, 200_000);
  bench.assertArrived();
  const wrong = { ...expected, sha256: (await larger.expected()).sha256 };
  await assert.rejects(bench.download({ expected: wrong }), { code: "DIGEST_MISMATCH" });
  bench.assertNothingLeft();
});

Deno.test("a kill on a slow line loses a few seconds of a download, with chunk digests and without", async () => {
  await using bench = new Bench(LARGE);
  const whole = await bench.expected();
  for (const expected of [whole, { ...whole, contentChunks: undefined }]) {
    const killed = `${bench.path}-killed`;
    const context = testContext({ clock: bench.clock });
    let seconds = 0;
    context.log.progress = (_label, done) => {
      // A line of 1 MiB a second.
      if (done / MIB >= seconds + 1) bench.clock.advance(1_000);
      if (seconds < 30 && done / MIB >= 30) {
        // What the kernel has of it at this moment is what a kill leaves.
        Deno.copyFileSync(bench.path, killed);
        Deno.copyFileSync(`${bench.path}.parts`, `${killed}.parts`);
      }
      seconds = Math.floor(done / MIB);
    };
    await bench.download({ expected }, context);
    const { resumedBytes } = await bench.download({ expected, path: killed });
    assert.ok(resumedBytes >= 26 * MIB && resumedBytes < 31 * MIB, `${resumedBytes / MIB} MiB of 30`);
    assert.deepEqual(Deno.readFileSync(killed), LARGE);
  }
});

Deno.test("download() fetches an incomplete chunk whose bytes were lost again, and only that one", async () => {
  await using bench = new Bench(LARGE);
  const expected = await bench.expected();
  const chunk = await bench.chunkAt(20 * MIB);
  assert.ok(chunk.start < 20 * MIB, "the chunk is complete");
  Deno.writeFileSync(bench.path, LARGE.slice(0, 20 * MIB).fill(0, chunk.start));
  describePartial(Deno, bench.path, [{ start: 0, end: 20 * MIB }]);
  await bench.download({ expected });
  bench.assertArrived();
  const ranges = [`bytes=${20 * MIB}-`, chunk.range];
  assert.deepEqual(bench.server.requests.map(({ range }) => range?.replace(/-104857606$/, "-")), ranges);
});

Deno.test("a kill during describePartial() leaves the old description or the new one", () => {
  using dir = tempDir();
  const path = join(dir.path, "partial");
  Deno.writeFileSync(path, new Uint8Array(100));
  describePartial(Deno, path, [{ start: 0, end: 50 }]);
  const killed = { ...Deno, renameSync: () => assert.fail("killed") };
  assert.throws(() => describePartial(killed, path, [{ start: 0, end: 100 }]), /killed/);
  assert.deepEqual(readPartial(Deno, path), [{ start: 0, end: 50 }]);
  removePartial(Deno, path);
  assert.deepEqual([...Deno.readDirSync(dir.path)], []);
});

Deno.test("download() reuses only the chunks of a partial file whose digest is right", async () => {
  await using bench = new Bench(LARGE);
  const expected = await bench.expected();
  const damaged = LARGE.slice();
  damaged[20 * MIB] = (damaged[20 * MIB] ?? 0) ^ 1;
  Deno.writeFileSync(bench.path, damaged);
  describePartial(Deno, bench.path, [{ start: 0, end: LARGE.length }]);
  const { resumedBytes } = await bench.download({ expected });
  const { start, end, range } = await bench.chunkAt(20 * MIB);
  assert.equal(resumedBytes, LARGE.length - (end - start));
  assert.deepEqual(bench.server.requests.map((request) => request.range), [range]);
  bench.assertArrived();
});

Deno.test("download() detects a damaged partial file by the final digest, and restarts once", async () => {
  await using bench = new Bench(LARGE);
  const expected = { ...await bench.expected(), contentChunks: undefined };
  Deno.writeFileSync(bench.path, new Uint8Array(50 * MIB));
  describePartial(Deno, bench.path, [{ start: 0, end: 50 * MIB }]);
  const { resumedBytes } = await bench.download({ expected });
  assert.equal(resumedBytes, 0);
  bench.assertArrived();
});

Deno.test("download() replaces links in the place of a partial file and of its description, and writes nothing where they lead", async () => {
  await using bench = new Bench(LARGE);
  const elsewhere = join(bench.path, "..", "elsewhere");
  Deno.writeFileSync(elsewhere, LARGE.subarray(0, 50 * MIB));
  describePartial(Deno, bench.path, [{ start: 0, end: 50 * MIB }]);
  Deno.symlinkSync(elsewhere, bench.path);
  Deno.symlinkSync(elsewhere, `${bench.path}.parts.new`);
  await bench.download({ expected: await bench.expected() });
  assert.equal(Deno.statSync(elsewhere).size, 50 * MIB);
  assert.ok(Deno.lstatSync(bench.path).isFile);
  bench.assertArrived();
});

Deno.test("download() writes no byte that arrives after it was stopped, even if the connection does not end", async () => {
  await using bench = new Bench(SMALL);
  const stop = new AbortController();
  let controller: ReadableByteStreamController | undefined;
  const http = () => {
    const body = new ReadableStream({ type: "bytes", start: (made) => void (controller = made) });
    return Promise.resolve(new Response(body, { headers: { "content-length": String(SMALL.length) } }));
  };
  const arrived = Promise.withResolvers<void>();
  const base = testContext({ clock: bench.clock, http, signal: stop.signal });
  const log = { ...base.log, progress: () => arrived.resolve() };
  const running = bench.download({}, { ...base, log });
  while (controller === undefined) await new Promise((resolve) => setTimeout(resolve));
  controller.enqueue(SMALL.slice(0, 1000));
  await arrived.promise;
  stop.abort(new Error("stopped"));
  controller.enqueue(SMALL.slice(1000));
  controller.close();
  await assert.rejects(running, /^Error: stopped$/);
  bench.assertNothingLeft();
});

Deno.test("download() without a known digest never reuses a partial file", async () => {
  await using bench = new Bench(LARGE);
  Deno.writeFileSync(bench.path, LARGE.subarray(0, 50 * MIB));
  describePartial(Deno, bench.path, [{ start: 0, end: 50 * MIB }]);
  assert.equal((await bench.download({ expected: { bytes: LARGE.length } })).resumedBytes, 0);
  bench.assertArrived();
});

Deno.test("download() fetches a damaged chunk again, and only that one", async () => {
  await using bench = new Bench(LARGE);
  const expected = await bench.expected();
  const damaged = LARGE.slice();
  damaged[0] = (damaged[0] ?? 0) ^ 1;
  bench.server.content = damaged;
  let first = true;
  const locate = () => {
    if (!first) bench.server.content = LARGE;
    first = false;
    return Promise.resolve({ url: bench.server.url, isSigned: false });
  };
  await bench.download({ expected, locate });
  bench.assertArrived(LARGE);
  bench.server.content = LARGE;
  assert.equal(bench.server.requests.at(-1)?.range, (await bench.chunkAt(0)).range);
});

Deno.test("download() reports a full disk as a full disk", async () => {
  await using bench = new Bench(SMALL);
  const full = () => {
    throw Object.assign(new Error("No space left on device"), { code: "ENOSPC" });
  };
  await assert.rejects(
    bench.download({}, testContext({ clock: bench.clock, fs: { ...Deno, open: full } })),
    { code: "DISK", exitCode: 7 },
  );
});

Deno.test("a flush that fails while a large file is written fails the download, whenever that is", async () => {
  await using bench = new Bench(LARGE);
  const { promise: arrived, resolve: arrive } = Promise.withResolvers<void>();
  for (const when of [Promise.resolve(), arrived]) {
    const failing = async () => {
      await when;
      throw Object.assign(new Error("Input/output error"), { code: "EIO" });
    };
    const open = async (path: string | URL, options?: Deno.OpenOptions) =>
      Object.assign(await Deno.open(path, options), { syncData: failing });
    const context = testContext({ clock: bench.clock, fs: { ...Deno, open } });
    context.log.progress = (_label, done) => {
      if (done === LARGE.length) arrive();
    };
    await assert.rejects(bench.download({}, context), { code: "DISK", exitCode: 7 });
    bench.assertNothingLeft();
  }
});

Deno.test("download() names the host that it did not reach", async () => {
  await using bench = new Bench(SMALL);
  await assert.rejects(
    bench.download({
      locate: () => Promise.resolve({ url: "http://127.0.0.1:2/x?token=secret", isSigned: false }),
    }),
    (error) => {
      assert.ok(error instanceof ModelSyncError);
      assert.match(error.message, /Cannot read the model: 127\.0\.0\.1:2 did not answer \(.*refused/i);
      assert.doesNotMatch(error.message, /secret/);
      return error.exitCode === 4;
    },
  );
});

Deno.test("download() of a file inside another one requests the spans of that file only", async () => {
  const outer = noise(100_000 + SMALL.length, 8);
  outer.set(SMALL, 60_000);
  await using bench = new Bench(SMALL);
  const { bytes, sha256 } = await bench.expected();
  bench.server.content = outer;
  const within = { offset: 60_000, bytes: outer.length };
  bench.server.faults.push({ kind: "reset", afterBytes: 1000 });
  const request = { expected: { bytes, sha256 }, within };
  assert.equal((await bench.download(request)).sha256, sha256);
  const end = 60_000 + SMALL.length - 1;
  assert.deepEqual(bench.server.requests.map(({ range }) => range), [
    `bytes=60000-${end}`,
    `bytes=61000-${end}`,
  ]);
  assert.ok(Buffer.compare(Deno.readFileSync(bench.path), SMALL) === 0);
  bench.server.content = outer.slice(0, -1);
  await assert.rejects(bench.download(request), { code: "CHANGING" });
  bench.server.hasRanges = false;
  await assert.rejects(bench.download(request), { code: "NO_RANGES" });
});
