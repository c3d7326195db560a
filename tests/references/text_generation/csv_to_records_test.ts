import assert from "node:assert/strict";
import fc from "fast-check";
import * as z from "zod";
import { csvCell, csvText } from "../../../lib/references/text_generation/csv.ts";
import { csvToRecords } from "../../../lib/references/text_generation/csv_to_records.ts";
import { isJsonObject } from "../../../lib/references/json/json_value.ts";
import { renderJson } from "../../../lib/references/json/render_json.ts";
import { runPython } from "./text_reference.ts";

const HEADER = "name,parameters_bn,display_name,url,baseline,description,style,tags,instruct_format,settings";

/** A file with a header and CSV lines, each with its own line end. */
function file(lines: readonly string[], header = HEADER): string {
  const ends = ["\r\n", "\n", "\r\n", "\r"];
  return [header, ...lines].map((line, index) => line + ends[index % ends.length]).join("");
}

const HOSTILE: Readonly<Record<string, string>> = {
  "quotes, commas and line ends in cells": file([
    `a/b,3,"A ""B""",u,"x, y","line 1\r\nline 2\nline 3\rline 4",chat,,Alpaca,"{""temperature"": 0.7, ""rep_pen"":1.18}"`,
    `a/b"c,3,"quoted" tail,,,,,,,`,
  ]),
  "halves go to the even size": file(
    [
      "0.5",
      "1.5",
      "2.5",
      "3.5",
      "4.5",
      "7.5",
      "0.49999999999999994",
      "123",
      "0.56",
      "2.03",
      "1e-9",
      "1e15",
      "1e250",
    ]
      .map(
        (size) => `org/m-${size},${size},,,,,,,,`,
      ),
  ),
  "sizes as float() takes them": file(
    [" 12", "12 ", "1_000", "+7", "7.", ".5", "1E1", "-0.3", "0", "-0", "\u00a03\u2003", "1e1_0"].map(
      (size, index) => `m${index},${size},,,,,,,,`,
    ),
  ),
  "tags unsorted, spaced, repeated, empty, of all planes": file([
    `m1,7,,,,,chat,"z, a ,B,a,chat,7B",,`,
    `m2,7,,,,,,"\u{1f600},\uff5e,\ufffd,é,Z,,",,`,
    `m3,7,,,,, chat,", x\u00a0,\u001cy",,`,
    `m4,7,,,,,generalist,generalist,,`,
    `m5,7,,,,,"a,b",,,`,
  ]),
  "names without a slash, with two, with dashes, and twice": file([
    "gpt2,1,,,,,,,,",
    "gpt2-large_x--y,1,,,,,,,,",
    "a/b/c-d,1,,,,,,,,",
    "x/b,1,,,,first,,,,",
    "a/b,2,,,,other koboldcpp,,,,",
    "x/b,3,,,,last,,,,",
    "org/-_-,1,,,,,,,,",
    "org/,1,,,,,,,,",
    " spaced /name ,1,,,,,,,,",
    "1,1,,,,,,,,",
    "https://x/y,1,,,,,,,,",
  ]),
  "settings of all kinds": file([
    `m1,7,,,,,,,,"{""top_k"": 40, ""top_p"": 1.0, ""n"": 12345678901234567890, ""temperature"": 1E5, ""rep_pen"": -0.0}"`,
    `m2,7,,,,,,,,"{""sampler_order"": [6, 0, 1.0], ""stop_sequence"": [""é😀\u007f"", """"], ""singleline"": true}"`,
    `m3,7,,,,,,,,{}`,
    `m4,7,,,,,,,," { ""n"" : 1, ""n"": 2 } "`,
    `m5,7,,,,,,,,"{""temperature"": 1e+300, ""top_p"": 1e-100}"`,
  ]),
  "rows that are short, long, blank, or the last without an end": file([
    "m1,7",
    "m2,7,,,,,,,,,surplus,,é",
    "",
    "m3,7,,,,,,,,,",
    '"m4",7,,"u"',
  ]) + "m5,7",
  "columns in another order, more of them, and one twice": file(
    ["{},x/y,,7,yes,1.2,d1,d2,chat", "{},x/z,,7,,,d1", "{},x/v,b a,7,,,d1,"],
    "settings,name,tags,parameters_bn,extra,version,description,description,style",
  ),
  "nothing but a header": `${HEADER}\n`,
};

Deno.test("csvToRecords() gives the same bytes as Python for hostile rows", async () => {
  const texts = Object.values(HOSTILE);
  const expected = await runPython(texts.map((text) => ["db", text]), z.string());
  for (const [index, claim] of Object.keys(HOSTILE).entries()) {
    assert.equal(renderJson(csvToRecords(texts[index] ?? "").records), expected[index], claim);
  }
});

