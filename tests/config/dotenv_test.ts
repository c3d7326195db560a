import assert from "node:assert/strict";
import { parseEnv } from "node:util";
import { parseDotenv } from "../../lib/config/dotenv.ts";

const PEM = "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMG==\nA1b2/c+=\n-----END PRIVATE KEY-----\n";

Deno.test("parseDotenv() reads a PEM in quotes over several lines, and the variables behind it", () => {
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

Deno.test("parseDotenv() reads a quote without its closing quote as part of the value", () => {
  assert.deepEqual(
    parseDotenv(`A="abc\nB="x"\nC='it\nD=y\n`),
    new Map([["A", '"abc'], ["B", "x"], ["C", "'it"], ["D", "y"]]),
  );
});

Deno.test("parseDotenv() reads .env files by the rules of the original", () => {
  const text =
    'A=1\n# comment\n\nB="two words"\nC=\'x\'\r\nexport D = d \nE=a=b#c\nnot a line\nF="\nG=\nH=v # note\nI="q # kept" # note\n';
  assert.deepEqual(
    parseDotenv(text),
    new Map([["A", "1"], ["B", "two words"], ["C", "x"], ["D", "d"], ["E", "a=b#c"], ["F", '"'], ["G", ""], [
      "H",
      "v",
    ], ["I", "q # kept"]]),
  );
});

Deno.test("parseDotenv() keeps values that parseEnv() of Node cuts, joins, unescapes or misnames", () => {
  for (
    const [text, variables] of [
      ["SMTP_PASSWORD=ab#cd\n", { SMTP_PASSWORD: "ab#cd" }],
      ["A= \nB=2\n", { A: "", B: "2" }],
      ['DIR="C:\\new"\n', { DIR: "C:\\new" }],
      ["\ufeffA=1\n", { A: "1" }],
    ] as const
  ) {
    assert.deepEqual(Object.fromEntries(parseDotenv(text)), variables);
    assert.notDeepEqual({ ...parseEnv(text) }, variables, "parseEnv() reads the same: use it instead");
  }
});
