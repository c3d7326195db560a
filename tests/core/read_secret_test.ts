import assert from "node:assert/strict";
import { absenceOf, findPassword, findToken } from "../../lib/core/read_secret.ts";
import { fixedEnvironment } from "../helpers/test_context.ts";

function tokenIn(value: string): string | undefined {
  return findToken(fixedEnvironment({ T: value }), "T")?.reveal();
}

Deno.test("a token is read without surrounding spaces and line ends", () => {
  for (const value of ["abc-123", " abc-123", "abc-123\n", "\tabc-123\r\n"]) {
    assert.equal(tokenIn(value), "abc-123");
  }
});

Deno.test("a blank token counts as missing, and the message distinguishes blank from unset", () => {
  for (const value of ["", " ", "\n", "\t \r\n"]) assert.equal(tokenIn(value), undefined);
  assert.equal(absenceOf(fixedEnvironment({ T: " " }), "T"), "is set, but blank");
  assert.equal(absenceOf(fixedEnvironment({}), "T"), "is not set");
});

Deno.test("a token with characters that no header allows is refused with the variable's name, without its value", () => {
  for (const value of ["abc\n123", "abc 123", "abc\u0000123", "äbc-123", "“abc123”", "abc\u200b123"]) {
    assert.throws(() => tokenIn(value), (error) => {
      assert.ok(error instanceof Error);
      assert.match(error.message, /^Cannot use T: /);
      assert.doesNotMatch(error.message, /bc|123/);
      return true;
    });
  }
});

Deno.test("a password may contain spaces, but no line break", () => {
  const passwordIn = (value: string) => findPassword(fixedEnvironment({ P: value }), "P")?.reveal();
  assert.equal(passwordIn(" två ord \r\n"), " två ord ");
  assert.equal(passwordIn(" \n"), undefined);
  assert.throws(() => passwordIn("one\ntwo"), { code: "SECRET_INVALID", exitCode: 3 });
});
