import assert from "node:assert/strict";
import { join } from "node:path";
import { PROJECT } from "../../helpers/run_cli.ts";

Deno.test("secrets are compared in constant time", () => {
  const read = (path: string) => Deno.readTextFileSync(join(PROJECT, path));
  for (const name of ["session", "password_hash", "password_source"]) {
    const code = read(`web/access/${name}.ts`);
    assert.match(code, /\btimingSafeEqual\(/, name);
    // A digest, a signature or a password in a comparison that stops at the first difference.
    assert.doesNotMatch(
      code,
      /\b(signature|hash|expected|password|digest\w*)\)? (===|!==) (?!undefined|null|"")/i,
      name,
    );
  }
  // A token is looked up by its hash, and never compared.
  assert.doesNotMatch(read("web/access/tokens.ts"), /\b(secret|hash)\)? (===|!==) (?!undefined)/);
});
