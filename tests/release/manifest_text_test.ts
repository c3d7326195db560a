import assert from "node:assert/strict";
import fc from "fast-check";
import { sortUtf8 } from "../../lib/core/portable_path.ts";
import { formatManifest } from "../../lib/release/format_manifest.ts";
import { createManifest, type ManifestDetails } from "../../lib/release/manifest.ts";
import { ManifestText } from "../../lib/release/manifest_text.ts";

const details = (sequence: number): ManifestDetails => ({
  sequence,
  createdAt: "2026-11-01T00:00:00Z",
  origin: { carrier: "git", host: "trainer", folder: "models" },
});

const DETAILS = fc.record({
  sequence: fc.nat(),
  createdAt: fc.constant("2026-11-02T00:00:00Z"),
  origin: fc.constant({ carrier: "git" as const, folder: "models" }),
}).chain((plain) =>
  fc.constantFrom<ManifestDetails>(plain, { ...plain, expiresAt: "2027-01-01T00:00:00Z" }, {
    ...plain,
    withdrawals: [{ digest: `sha256:${"a".repeat(64)}`, state: "withdrawn", at: "2026-11-01T00:00:00Z" }],
  })
);

/** Names whose order differs by bytes, by characters and by folders, and such that JSON escapes. */
const PATH = fc.constantFrom(
  "a",
  "a.b",
  "a/b",
  "a0",
  "b/\u00e9",
  "b/\uffff",
  "b/\ud83d\ude00",
  'q"\\',
  "z",
  "\u0080x",
);
const FILES = fc.dictionary(
  PATH,
  fc.record({ size: fc.nat(), sha256: fc.constantFrom("0".repeat(64), "f".repeat(64)) }),
  { minKeys: 1 },
).map((entries) => new Map(Object.entries(entries)));

const listed = (files: ReadonlyMap<string, { readonly size: number; readonly sha256: string }>) =>
  Array.from(files, ([path, file]) => ({ path, ...file }));

const read = (text: string) => ManifestText.read(new TextEncoder().encode(text));

Deno.test("ManifestText replaces lines as if the whole manifest was written again", async () => {
  await fc.assert(
    fc.asyncProperty(FILES, FILES, DETAILS, async (before, after, next) => {
      const text = read(formatManifest(await createManifest(listed(before), details(1))));
      assert.ok(text);
      const whole = await createManifest(listed(after), next);
      const changed = listed(after).filter(({ path, size, sha256 }) => {
        const old = before.get(path);
        return old?.size !== size || old.sha256 !== sha256;
      });
      const removed = [...before.keys()].filter((path) => !after.has(path));
      const parts = text.change(whole.digest, next, changed, removed)?.map((part) => part.slice());
      assert.equal(await new Blob(parts).text(), formatManifest(whole));
      assert.deepEqual(text.manifest.files.map(({ path }) => path), sortUtf8([...before.keys()]));
      assert.equal(text.manifest.sequence, 1);
    }),
  );
});

Deno.test("ManifestText reads no text of another form, such as one that a person has formatted", async () => {
  const text = formatManifest(
    await createManifest([{ path: "a", size: 1, sha256: "0".repeat(64) }], details(1)),
  );
  assert.ok(read(text));
  for (
    const other of [
      JSON.stringify(JSON.parse(text)),
      `${text} `,
      text.replace('"schema": 1', '"schema": 2'),
      "",
    ]
  ) {
    assert.equal(read(other), undefined);
  }
});

Deno.test("ManifestText replaces no lines if the whole manifest would leave out a list of chunks", async () => {
  const file = (path: string) => ({
    path,
    size: 1,
    sha256: "0".repeat(64),
    contentChunks: "A".repeat(17 << 20),
  });
  const [a, b] = [file("a"), file("b")];
  const before = await createManifest([a], details(1));
  const text = read(formatManifest(before));
  const whole = await createManifest([a, b], details(2));
  assert.ok(formatManifest(whole).length < 32 << 20);
  assert.ok(text !== undefined && text.change(whole.digest, details(2), [b], []) === undefined);
  const parts = text.change(before.digest, details(2), [a], []) ?? [];
  assert.equal(parts.reduce((bytes, part) => bytes + part.length, 0), formatManifest(before).length);
});
