import fc from "fast-check";

/**
 * Texts of any UTF-16 units: lone surrogates, control characters, letters. fast-check's own `binary` texts take two seconds
 * to prepare.
 */
export const anyText: fc.Arbitrary<string> = fc.oneof(
  fc.string(),
  fc.array(fc.nat(0xffff)).map((units) => String.fromCharCode(...units)),
);
