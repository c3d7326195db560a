import assert from "node:assert/strict";
import fc from "fast-check";
import { secretInName, SecretScanner } from "../../lib/release/secret_scan.ts";
import { noise } from "../helpers/temp_dir.ts";

const encoder = new TextEncoder();
const SECRET = `ghp_${"aB3d".repeat(9)}`;

Deno.test("secretInName() distinguishes credential files from examples and models", () => {
  for (const name of [".env", ".env.production", "id_rsa", "id_ed25519", ".netrc", ".npmrc", "key.p12"]) {
    assert.ok(secretInName(name), name);
  }
  for (
    const name of [".env.example", "env", "id_rsa.pub", "model.onnx", "environment.json", "keypoints.bin"]
  ) {
    assert.equal(secretInName(name), undefined, name);
  }
});

Deno.test("SecretScanner finds a token that is split across pieces at any place", () => {
  const text = encoder.encode(`{"note": "${"x".repeat(300)}", "token": "${SECRET}"}`);
  fc.assert(fc.property(fc.array(fc.integer({ min: 1, max: text.length - 1 }), { maxLength: 6 }), (cuts) => {
    const scanner = new SecretScanner();
    const edges = [0, ...[...cuts].sort((a, b) => a - b), text.length];
    for (const [index, edge] of edges.slice(1).entries()) scanner.scan(text.subarray(edges[index], edge));
    assert.equal(scanner.found, "a GitHub token");
  }));
});

Deno.test("SecretScanner scans only the beginning of a binary file, and finds nothing in noise", () => {
  const binary = new Uint8Array(200_000);
  const early = new SecretScanner();
  early.scan(binary.with(0, 0).fill(0));
  assert.equal(early.found, undefined);
  binary.set(encoder.encode(` ${SECRET} `), 1000);
  const near = new SecretScanner();
  near.scan(binary);
  assert.ok(near.found);
  for (let seed = 0; seed < 20; seed++) {
    const scanner = new SecretScanner();
    scanner.scan(noise(100_000, seed));
    assert.equal(scanner.found, undefined);
  }
});

Deno.test("SecretScanner finds a token anywhere in a text, and does not forget it in the rest", () => {
  const filler = encoder.encode("a line of text\n".repeat(20_000));
  const token = encoder.encode(` ${SECRET} `);
  const found = (...pieces: Uint8Array[]) => {
    const scanner = new SecretScanner();
    for (const piece of pieces) scanner.scan(piece);
    return scanner.found;
  };
  assert.equal(found(Uint8Array.from([...filler, ...token])), "a GitHub token");
  assert.equal(found(filler, token), "a GitHub token");
  assert.equal(found(token, filler, filler), "a GitHub token");
});

Deno.test("SecretScanner does not take model data far behind the beginning of a binary file for a token", () => {
  const token = encoder.encode(` ${SECRET} `);
  const binary = new Uint8Array(200_000);
  binary.set(token, 100_000);
  const scanner = new SecretScanner();
  scanner.scan(binary);
  scanner.scan(token);
  assert.equal(scanner.found, undefined);
});
