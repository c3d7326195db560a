import assert from "node:assert/strict";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { Validate } from "../../../lib/config/sections/validate.ts";
import { InvalidModelError } from "../../../lib/validators/invalid_model.ts";
import { validateRelease } from "../../../lib/validators/validate_release.ts";
import { ANY_NAMES, inspectBytes, refusesBytes } from "./inspect_bytes.ts";
import { safetensorsBytes, safetensorsHeader, stagedFile } from "../../helpers/model_files.ts";
import {
  arrayWrapper,
  global,
  PROTO_4,
  rawPickle,
  stackGlobal,
  text,
  uint32,
} from "../../helpers/raw_pickle.ts";
import { paxHeader, rawTar, tarMember } from "../../helpers/raw_tar.ts";
import { joined, rawZip } from "../../helpers/raw_zip.ts";
import { tempDir } from "../../helpers/temp_dir.ts";
import { testContext } from "../../helpers/test_context.ts";

const SYSTEM = rawPickle(PROTO_4, stackGlobal("os", "system"), text("id"), 0x85, "R.");
const HONEST = rawPickle(PROTO_4, stackGlobal("sklearn.base", "BaseEstimator"), ")", 0x81, ".");

const zipOf = (content: Uint8Array, name = "m.pkl", method = 0) => rawZip([{ name, content, method }]);
const tarOf = (content: Uint8Array, name = "m.pkl") => rawTar(tarMember({ name, content }));
interface Entry {
  readonly name: string;
  readonly content: Uint8Array;
}
const END_SIGNATURE = rawPickle("PK", 5, 6, new Uint8Array(18));

Deno.test("a malicious ZIP behind other bytes is refused under any name", async () => {
  const prefixes = [END_SIGNATURE, rawPickle("P"), new Uint8Array(100), HONEST, rawPickle("\x93NUMPY")];
  for (const prefix of prefixes) {
    await refusesBytes(joined([prefix, zipOf(SYSTEM)]), /./);
    await refusesBytes(rawZip([{ name: "a.npy", content: SYSTEM }], { prefix }), /./, ["a.npz", "m.pt", "x"]);
    await refusesBytes(rawZip([{ name: "a.npy", content: SYSTEM }], { prefix, zip64: {} }), /./, ["m.pt"]);
  }
  await refusesBytes(joined([END_SIGNATURE, zipOf(SYSTEM)]), /a ZIP that cannot be inspected/, ["a.npz"]);
  await refusesBytes(
    joined([new Uint8Array(9), zipOf(SYSTEM), new Uint8Array(60_000)]),
    /a ZIP that cannot be inspected/,
    ["model.pt"],
  );
});

Deno.test("the signature of an end record without a directory does not make a file a ZIP", async () => {
  await inspectBytes(END_SIGNATURE, "empty.npz");
  await inspectBytes(joined([new Uint8Array(5000), END_SIGNATURE, new Uint8Array(5000)]), "weights.bin");
  const many = (count: number) => joined(Array.from({ length: count }, () => END_SIGNATURE));
  await inspectBytes(many(1000), "weights.bin");
  // So many of them would take the inspection too long.
  await refusesBytes(many(1001), /a ZIP that cannot be inspected/, ["weights.bin"]);
});

Deno.test("a safetensors file whose tensors are a malicious ZIP is refused, although its name is right", async () => {
  using dir = tempDir();
  const zip = zipOf(SYSTEM, "m/data.pkl");
  const header = safetensorsHeader({ w: ["U8", [zip.length], zip.length] });
  const bytes = joined([safetensorsBytes(header, 0), zip]);
  const request = {
    dir: dir.path,
    files: [stagedFile(dir.path, "m.safetensors", bytes)],
    digest: "sha256:0123",
    createdAt: "2026-11-24T12:00:00Z",
    active: undefined,
    settings: Validate.parse({}),
  };
  await assert.rejects(() => validateRelease(testContext(), request), InvalidModelError);
});

