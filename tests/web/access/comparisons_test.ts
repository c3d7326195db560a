import assert from "node:assert/strict";
import { join } from "node:path";
import { PROJECT } from "../../helpers/run_cli.ts";

Deno.test("what is secret is compared in a time that does not depend on where it differs", () => {
  const read = (path: string) => Deno.readTextFileSync(join(PROJECT, path));
  for (const name of ["session", "password_hash", "password_source"]) {
    const code = read(`web/access/${name}.ts`);
    assert.match(code, /\btimingSafeEqual\(/, name);
    // A digest, a signature or a password beside an operator that stops at the first difference.
    assert.doesNotMatch(
      code,
      /\b(signature|hash|expected|password|digest\w*)\)? (===|!==) (?!undefined|null|"")/i,
      name,
    );
  }
  // A token is looked up by its hash, and never compared.
  assert.doesNotMatch(read("web/access/tokens.ts"), /\b(secret|hash)\)? (===|!==) (?!undefined)/);
});
