import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { join } from "node:path";
import fc from "fast-check";
import { download } from "../../lib/http/download.ts";
import { ModelSyncError } from "../../lib/core/errors.ts";
import { hashFile } from "../../lib/core/hash.ts";
import { type Fault, startFileServer } from "../../fakes/file_server.ts";
import { QuickClock } from "../helpers/fake_clock.ts";
import { slowLine } from "./slow_line.ts";
import { noise, tempDir } from "../helpers/temp_dir.ts";
import { testContext } from "../helpers/test_context.ts";

const DAY_MS = 24 * 3_600_000;

/** Three spans, so that connections fail beside each other where the line is slow. */
const CONTENT = noise(96 * 1024 ** 2 + 5, 3);
const OTHER = noise(CONTENT.length, 4);

const status = fc.constantFrom(200, 204, 206, 400, 401, 403, 404, 416, 429, 500, 503);
const headers = fc.constantFrom<Record<string, string>>(
  {},
  { "content-range": `bytes 0-9/${CONTENT.length}` },
  { "content-range": "bytes 5-9/10" },
  { "content-range": "bytes */7" },
  { "content-type": "text/html" },
  { "content-encoding": "gzip" },
  { "etag": '"v2"' },
  { "etag": '"v1"' },
);
const fault = fc.oneof(
  fc.constant(undefined),
  fc.integer({ min: 0, max: CONTENT.length }).map((afterBytes): Fault => ({ kind: "reset", afterBytes })),
  fc.record({ status, headers, bytes: fc.integer({ min: 0, max: 200_000 }) }).map((answer): Fault => ({
    kind: "answer",
    make: () =>
      new Response(answer.status === 204 ? null : OTHER.slice(0, answer.bytes), {
        status: answer.status,
        headers: answer.headers,
      }),
  })),
);

Deno.test("whatever a server does, download() ends with exactly the file, or with a ModelSyncError", async () => {
  using dir = tempDir();
  const original = join(dir.path, "original");
  Deno.writeFileSync(original, CONTENT);
  const listed = await hashFile(Deno, original, {
    signal: new AbortController().signal,
    isForManifest: true,
  });
  const { bytes, sha256 } = listed;
  const path = join(dir.path, "partial");
  let arrived = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(fault, { maxLength: 8 }),
      fc.boolean(),
      fc.boolean(),
      fc.constantFrom({ bytes, sha256 }, listed),
      async (faults, isSlow, hasRanges, expected) => {
        await using server = startFileServer(CONTENT);
        server.hasRanges = hasRanges;
        const request = {
          what: "the model",
          locate: () => Promise.resolve({ url: server.url, isSigned: false }),
          expected,
          limits: { stallMs: DAY_MS, totalMs: DAY_MS, bytesMax: bytes },
          path,
        };
        const clock = new QuickClock("2026-11-21T00:00:00Z");
        const context = isSlow ? slowLine(server, clock) : testContext({ clock });
        server.faults.push(...faults);
        try {
          await download(context, request);
          assert.ok(Buffer.from(CONTENT).equals(Deno.readFileSync(path)), "other bytes arrived");
          arrived++;
        } catch (error) {
          if (!(error instanceof ModelSyncError)) throw error;
        }
        // Whatever was left, the next run makes a whole of it.
        server.faults.length = 0;
        await download(context, request);
        assert.ok(Buffer.from(CONTENT).equals(Deno.readFileSync(path)), "other bytes were continued");
      },
    ),
    { numRuns: 10 },
  );
  assert.ok(arrived > 0, "no download succeeded: the faults are too hard to tell anything");
});