Deno.test("a pickle in a ZIP, tar, gzip or zstd, which pandas opens, is inspected", async () => {
  const containers: Readonly<Record<string, (pickle: Uint8Array) => Uint8Array>> = {
    "m.pkl.zip": (pickle) => zipOf(pickle),
    "m.pkl.tar": (pickle) => tarOf(pickle),
    "m.pkl.tar.gz": (pickle) => gzipSync(tarOf(pickle)),
    "m.pkl.gz": (pickle) => gzipSync(pickle),
    "m.pkl.zst": (pickle) => zstdCompressSync(pickle),
  };
  for (const [name, container] of Object.entries(containers)) {
    await refusesBytes(container(SYSTEM), /imports os\.system/, [name, ...ANY_NAMES]);
    assert.equal(await inspectBytes(container(HONEST), name), true, name);
  }
  for (const entry of ["values", "a/b.txt", "m.pkl.gz"]) {
    await refusesBytes(zipOf(SYSTEM, entry), /imports os\.system/, ["m.pkl.zip", "m.bin"]);
    await refusesBytes(tarOf(SYSTEM, entry), /imports os\.system/, ["m.pkl.tar", "m.bin"]);
  }
  await refusesBytes(zipOf(rawPickle("a,b\n"), "a.csv"), /a ZIP without one/, ["m.pkl.zip"]);
  await refusesBytes(zstdCompressSync(tarOf(SYSTEM)), /a compressed tar/, ["m.pkl.tar.zst", "m.bin"]);
});

Deno.test("a skippable zstd frame before the first one does not hide a pickle", async () => {
  const skipped = rawPickle(0x50, 0x2a, 0x4d, 0x18, uint32(3), "abc");
  await refusesBytes(joined([skipped, zstdCompressSync(SYSTEM)]), /after its zstd stream/, [
    "m.zst",
    "m.pkl.zst",
  ]);
});

Deno.test("a pickle in nested archives is inspected", async () => {
  for (const inner of [zipOf, tarOf]) {
    for (const outer of [zipOf, tarOf]) {
      const nested = (pickle: Uint8Array) => outer(inner(pickle, "archive/data.pkl"), "policy.pth");
      await refusesBytes(nested(SYSTEM), /"policy\.pth\/archive\/data\.pkl" in it imports os\.system/, [
        "model.zip",
        "model.nemo",
        "model",
      ]);
      await inspectBytes(nested(HONEST), "model.zip");
    }
  }
  // Between other entries, so that bytes of the outer archive precede and follow it.
  for (const outer of [rawZip, (entries: readonly Entry[]) => rawTar(...entries.map(tarMember))]) {
    const nested = (pickle: Uint8Array) =>
      outer(["a.bin", "m.tgz", "z.bin"].map((name) => ({
        name,
        content: name === "m.tgz" ? gzipSync(tarOf(pickle)) : new Uint8Array(700),
      })));
    await refusesBytes(nested(SYSTEM), /"m\.tgz\/m\.pkl" in it imports os\.system/, ["model.zip"]);
    await inspectBytes(nested(HONEST), "model.zip");
  }
  const compressed = (times: number) =>
    Array.from({ length: times }).reduce<Uint8Array>((content) => gzipSync(content), SYSTEM);
  await refusesBytes(compressed(3), /imports os\.system/, ["m.pkl.gz"]);
  await refusesBytes(compressed(4), /is compressed more than 3 times/, ["m.pkl.gz"]);
  await refusesBytes(zipOf(gzipSync(SYSTEM), "m.joblib"), /imports os\.system/, ["a.zip"]);
  await refusesBytes(gzipSync(tarOf(gzipSync(SYSTEM), "m.bin")), /imports os\.system/, ["a.tgz"]);
});

