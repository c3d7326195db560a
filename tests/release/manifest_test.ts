import assert from "node:assert/strict";
import fc from "fast-check";
import { formatManifest, formatPieces } from "../../lib/release/format_manifest.ts";
import {
  createManifest,
  fileListProblem,
  type Manifest,
  parseManifest,
  readManifest,
  RELEASE_FILES_MAX,
  releaseDigest,
  type ReleaseFile,
  releaseFile,
} from "../../lib/release/manifest.ts";
import { sortedLines } from "../../lib/release/digest_lines.ts";
import { filesOf } from "../../lib/release/file_list.ts";
import {
  type FollowingManifest,
  followManifest,
  type KnownManifest,
} from "../../lib/release/follow_manifest.ts";
import { readLazily } from "../../lib/release/plain_list.ts";
import { shareEntries } from "../../lib/release/share_entries.ts";
import { SortedLines } from "../../lib/release/sorted_lines.ts";
import { refuseOversized } from "../../lib/release/registry_file.ts";
import { matchDigest } from "../../lib/release/match_digest.ts";
import { compareUtf8, findPathCollision, portablePathProblem } from "../../lib/core/portable_path.ts";
import { sha256Hex } from "../../lib/core/hash.ts";
import { ChunkListWriter } from "../../lib/core/chunk_list.ts";
import { RefusedError } from "../../lib/core/errors.ts";

const SHA = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
const hex = fc.string({ unit: fc.constantFrom(..."0123456789abcdef"), minLength: 64, maxLength: 64 });
const path = fc.string({ unit: fc.constantFrom(..."abAB/._- é🧠0"), minLength: 1, maxLength: 20 })
  .filter((text) => portablePathProblem(text) === undefined);
const files: fc.Arbitrary<ReleaseFile[]> = fc
  .uniqueArray(fc.record({ path, size: fc.nat({ max: 2 ** 26 }), sha256: hex }, { noNullPrototype: true }), {
    minLength: 1,
    selector: (file) => file.path,
  })
  .filter((list) => findPathCollision(list.map((file) => file.path)) === undefined);
const details = {
  sequence: 7,
  createdAt: "2026-11-21T00:00:07Z",
  origin: { carrier: "git", host: "train-1" },
} as const;

Deno.test("parseManifest() returns the manifest that formatManifest() wrote", async () => {
  await fc.assert(fc.asyncProperty(files, async (list) => {
    const manifest = await createManifest(list, details);
    assert.deepEqual(await parseManifest(formatManifest(manifest), "test"), manifest);
    assert.deepEqual(readManifest(formatManifest(manifest), "test"), manifest);
  }));
});

Deno.test("formatPieces() yields a manifest of many files in pieces of few, one line for each file", async () => {
  const list = Array.from(
    { length: 3_000 },
    (_, index) => ({ path: `${index}.npy`, size: index, sha256: SHA }),
  );
  const manifest = await createManifest(list, details);
  const pieces = [...formatPieces(manifest)];
  assert.deepEqual(readManifest(pieces.join(""), "test"), manifest);
  assert.equal(pieces.join("").match(/^ {4}{"path":.*},?$/gm)?.length, 3_000);
  assert.ok(pieces.length > 3);
});

/** A manifest as the store returns it, with the lines of its digest. */
async function knownOf(manifest: Manifest, text = formatManifest(manifest)): Promise<KnownManifest> {
  const bytes = await new Blob([...sortedLines(manifest.files)]).bytes();
  return { manifest: readLazily(text, "it"), lines: await SortedLines.read(bytes, manifest.digest) };
}

async function follow(text: string, known: KnownManifest): Promise<FollowingManifest | undefined> {
  return await followManifest({ bytes: new TextEncoder().encode(text), text }, known);
}

/** As the pull does: parses the whole text if it does not follow the known one. */
async function parseAfter(text: string, known: KnownManifest): Promise<Manifest> {
  return (await follow(text, known))?.manifest ?? await parseManifest(text, "it");
}

