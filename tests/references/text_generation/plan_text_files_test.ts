import assert from "node:assert/strict";
import { isJsonObject, type JsonObject, type JsonValue } from "../../../lib/references/json/json_value.ts";
import { readNodes } from "../../../lib/references/json/lazy_nodes.ts";
import { renderInline } from "../../../lib/references/json/render_json.ts";
import { parseJson } from "../../../lib/references/json/read_nodes.ts";
import { csvToRecords } from "../../../lib/references/text_generation/csv_to_records.ts";
import { planTextFiles } from "../../../lib/references/text_generation/plan_text_files.ts";

/** The plan of `models.csv` does not depend on `db.json`. */
const NO_RECORDS: JsonObject = new Map();

const HEADER = "name,parameters_bn,display_name,url,baseline,description,style,tags,instruct_format,settings";
const KEEP_NOTHING: ReadonlySet<string> = new Set();

/** A regular file, with CRLF. */
const FILE = [
  HEADER,
  'org/First-7B, 7,First 7B,https://x/1,llama,"One, two",chat,"roleplay, popular",Alpaca,"{""top_p"":1}"',
  "gpt2,0.12,,,,,,,,",
  "org/Last-13b,13,,,,,,,ChatML,",
  "",
].join("\r\n");

/** PRIMARY's records, changed by field; `undefined` removes one. */
function primaryOf(changes: Record<string, Record<string, JsonValue | undefined> | undefined>): JsonObject {
  const records = new Map(csvToRecords(FILE).records);
  for (const [name, fields] of Object.entries(changes)) {
    const record = records.get(name);
    const changed = new Map(record !== undefined && isJsonObject(record) ? record : [["name", name]]);
    for (const [field, value] of Object.entries(fields ?? {})) {
      if (value === undefined) changed.delete(field);
      else changed.set(field, value);
    }
    if (fields === undefined) records.delete(name);
    else records.set(name, changed);
  }
  return records;
}

function plan(
  changes: Parameters<typeof primaryOf>[0],
  csvText: string | undefined = FILE,
  keep = KEEP_NOTHING,
): ReturnType<typeof planTextFiles> {
  return planTextFiles({ primary: primaryOf(changes), current: NO_RECORDS, csvText, keep, format: "keep" });
}

Deno.test("planTextFiles() writes only changed cells, and keeps line ends", () => {
  const { csvText } = plan({ "org/First-7B": { description: 'Now "three"' } });
  assert.equal(csvText, FILE.replace('"One, two"', '"Now ""three"""'));
});

Deno.test("planTextFiles() keeps cells that mean the same, and writes others as the original tool does", () => {
  const settings = parseJson('{"top_p": 1.0}', "test");
  assert.equal(plan({ "org/First-7B": { settings, parameters: 7e9 } }).csvText, FILE);
  const cells: readonly (readonly [Record<string, JsonValue>, string, string])[] = [
    [{ parameters: 7_500_000_000n, tags: ["8B", "chat", "popular", "roleplay"] }, " 7,", "7.5,"],
    [{ tags: ["7B", "chat", "new", "popular"] }, '"roleplay, popular"', '"new,popular"'],
    [{ tags: ["7B", "chat"] }, '"roleplay, popular"', ""],
    [
      { settings: new Map([["top_p", 0.5], ["top_k", 1]]) },
      '"{""top_p"":1}"',
      '"{""top_p"": 0.5, ""top_k"": 1.0}"',
    ],
    [{ settings: new Map() }, '"{""top_p"":1}"', ""],
    [{ display_name: "The First" }, ",First 7B,", ",The First,"],
    [{ style: "generalist", tags: ["7B", "popular", "roleplay"] }, ",chat,", ",,"],
    [{ style: "generalist", tags: ["7B", "generalist", "popular", "roleplay"] }, ",chat,", ",generalist,"],
    [{ url: "", baseline: "" }, "https://x/1,llama", ","],
  ];
  for (const [fields, before, after] of cells) {
    assert.equal(plan({ "org/First-7B": fields }).csvText, FILE.replace(before, after));
  }
});

