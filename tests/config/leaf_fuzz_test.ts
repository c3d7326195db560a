import assert from "node:assert/strict";
import { configKeys } from "../../lib/config/keys.ts";
import { ConfigError } from "../../lib/config/config_error.ts";
import { type LoadedConfig } from "../../lib/config/load.ts";
import { completeSettings, loadText, MARK, withMarks } from "../helpers/complete_settings.ts";

const LONG = "x".repeat(100_000);
const VALUES = [
  "null",
  "[]",
  "{}",
  '""',
  "-1",
  "1e309",
  ".nan",
  '"\\0"',
  '"\\ud800"',
  `"${LONG}"`,
  '[[""]]',
  "{__proto__: {a: 1}}",
  "{toString: {a: 1}, constructor: {prototype: 1}}",
  "!!binary AAAA",
];

/** Fails for values that no setting may have, whatever its type. */
function refuseUnfit(value: unknown, path: string): void {
  if (typeof value === "number") assert.ok(Number.isFinite(value), path);
  if (typeof value === "string") assert.ok(!value.includes("\0") && value.isWellFormed(), path);
  if (typeof value !== "object" || value === null) return;
  for (const [key, child] of Object.entries(value)) refuseUnfit(child, `${path}.${key}`);
}

async function loadsOrComplains(shown: string, loading: () => Promise<LoadedConfig>): Promise<void> {
  try {
    refuseUnfit((await loading()).settings, shown);
  } catch (error) {
    assert.ok(error instanceof ConfigError, `${shown}: ${error}`);
    assert.equal(error.exitCode, 2);
    assert.ok(error.message.length < 5_000 && !/[\n\0]/.test(error.message), shown);
    assert.match(error.complaints[0] ?? "", /model_sync|bot\.yaml:1:/, shown);
  }
}

const complete = await completeSettings();

for (const value of VALUES) {
  Deno.test(`every setting replaced by ${value.slice(0, 50)} is accepted or is a complaint`, async () => {
    let count = 0;
    for (const settings of withMarks(complete)) {
      const text = JSON.stringify({ model_sync: settings });
      await loadsOrComplains(text, () => loadText(text.replace(JSON.stringify(MARK), value)));
      count++;
    }
    assert.ok(count > 200, String(count));
  });
}

Deno.test("variables with odd texts are accepted or are complaints", async () => {
  const texts = [
    "null",
    "[]",
    "{}",
    "-1",
    "1e309",
    "NaN",
    "[1",
    "{",
    "\u0001",
    LONG,
    '["\\u0000"]',
    "__proto__",
  ];
  const names = configKeys().map(({ envName }) => envName);
  for (const text of [...texts, '{"__proto__": {"a": 1}}', `${"[".repeat(500)}${"]".repeat(500)}`]) {
    const variables = Object.fromEntries(names.map((name) => [name, text]));
    await loadsOrComplains(text.slice(0, 50), () => loadText("", variables));
  }
  assert.equal(Reflect.get({}, "a"), undefined);
});