Deno.test("followManifest() returns what parseManifest() does, and nothing where that refuses", async () => {
  const file = (path: string, sha256 = "a".repeat(64)) => ({ path, size: 1, sha256 });
  const of = async (files: readonly ReleaseFile[]): Promise<Manifest> => {
    const digest = await releaseDigest(files);
    return { schema: 1, digest, ...details, files: [...files] };
  };
  const manifest = await of([file("a"), file("b"), file("d")]);
  const whole = await knownOf(manifest);
  const knowns = [whole, { ...whole, lines: undefined }, await knownOf(manifest, JSON.stringify(manifest))];
  const good = [
    manifest.files,
    [file("a"), file("b", "b".repeat(64)), file("d")],
    [file("b")],
    [file("a"), file("b")],
    [file("0"), file("a"), file("b"), file("c"), file("d"), file("e")],
    [file("d"), file("a")],
    [file("a"), { ...file("b"), size: 2 }, file('c"'), file("é")],
  ];
  const bad = [
    [file("a"), file("a"), file("b")],
    [file("a"), file("B"), file("b"), file("d")],
    [file("a"), file("b"), file("b/c"), file("d")],
    [file("a"), file("../b"), file("d")],
  ];
  const wrongDigest = `sha256:${"0".repeat(64)}`;
  for (const [index, files] of [...good, ...bad].entries()) {
    const next = await of(files);
    const text = formatManifest(next);
    const texts = [text, JSON.stringify(next), text.replace("  ]", '  ], "more": [\n  ]'), `${text}\n`];
    for (const text of texts) {
      const alone = await parseManifest(text, "it").catch(String);
      for (const known of knowns) {
        assert.deepEqual(await parseAfter(text, known).catch(String), alone);
        if (typeof alone === "string") assert.equal(await follow(text, known), undefined);
      }
      assert.equal(typeof alone, index < good.length && !text.includes('c\\"') ? "object" : "string", text);
    }
    for (
      const damaged of [
        text.replace(next.digest, wrongDigest),
        text.replace('"size":1', '"size":-1'),
        text.replace(",\n  ]", "\n  ]").replace("},\n", "}\n"),
        text.replace(/\}\n {2}\]/, "},\n  ]"),
        text.replaceAll("\n", "\r\n"),
        text.replace('"size":1', '"size":01'),
        text.replace('"size":1', '"size":9999999999999999'),
        text.replace('{"path":"a"', '{"path":"\t"'),
        text.replace('"sequence": 7', '"sequence": -7'),
      ]
    ) {
      const alone = await parseManifest(damaged, "it").catch(String);
      for (const known of knowns) {
        assert.deepEqual(await parseAfter(damaged, known).catch(String), alone);
      }
    }
  }
});

Deno.test("followManifest() takes no file for a line that a known manifest has elsewhere than in its list of files", async () => {
  const file = (path: string, text: string) => ({ path, size: 1, sha256: text.repeat(64) });
  const manifest = await createManifest([file("a", "a"), file("b", "b")], details);
  const lines = (files: readonly ReleaseFile[]) =>
    files.map((entry) => `    ${JSON.stringify(entry)}`).join(",\n");
  const others = [file("a", "c"), file("b", "d")];
  const list = `"files": [\n${lines([...others, file("f", "f")])}\n  ]`;
  const inner = `"more": {\n  "a": 1,\n  ${list}}`;
  const texts = [
    formatManifest(manifest).replace('"files"', `${inner},\n  "files"`),
    formatManifest(manifest).replace('"files"', `${list},\n  "files"`),
    `${JSON.stringify(manifest).slice(0, -1)},${inner}, "last": [\n    1\n  ]\n}\n`,
  ];
  const more = file("e", "e");
  const { digest } = await createManifest([...manifest.files, more], details);
  const text = formatManifest({ ...manifest, digest, files: [...others, more] });
  for (const known of texts) {
    assert.deepEqual(readManifest(known, "it").files, manifest.files);
    await assert.rejects(
      parseAfter(text, await knownOf(manifest, known)),
      { code: "MANIFEST_INVALID" },
      known,
    );
  }
});

