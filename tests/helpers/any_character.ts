import fc from "fast-check";

/** The code points that no text contains alone. */
const [SURROGATES_START, SURROGATES] = [0xd800, 0x800];

/**
 * Any character of Unicode, as a unit of `fc.string`. It takes the place of the unit `"binary"`, which takes more than a
 * second to prepare in each test file. Strings of it still include `__proto__` and other names with a meaning in
 * JavaScript, because it recognises their characters.
 */
export const anyCharacter: fc.Arbitrary<string> = fc.integer({ min: 0, max: 0x10ffff - SURROGATES }).map(
  (number) => String.fromCodePoint(number < SURROGATES_START ? number : number + SURROGATES),
  (character) => {
    const [point = -1, ...more] = typeof character === "string"
      ? Array.from(character, (one) => one.codePointAt(0) ?? -1)
      : [];
    const isSurrogate = point >= SURROGATES_START && point < SURROGATES_START + SURROGATES;
    // fast-check asks whether a value is one of this arbitrary, and takes an error for a no.
    if (point < 0 || more.length > 0 || isSurrogate) throw new TypeError("not one character");
    return point < SURROGATES_START ? point : point - SURROGATES;
  },
);