Deno.test("a tar with hard links or sparse files is refused, whatever their contents", async () => {
  const link = tarMember({ name: "b.pkl", type: "1", linkName: "a.bin" });
  const linked = rawTar(tarMember({ name: "a.bin", content: HONEST }), link);
  for (const bytes of [linked, gzipSync(linked)]) {
    await refusesBytes(bytes, /is a tar with hard links/, ["m.tar", "m.pkl.tar", "m.bin"]);
  }
  const octal = (value: number) => `${value.toString(8).padStart(11, "0")}\0`;
  const sparse = rawTar(tarMember({
    name: "a.bin",
    type: "S",
    magic: "ustar  \0",
    content: HONEST,
    put: [[386, octal(0) + octal(HONEST.length)], [483, octal(HONEST.length)]],
  }));
  await refusesBytes(sparse, /is a tar with sparse files/, ["m.tar", "m.bin"]);
});

Deno.test("an archive that is compressed, and so cannot be inspected, is refused", async () => {
  await refusesBytes(zipOf(zipOf(SYSTEM), "a.npz", 8), /"a\.npz" in it is a compressed ZIP/, ["a.zip"]);
  await refusesBytes(gzipSync(zipOf(SYSTEM)), /it is a compressed ZIP/, ["a.npz.gz"]);
  await refusesBytes(gzipSync(tarOf(tarOf(SYSTEM))), /a compressed tar/, ["a.tgz"]);
  const prefixed = joined([new Uint8Array(7), zipOf(SYSTEM)]);
  await refusesBytes(tarOf(prefixed, "m.pt"), /"m\.pt" in it is a ZIP that cannot be inspected/, ["a.tar"]);
  let deep: Uint8Array = SYSTEM;
  for (let depth = 0; depth < 6; depth++) deep = zipOf(deep, "a.zip");
  await refusesBytes(deep, /in more than 4 archives/, ["a.zip"]);
});

Deno.test("opcodes in the first header of a tar are walked", async () => {
  const opcodes = rawPickle(global("os", "system"), "(S'id'\ntR.");
  const tar = joined([
    tarMember({ name: opcodes, type: "x", content: "" }),
    tarMember({ name: "a.txt", content: "a" }),
    new Uint8Array(1024),
  ]);
  const refusal = /imports os\.system|a tar without one/;
  await refusesBytes(tar, refusal);
  await refusesBytes(gzipSync(tar), refusal);
  await refusesBytes(tar, /imports os\.system/, ["a.tar", "model"]);
  await inspectBytes(joined([paxHeader({ mtime: "1" }), tarOf(rawPickle("a,b\n"), "a.csv")]), "a.tar");
});

Deno.test("the bytes of an array in an archive's entry are also walked as opcodes", async () => {
  const hidden = rawPickle(
    PROTO_4,
    arrayWrapper(8),
    joined([SYSTEM.subarray(2), new Uint8Array(64)]).subarray(0, 64),
    ".",
  );
  for (const container of [zipOf, tarOf, (pickle: Uint8Array) => gzipSync(tarOf(pickle))]) {
    await refusesBytes(container(hidden), /imports os\.system/, ["a.zip", "m.pkl.tar"]);
  }
  const withTorch = rawZip([
    { name: "a/data.pkl", content: HONEST },
    { name: "a/m.joblib", content: rawPickle(PROTO_4, arrayWrapper(1), new Uint8Array(8), SYSTEM) },
  ]);
  await refusesBytes(withTorch, /placeholder of an array/, ["m.pt"]);
});

Deno.test("archives without pickles pass", async () => {
  const files = {
    "a.csv": "close,volume\n1,2\n",
    "cats.txt": "cats\nand dogs\n",
    "a.json": "{}",
    "weights.bin": new Uint8Array(3000),
  };
  const entries = Object.entries(files).map(([name, content]) => ({ name, content }));
  const tar = rawTar(...entries.map(tarMember));
  await inspectBytes(rawZip(entries), "data.zip");
  await inspectBytes(rawZip(entries.map((entry) => ({ ...entry, method: 8 }))), "data.zip");
  await inspectBytes(tar, "data.tar");
  await inspectBytes(gzipSync(tar), "data.tar.gz");
  await inspectBytes(rawTar(tarMember({ name: "a.zip", content: rawZip(entries) })), "data.tar");
});