Deno.test("planTextFiles() uses PRIMARY's instruct_format, and keeps the file's if PRIMARY's is empty", () => {
  assert.equal(plan({ "org/First-7B": { instruct_format: undefined } }).csvText, FILE);
  assert.equal(plan({ "org/First-7B": { instruct_format: "" } }).csvText, FILE);
  assert.equal(
    plan({ "org/First-7B": { instruct_format: "Llama" } }).csvText,
    FILE.replace("Alpaca", "Llama"),
  );
});

Deno.test("planTextFiles() removes the lines of models that PRIMARY does not have, duplicates too", () => {
  const line = "gpt2,0.12,,,,,,,,\r\n";
  const { csvText, records } = plan({
    gpt2: undefined,
    "aphrodite/gpt2": undefined,
    "koboldcpp/gpt2": undefined,
  });
  assert.equal(csvText, FILE.replace(line, ""));
  assert.deepEqual([...records.keys()].slice(2, 4), ["koboldcpp/First-7B", "org/Last-13b"]);
  assert.equal(plan({ gpt2: undefined }, FILE + line).csvText, FILE.replace(line, ""));
});

Deno.test("planTextFiles() appends new models in PRIMARY's order, in the file's columns and line ends", () => {
  const added = {
    "z/New-1B": { parameters: 1_000_000_000n },
    "a/New": { parameters: 1_500_000n, tags: ["x"] },
  };
  assert.equal(plan(added).csvText, `${FILE}z/New-1B,1,,,,,,,,\r\na/New,0.0015,,,,,,x,,\r\n`);
  const open = FILE.slice(0, -2);
  assert.equal(plan(added, open).csvText, plan(added).csvText);
  assert.equal(plan({}, open).csvText, open);
  const turned = `extra,${HEADER.split(",").reverse().join(",")}\n`;
  assert.equal(
    planTextFiles({
      primary: new Map([["a/b", new Map([["parameters", 7n]])]]),
      current: NO_RECORDS,
      csvText: turned,
      keep: KEEP_NOTHING,
      format: "keep",
    })
      .csvText,
    `${turned},,,,,,,,,0.000000007,a/b\n`,
  );
});

Deno.test("planTextFiles() edits the last of duplicate rows, which is the one that counts", () => {
  const repeated = `${FILE}gpt2,7,,,,,,,,\r\n`;
  const { csvText } = plan({ gpt2: { parameters: 120_000_000n, description: "new" } }, repeated);
  assert.equal(csvText, `${FILE}gpt2,0.12,,,,new,,,,\r\n`);
});

Deno.test("planTextFiles() keeps blank lines, surplus cells and unknown columns", () => {
  const odd = `${HEADER},who\r\n\r\ngpt2,0.12,,,,,,,,,me,surplus\r\n\r\n`;
  const primary = new Map([...primaryOf({ gpt2: { url: "u" } })].filter(([name]) => name === "gpt2"));
  const { csvText, records } = planTextFiles({
    primary,
    current: NO_RECORDS,
    csvText: odd,
    keep: KEEP_NOTHING,
    format: "keep",
  });
  assert.equal(csvText, odd.replace("0.12,,,", "0.12,,u,"));
  const record = records.get("gpt2");
  assert.equal(record !== undefined && isJsonObject(record) && record.get("who"), "me");
});

Deno.test("planTextFiles() adds only the necessary cells to a short row", () => {
  const short = `${HEADER}\ngpt2,0.12\n`;
  const primary = (fields: Record<string, JsonValue>) =>
    new Map([["gpt2", new Map(Object.entries({ parameters: 120_000_000n, ...fields }))]]);
  const planned = (fields: Record<string, JsonValue>) =>
    planTextFiles({
      primary: primary(fields),
      current: NO_RECORDS,
      csvText: short,
      keep: KEEP_NOTHING,
      format: "keep",
    }).csvText;
  assert.equal(planned({}), short);
  assert.equal(planned({ url: "u" }), `${HEADER}\ngpt2,0.12,,u\n`);
});

Deno.test("planTextFiles() fixes an unusable row if PRIMARY has the model", () => {
  const broken = FILE.replace("gpt2,0.12,,,,,,,,", 'gpt2,unknown,,,,,,,,"{""n"": "');
  assert.equal(plan({}, broken).csvText, FILE);
  assert.throws(
    () => plan({}, broken, new Set(["gpt2"])),
    /line 3 of models\.csv: "parameters_bn" of "gpt2" is "unknown"/,
  );
});