Deno.test("csvToRecords() gives the same bytes as Python for random rows", async () => {
  const text = fc.string({ unit: fc.constantFrom(..."ab-_/ ,\"\n\r'é😀B7"), maxLength: 6 });
  const row = fc.tuple(
    text.map((name) => name.replaceAll(/[\r\n]/g, "")),
    fc.oneof(fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e5, max: 1e5 }), fc.nat({ max: 500 }))
      .map(String),
    text,
    text,
    text,
    text,
    fc.constantFrom("", "chat", "generalist"),
    fc.array(fc.constantFrom("a", " b", "7B", "é", "chat", "😀", "\uffff"), { maxLength: 4 }).map((tags) =>
      tags.join(",")
    ),
    text,
    fc.constantFrom("", "{}", '{"top_p": 1.0}', '{"n":1,"temperature":0.10}'),
  );
  const texts = fc.sample(fc.array(row, { maxLength: 6 }), { numRuns: 300, seed: 7 }).map((rows) =>
    csvText(
      [HEADER.split(","), ...rows].map((cells) => ({ text: cells.map(csvCell).join(","), ending: "\n" })),
    )
  );
  const expected = await runPython(texts.map((text) => ["db", text]), z.string());
  for (const [index, text] of texts.entries()) {
    assert.equal(renderJson(csvToRecords(text).records), expected[index], JSON.stringify(text));
  }
});

Deno.test("csvToRecords() gives the same bytes as Python for unusual columns, short rows and surplus cells", async () => {
  const headers = [
    "name,parameters_bn,tags,settings",
    "settings,extra,tags,style,name,parameters_bn,url",
    "version,name,parameters_bn,nsfw,tags,model_name,parameters,settings,display_name",
    "name,tags,parameters_bn,settings,url,tags,style,url",
  ];
  const cell = fc.constantFrom("", "7", "1.5", "a/b-c", "x,y", "é", "{}", '{"top_p": 1.0}');
  const row = fc.array(cell, { minLength: 1, maxLength: 11 });
  const files = fc.tuple(fc.constantFrom(...headers), fc.array(row, { maxLength: 2 }));
  const texts = fc.sample(files, { numRuns: 4000, seed: 7 }).map(([header, rows]) =>
    `${header}\n${rows.map((cells) => `${cells.map(csvCell).join(",")}\n`).join("")}`
  );
  const expected = await runPython(texts.map((text) => ["db", text]), z.string());
  let compared = 0;
  for (const [index, text] of texts.entries()) {
    if (expected[index] === null) continue;
    compared += text.split("\n").length > 2 ? 1 : 0;
    assert.equal(renderJson(csvToRecords(text).records), expected[index], JSON.stringify(text));
  }
  assert.ok(compared > 100, `${compared}`);
});

const REFUSED: readonly (readonly [string, RegExp])[] = [
  ["a/b,7B,,,,,,,,", /line 2 of models\.csv: "parameters_bn" of "a\/b" is "7B", which is not a number/],
  ["a/b,,,,,,,,,", /"parameters_bn" of "a\/b" is "", which is not a number/],
  ["a/b,nan,,,,,,,,", /is "nan"/],
  ["a/b,inf,,,,,,,,", /is "inf"/],
  ["a/b,1e999,,,,,,,,", /is "1e999"/],
  ["a/b", /"parameters_bn" of "a\/b" is ""/],
  ['a/b,7,,,,,,,,"{""n"": 1"', /the settings of "a\/b" in line 2 of models\.csv/],
  ["a/b,7,,,,,,,,[]", /the settings of "a\/b" in line 2 of models\.csv: they are not a JSON object/],
  ['a/b,7,,,,,,,,"{""top_q"": 1}"', /the settings of "a\/b" in .*: "top_q" is not a generation parameter/],
  ['a/b,7,,,,,,,,"{""n"": 1e400}"', /the settings of "a\/b".*1e400/s],
  ['a/b,7,,,,,,,,"{""n"": NaN}"', /the settings of "a\/b".*NaN/s],
  ['a/b,7,,,"open,,,,,', /line 2 of models\.csv: a quoted cell does not end/],
];

Deno.test("csvToRecords() reads the fields of a row once for its three records", () => {
  const { records } = csvToRecords(file([`a/b,3,,,,,,"x,y",,`]));
  const tags = Array.from(
    records.values(),
    (record) => isJsonObject(record) ? record.get("tags") : undefined,
  );
  assert.deepEqual(tags[0], ["3B", "x", "y"]);
  assert.equal(new Set(tags).size, 1);
  assert.equal(tags.length, 3);
});

Deno.test("csvToRecords() names line, model and field of a refused row", () => {
  for (const [line, message] of REFUSED) {
    assert.throws(() => csvToRecords(`${HEADER}\n${line}`), message, line);
  }
});

Deno.test("csvToRecords() refuses a file without its columns, and says if a byte order mark hides one", () => {
  assert.throws(() => csvToRecords("name,tags\n"), /lacks the column "parameters_bn", "settings"/);
  assert.throws(
    () => csvToRecords(`\ufeff${HEADER}\n`),
    /lacks the column "name", because a byte order mark hides the first column/,
  );
  assert.throws(() => csvToRecords(""), /lacks the column "name"/);
});

Deno.test("csvToRecords() skips a name that is a URL, with a warning", () => {
  const { records, warnings } = csvToRecords(`${HEADER}\nhttps://x/y,7,,,,,,,,\n`);
  assert.equal(records.size, 0);
  assert.match(warnings.join(), /"https:\/\/x\/y" in line 2 of models\.csv is skipped/);
});
