import assert from "node:assert/strict";
import { Validate } from "../../lib/config/sections/validate.ts";
import { RefusedError } from "../../lib/core/errors.ts";
import { InvalidModelError } from "../../lib/validators/invalid_model.ts";
import type { ModelFile } from "../../lib/validators/checker.ts";
import { applyRules, type Rules } from "../../lib/validators/release_rules.ts";

const NOW = new Date("2026-11-24T12:00:00Z");

/** Returns files of these sizes. */
function files(sizes: Readonly<Record<string, number>>): ModelFile[] {
  return Object.entries(sizes).map(([path, size]) => ({ path, location: path, size, sha256: "" }));
}

interface Case {
  readonly files?: Readonly<Record<string, number>>;
  readonly active?: Readonly<Record<string, number>>;
  readonly createdAt?: string;
}

/** Returns the refusal by these rules, or an empty text. */
function verdict(
  rules: Partial<Rules>,
  { files: made = { a: 1 }, active, createdAt = NOW.toISOString() }: Case,
) {
  const release = { files: files(made), createdAt };
  try {
    applyRules(
      Validate.parse(rules),
      release,
      active === undefined ? undefined : { files: files(active) },
      NOW,
    );
    return "";
  } catch (error) {
    assert.ok(error instanceof RefusedError, String(error));
    // The clock may be wrong; all other refusals here are the fault of the release.
    assert.equal(error instanceof InvalidModelError, error.code !== "RELEASE_AGE");
    return error.message;
  }
}

Deno.test("without rules anything passes", () => {
  const active = Object.fromEntries(Array.from({ length: 100 }, (_, index) => [`m${index}`, 1e9]));
  assert.equal(verdict({}, { active, createdAt: "2001-01-01T00:00:00Z" }), "");
});

Deno.test("each of required_files has to match a file", () => {
  const made = { "BTC_USDC/rf.joblib": 1, "metadata.json": 1 };
  assert.equal(verdict({ required_files: ["*.joblib", "metadata.json", "BTC_USDC/"] }, { files: made }), "");
  assert.equal(
    verdict({ required_files: ["ETH_*/rf.joblib", "metadata.json", "scaler.?"] }, { files: made }),
    'Cannot activate the release: no file matches "ETH_*/rf.joblib", nor "scaler.?"',
  );
  const many = Array.from({ length: 8 }, (_, index) => `m${index}`);
  assert.match(verdict({ required_files: many }, {}), /nor "m4" \(and 3 more of required_files\)$/);
});

Deno.test("max_file_bytes and max_total_bytes are the largest that pass", () => {
  const made = { a: 10, b: 20 };
  assert.equal(verdict({ max_file_bytes: 20, max_total_bytes: 30 }, { files: made }), "");
  assert.equal(
    verdict({ max_file_bytes: 19 }, { files: made }),
    "Cannot activate b: it is 20 bytes, max_file_bytes allows 19",
  );
  assert.equal(
    verdict({ max_total_bytes: 29 }, { files: made }),
    "Cannot activate the release: its files are 30 bytes, max_total_bytes allows 29",
  );
});

Deno.test("max_shrink and max_growth compare the number of files and bytes with the active release", () => {
  const active = { a: 100, b: 100 };
  assert.equal(verdict({ max_shrink: 0.5, max_growth: 0.5 }, { active, files: { a: 100 } }), "");
  assert.equal(
    verdict({ max_shrink: 0.5, max_growth: 0.5 }, { active, files: { a: 150, b: 100, c: 50 } }),
    "",
  );
  assert.equal(
    verdict({ max_shrink: 0.4 }, { active, files: { a: 200 } }),
    "Cannot activate the release: its number of files is 1, the active release's is 2: 50 % less, max_shrink allows 40 %",
  );
  assert.match(
    verdict({ max_shrink: 0.5 }, { active, files: { a: 50, b: 49 } }),
    /99 bytes, .* 50\.5 % less/,
  );
  assert.match(
    verdict({ max_growth: 0 }, { active, files: { a: 100, b: 101 } }),
    /201 bytes, .* 0\.5 % more/,
  );
  assert.match(
    verdict({ max_growth: 1 }, { active, files: { a: 1, b: 1, c: 1, d: 1, e: 1 } }),
    /files is 5, .*150 % more, max_growth allows 100 %/,
  );
  // Neither rule limits the other direction, and without an active release there is no limit.
  assert.equal(verdict({ max_growth: 0 }, { active, files: { a: 1 } }), "");
  assert.equal(verdict({ max_shrink: 0, max_growth: 0 }, { files: { a: 1 } }), "");
  // There is no division by an empty release.
  assert.match(verdict({ max_growth: 1 }, { active: { a: 0 }, files: { a: 1 } }), /1 byte/);
});

Deno.test("max_age_hours accepts fractions of an hour, and tolerates a clock that is ahead by less", () => {
  const rules = { max_age_hours: 0.5 };
  const made = (createdAt: string) => verdict(rules, { createdAt });
  assert.equal(made("2026-11-24T11:30:00Z"), "");
  assert.equal(
    made("2026-11-24T10:30:00Z"),
    "Cannot activate the release: it was published at 2026-11-24T10:30:00Z and is 1.5 h old, max_age_hours allows 0.5 h",
  );
  assert.equal(made("2026-11-24T12:30:00Z"), "");
  assert.match(made("2026-11-24T13:00:00Z"), /is 1 h ahead of this machine's clock/);
});