Deno.test("planTextFiles() keeps models that are named by any of their keys", () => {
  const changes = { gpt2: undefined, "org/First-7B": { url: "new" }, "org/New": { parameters: 7n } };
  const keep = new Set(["gpt2", "koboldcpp/First-7B", "aphrodite/org/New"]);
  assert.equal(plan(changes, FILE, keep).csvText, FILE);
});

Deno.test("planTextFiles() does not check records that it keeps", () => {
  const { csvText } = plan({ gpt2: { parameters: "many" } }, FILE, new Set(["gpt2"]));
  assert.equal(csvText, FILE);
});

Deno.test("planTextFiles() in canonical format writes the whole file as the original tool does", () => {
  const turned = `extra,${HEADER}\r\n\r\nkept,gpt2, .12 ,gpt2,,,,generalist,"b , a",Alpaca,"{""n"":1}"\r\n`;
  const primary = new Map([...csvToRecords(turned).records].filter(([name]) => name === "gpt2"));
  const options = { primary, current: NO_RECORDS, csvText: turned, keep: KEEP_NOTHING } as const;
  assert.equal(planTextFiles({ ...options, format: "keep" }).csvText, turned);
  const { csvText } = planTextFiles({ ...options, format: "canonical" });
  assert.equal(csvText, `${HEADER},extra\ngpt2,0.12,,,,,generalist,"a,b",Alpaca,"{""n"": 1}",kept\n`);
});

Deno.test("planTextFiles() in canonical format writes models.csv without its byte order mark, which the original tool cannot read", () => {
  const options = {
    primary: primaryOf({}),
    current: NO_RECORDS,
    csvText: `\ufeff${FILE}`,
    keep: KEEP_NOTHING,
  };
  assert.throws(() => planTextFiles({ ...options, format: "keep" }), {
    code: "CSV_COLUMN_MISSING",
    hint: /--canonical-format/,
  });
  const { csvText } = planTextFiles({ ...options, format: "canonical" });
  assert.equal(csvText, planTextFiles({ ...options, csvText: FILE, format: "canonical" }).csvText);
});

Deno.test("planTextFiles() creates a missing file", () => {
  for (const none of [undefined, "", "\r\n"]) {
    const { csvText, records } = planTextFiles({
      primary: primaryOf({}),
      current: NO_RECORDS,
      csvText: none,
      keep: KEEP_NOTHING,
      format: "keep",
    });
    assert.ok(
      csvText.startsWith(`${HEADER}\norg/First-7B,7,,https://x/1,llama,"One, two",chat,"popular,roleplay",`),
    );
    assert.deepEqual(records, csvToRecords(FILE).records);
  }
});

Deno.test("planTextFiles() writes parameters that Python reads as exactly the same number", () => {
  for (const parameters of [2_030_000_000n, 4_100_000_000n, 1n, 999_999_999_999n, 3_000_000_000_000n]) {
    const record = plan({ gpt2: { parameters } }).records.get("gpt2");
    assert.equal(record !== undefined && isJsonObject(record) && record.get("parameters"), parameters);
  }
});

const REFUSED: readonly (readonly [string, Record<string, JsonValue | undefined>, RegExp])[] = [
  ["a/b", {}, /"parameters" of "a\/b" is missing/],
  ["a/b", { parameters: null }, /"parameters" of "a\/b" is missing/],
  ["a/b", { parameters: 0n }, /"parameters" of "a\/b" is not a positive integer/],
  ["a/b", { parameters: "7" }, /"parameters" of "a\/b" is not a positive integer/],
  ["a/b", { parameters: 7.5 }, /"parameters" of "a\/b" is not a positive integer/],
  ["a/b", { parameters: 10n ** 30n }, /more than a row can say exactly/],
  [
    "gpt2",
    { settings: new Map([["top_q", 1n]]) },
    /settings of "gpt2" at PRIMARY: "top_q" is not a generation parameter/,
  ],
  ["gpt2", { settings: new Map([["top_p", [[1n]]]]) }, /settings of "gpt2" at PRIMARY: "top_p" is neither/],
  ["gpt2", { settings: new Map([["top_p", null]]) }, /"top_p" is neither/],
  ["gpt2", { settings: "{}" }, /settings of "gpt2" at PRIMARY: they are not a JSON object/],
  ["gpt2", { tags: "a,b" }, /"tags" of "gpt2" is not a list/],
  ["gpt2", { tags: ["a", 7n] }, /"tags" of "gpt2" contains a value that is not a text/],
  ["gpt2", { tags: ["a,b"] }, /"tags" of "gpt2" contains "a,b", but a tag cannot have a comma/],
  ["gpt2", { url: 7n }, /"url" of "gpt2" is not a text/],
  ["gpt2", { description: "half \ud83d" }, /"description" of "gpt2" contains half a character/],
  ["gpt2", { description: "a\0b" }, /"description" of "gpt2" contains a NUL/],
  ["gpt2", { description: "x".repeat(131_073) }, /"description" of "gpt2" has 131073 characters/],
  ["", { parameters: 7n }, /"" cannot be the name of a model/],
  ["a\nb", { parameters: 7n }, /"a\\nb" cannot be the name of a model/],
];