Deno.test("followManifest() says how two lists differ, and finds in the new one what is in it, whatever was edited", async () => {
  const kinds = fc.constantFrom("change", "resize", "remove", "add");
  await fc.assert(
    fc.asyncProperty(
      files,
      fc.array(fc.tuple(fc.nat(), kinds)),
      fc.boolean(),
      async (list, edits, isCached) => {
        const manifest = await createManifest(list, details);
        const edited = manifest.files.flatMap((file, index) => {
          const edit = edits.find(([at]) => at % list.length === index)?.[1];
          if (edit === "remove" && index > 0) return [];
          if (edit === "resize") return [{ ...file, size: file.size + 1 }];
          if (edit === "add") return [file, { ...file, path: `${file.path}.more` }];
          return [edit === "change" ? { ...file, sha256: SHA } : file];
        });
        const next = await createManifest(edited, { ...details, sequence: 2 });
        const known = await knownOf(manifest);
        const parsed = await parseManifest(formatManifest(next), "it").catch(() => undefined);
        const following = await follow(
          formatManifest(next),
          isCached ? known : { ...known, lines: undefined },
        );
        if (parsed === undefined) return assert.equal(following, undefined);
        assert.ok(following !== undefined);
        const { changes, lines } = following;
        const [before, after] = [manifest, next].map((one) =>
          new Map(one.files.map((file) => [file.path, file]))
        );
        const changed = new Set(
          [...before?.values() ?? []].filter((file) => {
            const other = after?.get(file.path);
            return other !== undefined && (other.sha256 !== file.sha256 || other.size !== file.size);
          }).map(({ path }) => path),
        );
        assert.deepEqual(new Set(changes.modified.map(({ after }) => after.path)), changed);
        assert.deepEqual(
          [changes.added, changes.removed],
          [
            next.files.filter(({ path }) => !before?.has(path)),
            manifest.files.filter(({ path }) => !after?.has(path)),
          ],
        );
        assert.deepEqual(lines, await new Blob([...sortedLines(next.files)]).bytes());
        const found = filesOf(following.manifest);
        assert.deepEqual([found.count, found.bytes, found.first], [
          next.files.length,
          next.files.reduce((bytes, { size }) => bytes + size, 0),
          next.files[0],
        ]);
        for (const path of [...before?.keys() ?? [], "none"]) {
          assert.deepEqual(
            found.find(path),
            after?.get(path),
          );
        }
        for (const end of [".b", "a", "é"]) {
          assert.equal(found.mayEnd([end]), next.files.some(({ path }) => path.toLowerCase().endsWith(end)));
        }
        assert.deepEqual(following.manifest, parsed);
      },
    ),
  );
});

Deno.test("followManifest() refuses a digest that the lines of another release would give", async () => {
  const file = (path: string, sha256 = "a".repeat(64)) => ({ path, size: 1, sha256 });
  const [one, other] = await Promise.all(
    [[file("a"), file("b")], [file("a"), file("c")]].map((files) => createManifest(files, details)),
  );
  assert.ok(one !== undefined && other !== undefined);
  const next = await createManifest([file("a", SHA), file("b")], details);
  const { lines } = await knownOf(other);
  const known = { ...await knownOf(one), lines };
  assert.equal(await follow(formatManifest(next), known), undefined);
  assert.equal((await parseAfter(formatManifest(next), known)).digest, next.digest);
});

Deno.test("filesOf() returns one list for each manifest, so that paths are indexed once", async () => {
  const manifest = await createManifest([{ path: "a", size: 1, sha256: SHA }], details);
  for (const one of [manifest, readLazily(formatManifest(manifest), "it")]) {
    assert.equal(filesOf(one), filesOf(one));
  }
  assert.notEqual(filesOf(manifest), filesOf({ ...manifest }));
});

Deno.test("shareEntries() changes nothing but the identity of equal entries, whatever the other manifest lists", async () => {
  const listed = fc.tuple(files, fc.array(fc.tuple(fc.nat(), fc.constantFrom("keep", "change", "remove"))));
  await fc.assert(fc.asyncProperty(listed, async ([list, edits]) => {
    const before = await createManifest(list, details);
    const edited = before.files.flatMap((file, index) => {
      const edit = edits.find(([at]) => at % list.length === index)?.[1];
      return edit === "remove" ? [] : [edit === "change" ? { ...file, size: file.size + 1 } : { ...file }];
    });
    const after = await createManifest([...edited, { path: "m.new", size: 1, sha256: SHA }], details);
    const shared = shareEntries(after, before.files);
    assert.deepEqual(shared, after);
    const known = new Set(before.files);
    const wanted = after.files.filter((file) =>
      before.files.some(({ path, size }) => path === file.path && size === file.size)
    );
    assert.equal(shared.files.filter((file) => known.has(file)).length, wanted.length);
  }));
});

