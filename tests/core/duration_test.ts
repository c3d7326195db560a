import assert from "node:assert/strict";
import { parseDuration } from "../../lib/core/duration.ts";

Deno.test("parseDuration() reads seconds, minutes, hours and days, alone or in a row", () => {
  const read = ["90s", "15m", "2h", "1d", "1h30m", "0s", " 2h "].map(parseDuration);
  assert.deepEqual(read, [90_000, 900_000, 7_200_000, 86_400_000, 5_400_000, 0, 7_200_000]);
});

Deno.test("parseDuration() refuses everything else with one line that shows the right spelling", () => {
  const wrong = [
    "",
    "90",
    "s",
    "-1h",
    "1.5h",
    "2 h",
    "2H",
    "1w",
    "two hours",
    "1h, 30m",
    "99999999999d",
    "40000d",
  ];
  for (const text of wrong) {
    assert.throws(
      () => parseDuration(text),
      (error) => error instanceof RangeError && !/\n/.test(error.message),
    );
  }
  assert.throws(() => parseDuration("90"), /"90" is not a duration such as 90s, 15m, 2h or 1d/);
});