Deno.test("planTextFiles() skips a record that does not fit into a row, names the field, and keeps the file's row", () => {
  const before = csvToRecords(FILE).records;
  for (const [name, fields, message] of REFUSED) {
    const changes = { [name]: fields, "org/First-7B": { description: "new" } };
    for (const format of ["keep", "canonical"] as const) {
      const { csvText, records, skipped, warnings } = planTextFiles({
        primary: primaryOf(changes),
        current: NO_RECORDS,
        csvText: FILE,
        keep: KEEP_NOTHING,
        format,
      });
      assert.deepEqual(skipped, [name]);
      assert.match(warnings.join("\n"), message);
      assert.match(csvText, /^org\/First-7B,.*,new,/m, "the other models are synced");
      assert.deepEqual(records.get("gpt2"), before.get("gpt2"));
      assert.deepEqual([...records.keys()], [...before.keys()]);
      if (format === "keep") assert.equal(csvText, FILE.replace('"One, two"', "new"));
    }
  }
});

Deno.test("planTextFiles() names the first of many skipped records, and counts the rest", () => {
  const changes = Object.fromEntries(Array.from({ length: 8 }, (_, index) => [`m/${index}`, {}]));
  const { csvText, skipped, warnings } = plan(changes);
  assert.equal(csvText, FILE);
  assert.equal(skipped.length, 8);
  assert.equal(warnings.length, 6);
  assert.match(
    warnings[0] ?? "",
    /^skipped a record, and kept the files' version: .* "m\/0" .* is missing; correct the record of "m\/0"/,
  );
  assert.equal(warnings.at(-1), "skipped 3 more records that models.csv cannot hold");
});

Deno.test("planTextFiles() skips the only record that is not kept", () => {
  const keep = new Set(["gpt2", "org/First-7B", "org/Last-13b"]);
  const { csvText, skipped } = plan({ "a/b": {} }, FILE, keep);
  assert.deepEqual([csvText, skipped], [FILE, ["a/b"]]);
});

Deno.test("planTextFiles() refuses an answer without any record that fits into a row", () => {
  for (const [name, fields, message] of REFUSED) {
    const record = new Map(
      Object.entries(fields).flatMap(([field, value]) =>
        value === undefined ? [] : [[field, value] as const]
      ),
    );
    if (!record.has("parameters")) record.set("parameters", "parameters" in fields ? null : 7n);
    if (/is missing/.test(String(message))) record.delete("parameters");
    const options = { current: NO_RECORDS, csvText: FILE, keep: KEEP_NOTHING, format: "keep" } as const;
    assert.throws(() => planTextFiles({ ...options, primary: new Map([[name, record]]) }), message);
  }
  const primary = new Map([["a/b", [1n]]]);
  assert.throws(
    () => planTextFiles({ primary, current: NO_RECORDS, csvText: FILE, keep: KEEP_NOTHING, format: "keep" }),
    /the record of "a\/b" is not a JSON object/,
  );
});

