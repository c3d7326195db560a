import assert from "node:assert/strict";
import { parseDotenv } from "../../lib/config/dotenv.ts";

const PEM = "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMG==\nA1b2/c+=\n-----END PRIVATE KEY-----\n";

Deno.test("parseDotenv() reads a PEM in quotes over several lines, and what follows it", () => {
  for (const quote of ['"', "'"]) {
    const text = `A=1\nexport KEY = ${quote}${PEM}${quote} # the key\nB="x"\n`;
    const variables = new Map([["A", "1"], ["KEY", PEM], ["B", "x"]]);
    assert.deepEqual(parseDotenv(text), variables);
    assert.deepEqual(parseDotenv(text.replaceAll("\n", "\r\n")), variables);
  }
  assert.deepEqual(
    parseDotenv(`JSON='{\n  "type": "account", # no comment\n  "KEY=x": "a=b"\n}'\nB=2`),
    new Map([["JSON", '{\n  "type": "account", # no comment\n  "KEY=x": "a=b"\n}'], ["B", "2"]]),
  );
});

Deno.test("parseDotenv() takes a quote that is never closed for a part of its line", () => {
  assert.deepEqual(
    parseDotenv(`A="abc\nB="x"\nC='it\nD=y\n`),
    new Map([["A", '"abc'], ["B", "x"], ["C", "'it"], ["D", "y"]]),
  );
});