Deno.test("releaseDigest() depends only on the files, and on each field of each file", async () => {
  await fc.assert(fc.asyncProperty(files, fc.nat(), async (list, seed) => {
    const digest = await releaseDigest(list);
    assert.equal(await releaseDigest([...list].reverse()), digest);
    const index = seed % list.length;
    const file = list[index];
    assert.ok(file);
    const flipped = file.sha256.startsWith("0") ? `1${file.sha256.slice(1)}` : `0${file.sha256.slice(1)}`;
    for (
      const changed of [{ ...file, size: file.size + 1 }, { ...file, sha256: flipped }, {
        ...file,
        path: `${file.path}x`,
      }]
    ) {
      assert.notEqual(await releaseDigest(list.with(index, changed)), digest);
    }
    assert.notEqual(await releaseDigest(list.slice(1)), digest);
  }));
});

Deno.test("releaseDigest() equals the shell commands of the guarantees guide", async () => {
  // printf '%s  %s  %s\n' … | LC_ALL=C sort | sha256sum
  const list = [{ path: "b", size: 3, sha256: SHA }, { path: "a", size: 3, sha256: SHA }];
  const lines = list.map((file) => `${file.sha256}  ${file.size}  ${file.path}\n`).join("");
  const child = new Deno.Command("sh", {
    args: ["-c", "LC_ALL=C sort | sha256sum"],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(lines));
  await writer.close();
  const sum = new TextDecoder().decode((await child.output()).stdout).slice(0, 64);
  assert.equal(await releaseDigest(list), `sha256:${sum}`);
});

Deno.test("parseManifest() refuses any manifest in which one character was changed, or finds the same files in it", async () => {
  const manifest = await createManifest([{ path: "a/b.onnx", size: 12, sha256: SHA }, {
    path: "c.json",
    size: 3,
    sha256: SHA,
  }], details);
  const text = formatManifest(manifest);
  await fc.assert(
    fc.asyncProperty(
      fc.nat({ max: text.length - 1 }),
      fc.constantFrom(...'019afz"{}[],: ./\\\u0000'),
      async (at, char) => {
        const damaged = text.slice(0, at) + char + text.slice(at + 1);
        const parsed = await parseManifest(damaged, "test").catch((error: Error & { code?: string }) => {
          assert.equal(error.code, "MANIFEST_INVALID");
        });
        if (parsed !== undefined) assert.deepEqual(parsed.files, manifest.files);
      },
    ),
    { numRuns: 500 },
  );
});

Deno.test("parseManifest() throws only its own refusal", async () => {
  await fc.assert(fc.asyncProperty(fc.oneof(fc.json(), fc.string()), async (text) => {
    await assert.rejects(parseManifest(text, "test"), { code: "MANIFEST_INVALID", exitCode: 5 });
  }));
});

Deno.test("parseManifest() refuses hostile lists: paths, collisions, chunks, sizes, no files, too many", async () => {
  const file = { path: "a.onnx", size: 3, sha256: SHA };
  const large = { path: "a.onnx", size: 1_000_000, sha256: SHA };
  const lists: readonly (readonly ReleaseFile[])[] = [
    [],
    [{ ...file, path: "../a" }],
    [file, { ...file, path: "A.onnx" }],
    [file, file],
    [{ ...file, size: -1 }],
    [{ ...file, size: 1.5 }],
    [{ ...file, sha256: SHA.toUpperCase() }],
    [{ ...large, contentChunks: listOf([large.size - 1]) }],
    [{ ...large, contentChunks: listOf([100_000, large.size - 100_000]) }],
    [{ ...large, contentChunks: "gear-256k:AAAA" }],
    [{ ...large, contentChunks: "gear-256k:***" }],
  ];
  for (const list of lists) {
    const manifest = { schema: 1, digest: await releaseDigest(list), ...details, files: list };
    await assert.rejects(
      parseManifest(JSON.stringify(manifest), "test"),
      { code: "MANIFEST_INVALID" },
      JSON.stringify(list),
    );
  }
  for (const contentChunks of [listOf([300_000, 700_000]), "a-later-format:x"]) {
    const text = formatManifest(await createManifest([{ ...large, contentChunks }], details));
    assert.equal((await parseManifest(text, "test")).files[0]?.contentChunks, contentChunks);
  }
});

/** Returns a list of chunks of these sizes. */
function listOf(sizes: readonly number[]): string {
  const list = new ChunkListWriter();
  for (const size of sizes) list.add(size, new Uint8Array(32));
  return list.toString();
}

Deno.test("parseManifest() ignores fields of a later version, and names a later schema in its refusal", async () => {
  const manifest = await createManifest([{ path: "a", size: 1, sha256: SHA }], details);
  const later = {
    ...manifest,
    files: [{ ...manifest.files[0], chunks: [SHA] }],
    expiresAt: "2027-01-01T00:00:00Z",
    note: "from the future",
  };
  assert.equal((await parseManifest(JSON.stringify(later), "test")).digest, manifest.digest);
  await assert.rejects(
    parseManifest(JSON.stringify({ ...manifest, schema: 2 }), "test"),
    /it has schema 2, this program reads schema 1: update model-sync/,
  );
});

Deno.test("parseManifest() refuses deeply nested and long values with a short line, in any field", async () => {
  const deep = `${'{"0":'.repeat(100_000)}1${"}".repeat(100_000)}`;
  const long = JSON.stringify("x".repeat(1_000_000));
  const fields = ["schema", "digest", "sequence", "createdAt", "origin", "files", "unknown", "__proto__"];
  for (const field of fields) {
    for (const value of [deep, long]) {
      await assert.rejects(parseManifest(`{"${field}": ${value}}`, "model-sync.json"), (error: Error) => {
        assert.ok(error instanceof RefusedError, String(error).slice(0, 300));
        assert.match(error.message, /^Cannot use model-sync\.json: [^\n]{1,300}$/);
        return true;
      });
    }
  }
});

Deno.test("a file list longer than any release is refused", () => {
  const paths = Array<string>(RELEASE_FILES_MAX + 1).fill("a");
  assert.match(fileListProblem(paths) ?? "", /^it has 200001 files, at most 200000 are possible$/);
  assert.match(fileListProblem(paths.slice(1)) ?? "", /^the paths "a" and "a" /);
});

Deno.test("matchDigest() finds the only digest with a prefix, and refuses one that is unknown, ambiguous or too short", () => {
  const one = `sha256:${"ab".repeat(32)}` as const;
  const two = `sha256:abab${"cd".repeat(30)}` as const;
  const match = (typed: string) => matchDigest(typed, [one, two], "roll back to", "the store");
  assert.equal(match(one), one);
  assert.equal(match("ABABAB"), one);
  assert.equal(match("sha256:ababc"), two);
  assert.throws(() => match("abab"), {
    code: "DIGEST_AMBIGUOUS",
    exitCode: 2,
    hint: "it is one of: abababababab, ababcdcdcdcd",
  });
  assert.throws(() => match("ffff"), {
    code: "RELEASE_MISSING",
    message: 'Cannot roll back to "ffff": the store holds no such release',
    hint: "it holds: abababababab, ababcdcdcdcd",
  });
  assert.throws(() => matchDigest("ffff", [], "roll back to", "the store"), { hint: "it holds: none" });
  for (const typed of ["aba", "", "abag", `${"ab".repeat(32)}0`, `x${"ab".repeat(32)}`]) {
    assert.throws(() => match(typed), { code: "DIGEST_INVALID" }, typed);
  }
});

Deno.test("a refused manifest is named with the place of its problem", async () => {
  const manifest = await createManifest([{ path: "a", size: 1, sha256: SHA }], details);
  const says = async (text: string, problem: string) =>
    await assert.rejects(parseManifest(text, "model-sync.json"), {
      message: `Cannot use model-sync.json: ${problem}`,
    });
  const [file] = manifest.files;
  const capitals = { ...manifest, files: [file, { ...file, sha256: SHA.toUpperCase() }] };
  await says(JSON.stringify(capitals), "files[1].sha256: is not a lower-case SHA-256");
  await says(
    JSON.stringify({ ...manifest, digest: "x" }),
    "digest: is not sha256: with 64 hexadecimal digits",
  );
  await says("[]", "it: Invalid input: expected object, received array");
});

Deno.test("a manifest lists the chunks of a file that has them", () => {
  assert.deepEqual(releaseFile("a", { bytes: 1, sha256: SHA }), { path: "a", size: 1, sha256: SHA });
  assert.deepEqual(releaseFile("a", { bytes: 1, sha256: SHA, contentChunks: "x:y" }), {
    path: "a",
    size: 1,
    sha256: SHA,
    contentChunks: "x:y",
  });
});

Deno.test("a manifest drops the chunk lists that would make it too long to be read", async () => {
  const contentChunks = "later:".padEnd(12 * 1024 * 1024, "x");
  const files = ["a", "b", "c", "d"].map((path) => ({ path, size: 1, sha256: SHA, contentChunks }));
  const listed = { path: "e", size: 1, sha256: SHA, contentChunks: "later:x" };
  const manifest = await createManifest([...files, listed], details);
  const kept = manifest.files.filter((file) => file.contentChunks !== undefined).map(({ path }) => path);
  assert.deepEqual(kept, ["a", "b", "e"]);
});

Deno.test("a registry file is read up to its largest size", () => {
  const file = { name: "model.sig", bytesMax: 10, code: "SIGNATURE_INVALID" };
  refuseOversized(file, 10);
  assert.throws(() => refuseOversized(file, 11), {
    code: "SIGNATURE_INVALID",
    message: "Cannot use model.sig: it has 11 bytes, at most 10 are read",
  });
});

Deno.test("a list of files is read as its schema says: unknown fields are left out, and wrong ones refused", async () => {
  const manifest = await createManifest([{ path: "a", size: 1, sha256: SHA }], details);
  const read = (file: unknown) => readManifest(JSON.stringify({ ...manifest, files: [file] }), "test").files;
  const file = { path: "a", size: 1, sha256: SHA };
  assert.deepEqual(read({ ...file, chunks: [SHA], later: 1 }), [file]);
  assert.deepEqual(read({ ...file, contentChunks: "x:y", later: 1 }), [{ ...file, contentChunks: "x:y" }]);
  assert.deepEqual(read({ ...file, contentChunks: "x:y" }), [{ ...file, contentChunks: "x:y" }]);
  const wrong = [
    null,
    "a",
    [],
    {},
    { ...file, path: 1 },
    { ...file, size: -1 },
    { ...file, size: 1.5 },
    { ...file, size: 2 ** 60 },
    { ...file, size: "1" },
    { ...file, sha256: `${SHA}\n` },
    { ...file, sha256: SHA.slice(1) },
    { ...file, contentChunks: null },
    { ...file, contentChunks: 1 },
  ];
  for (const one of wrong) assert.throws(() => read(one), { code: "MANIFEST_INVALID" }, JSON.stringify(one));
});

Deno.test("releaseDigest() sorts the lines of all files by their bytes, equal and malformed digests, too", async () => {
  const digit = fc.constantFrom(..."0123456789abcdef");
  const sha256 = fc.oneof(
    fc.string({ unit: digit, minLength: 64, maxLength: 64 }),
    // Many with the same beginning.
    fc.string({ unit: fc.constantFrom("0", "f"), minLength: 2, maxLength: 2 }).map((end) =>
      "a".repeat(62) + end
    ),
    fc.constantFrom("", "F".repeat(64), "é".repeat(64)),
  );
  const file = fc.record({ path: fc.string({ unit: "binary" }), size: fc.maxSafeNat(), sha256 });
  await fc.assert(fc.asyncProperty(fc.array(file), async (files) => {
    const lines = files.map((file) => `${file.sha256}  ${file.size}  ${file.path}\n`).sort(compareUtf8);
    assert.equal(await releaseDigest(files), `sha256:${await sha256Hex(lines.join(""))}`);
  }));
});