Deno.test("planTextFiles() in canonical format keeps the last of duplicate rows, at the position of the first", () => {
  const repeated = `${FILE}gpt2,7,,,,,,,Kept,\r\n\r\norg/First-7B,7,,,,edited,,,,\r\n`;
  const options = { primary: primaryOf({}), current: NO_RECORDS, csvText: repeated } as const;
  const { csvText, records } = planTextFiles({ ...options, keep: KEEP_NOTHING, format: "canonical" });
  const rows = csvText.trimEnd().split("\n").map((row) => row.split(",")[0]);
  assert.deepEqual(rows, ["name", "org/First-7B", "gpt2", "org/Last-13b"]);
  assert.match(csvText, /^gpt2,0\.12,.*,Kept,$/m);
  assert.deepEqual([...records.keys()], [...csvToRecords(repeated).records.keys()]);
  const kept = planTextFiles({ ...options, keep: new Set(["org/First-7B"]), format: "canonical" });
  assert.match(kept.csvText, /^org\/First-7B,7,,,,edited,,,,$/m);
  assert.equal(kept.csvText.match(/^org\/First-7B/mg)?.length, 1);
  assert.equal(
    planTextFiles({ ...options, keep: KEEP_NOTHING, format: "keep" }).csvText.split("\n").length,
    8,
  );
});

Deno.test("planTextFiles() refuses a file without its columns, unless it rewrites the file", () => {
  const lacking = FILE.replace(",instruct_format", "").replace(",url", "");
  assert.throws(() => plan({}, lacking), /lacks the column "url", "instruct_format"/);
  const lackingOne = `name,parameters_bn\n"gpt2",7\n`;
  const options = {
    primary: primaryOf({}),
    current: NO_RECORDS,
    csvText: lackingOne,
    keep: KEEP_NOTHING,
  } as const;
  assert.match(planTextFiles({ ...options, format: "canonical" }).csvText, /settings\ngpt2,0\.12,/);
});

Deno.test("planTextFiles() warns about fields that the files cannot hold, one line a field", () => {
  const names = ["gpt2", "org/First-7B", "org/Last-13b"];
  const changes = Object.fromEntries(names.map((name) => [name, { version: "2", nsfw: false, extra: "" }]));
  const { warnings, csvText } = plan({ ...changes, gpt2: { nsfw: true, version: "2" } });
  assert.equal(csvText, FILE);
  assert.deepEqual(warnings.toSorted(), [
    `PRIMARY's "nsfw" is not synced, because models.csv has no column for it: "gpt2"`,
    `PRIMARY's "version" is not synced, because models.csv has no column for it: "org/First-7B", "gpt2", "org/Last-13b"`,
  ]);
});

Deno.test("planTextFiles() skips URLs and models that only a backend has, and says so", () => {
  const changes = {
    "https://x/y": { parameters: 7n },
    "koboldcpp/alone": {},
    "aphrodite/gpt2": { url: "ignored" },
  };
  const { csvText, warnings } = plan(changes);
  assert.equal(csvText, FILE);
  assert.match(
    warnings.join("\n"),
    /named by a URL: "https:\/\/x\/y"\n.*: "koboldcpp\/alone"$/,
  );
});

Deno.test("planTextFiles() removes a row without a name, and says so", () => {
  const { csvText, warnings } = plan({}, `${FILE},7,,,,,,,,\r\n`);
  assert.equal(csvText, FILE);
  assert.match(warnings.join(), /line 5 of models\.csv has no model name and is removed/);
});

Deno.test("planTextFiles() refuses and removes what no row may hold, also if PRIMARY's record is that of the row", () => {
  const rows = [
    "zero,0,,,,,,,,",
    "minus,-1,,,,,,,,",
    "huge,12345678.9,,,,,,,,",
    "nul,7,,,,a\0b,,,,",
    'nested,7,,,,,,,,"{""n"":null}"',
    '"two\nlines",7,,,,,,,,',
    "koboldcpp/alone,7,,,,,,,,",
    "https:1,7,,,,,,,,",
  ];
  for (const row of rows) {
    const text = `${FILE}${row}\r\n`;
    const primary = renderInline(csvToRecords(text).records);
    const read = parseJson(primary, "PRIMARY");
    const compared = readNodes(primary, "PRIMARY").value;
    assert.ok(isJsonObject(read) && isJsonObject(compared));
    const [wanted, got] = [read, compared].map((primary) => {
      const { records, ...plan } = planTextFiles({
        primary,
        current: NO_RECORDS,
        csvText: text,
        keep: KEEP_NOTHING,
        format: "keep",
      });
      return { ...plan, records: renderInline(records) };
    });
    assert.deepEqual(got, wanted, row);
  }
});
