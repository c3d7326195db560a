import assert from "node:assert/strict";
import fc from "fast-check";
import { jsonEquals } from "../../../lib/references/json/json_equals.ts";
import { isJsonObject, type JsonObject } from "../../../lib/references/json/json_value.ts";
import { readNodes } from "../../../lib/references/json/lazy_nodes.ts";
import { parseJson } from "../../../lib/references/json/read_nodes.ts";
import { renderInline, renderJson } from "../../../lib/references/json/render_json.ts";
import { csvToRecords } from "../../../lib/references/text_generation/csv_to_records.ts";
import { planTextFiles } from "../../../lib/references/text_generation/plan_text_files.ts";
import { columnsArbitrary, handWrittenRow, type Records, recordsArbitrary } from "./text_world.ts";

/** The plan of `models.csv` does not depend on `db.json`. */
const NO_RECORDS: JsonObject = new Map();

const formats = fc.constantFrom("keep" as const, "canonical" as const);
const endings = fc.array(fc.constantFrom("\r\n", "\r\n", "\n", "\r", "\n\n"), {
  minLength: 10,
  maxLength: 10,
});
const odds = fc.array(fc.array(fc.nat({ max: 5 }), { minLength: 5, maxLength: 5 }), {
  minLength: 8,
  maxLength: 8,
});

/** A file that people wrote: its rows by name. */
const files = fc.record({ records: recordsArbitrary, columns: columnsArbitrary, odds, endings }, {
  noNullPrototype: true,
})
  .map(({ records, columns, odds, endings }) => {
    const rows = new Map(
      Array.from(records, ([name, record], index) => [
        name,
        handWrittenRow(record, columns, odds[index] ?? []) + endings[index],
      ]),
    );
    return { records, rows, text: `${columns.join(",")}\r\n${[...rows.values()].join("")}` };
  });

/** PRIMARY's record of a model, with the file's format if PRIMARY has none. */
function wanted(record: JsonObject, held: JsonObject | undefined): JsonObject {
  const format = record.get("instruct_format") ?? held?.get("instruct_format");
  return format === undefined ? record : new Map([...record, ["instruct_format", format]]);
}

/** The records that are not those of a backend. */
function canonical(records: JsonObject): JsonObject {
  return new Map([...records].filter(([key]) => !/^(aphrodite|koboldcpp)\//.test(key)));
}

function withoutExtra(records: JsonObject): JsonObject {
  return new Map(Array.from(records, ([key, record]) => {
    const fields = new Map(isJsonObject(record) ? record : []);
    fields.delete("extra");
    return [key, fields];
  }));
}

Deno.test("planTextFiles() gives files that match PRIMARY, whatever the file was", () => {
  fc.assert(
    fc.property(recordsArbitrary, files, formats, (primary, { text, records: held }, format) => {
      const plan = planTextFiles({ primary, current: NO_RECORDS, csvText: text, keep: new Set(), format });
      const expected = new Map(
        Array.from(primary, ([name, record]) => [name, wanted(record, held.get(name))]),
      );
      assert.ok(jsonEquals(withoutExtra(canonical(plan.records)), expected), plan.csvText);
      assert.equal(renderJson(csvToRecords(plan.csvText).records), renderJson(plan.records));
      const order = [...held.keys()].filter((name) => primary.has(name));
      assert.deepEqual([...canonical(plan.records).keys()], [
        ...order,
        ...[...primary.keys()].filter((name) => !order.includes(name)),
      ]);
    }),
    { numRuns: 300 },
  );
});

Deno.test("planTextFiles() changes nothing a second time", () => {
  fc.assert(
    fc.property(recordsArbitrary, files, formats, (primary, { text }, format) => {
      const first = planTextFiles({ primary, current: NO_RECORDS, csvText: text, keep: new Set(), format });
      for (const again of [primary, first.records]) {
        const second = planTextFiles({
          primary: again,
          current: NO_RECORDS,
          csvText: first.csvText,
          keep: new Set(),
          format,
        });
        assert.equal(second.csvText, first.csvText);
      }
    }),
    { numRuns: 200 },
  );
});

Deno.test("planTextFiles() keeps the bytes of every row that matches PRIMARY", () => {
  fc.assert(
    fc.property(recordsArbitrary, files, fc.nat({ max: 7 }), (others, file, changes) => {
      // The first models are changed or removed.
      const primary: Records = new Map(
        [...file.records].slice(changes),
      );
      for (const [name, record] of [...others].slice(0, changes)) {
        if (!primary.has(name)) primary.set(name, record);
      }
      const plan = planTextFiles({
        primary,
        current: NO_RECORDS,
        csvText: file.text,
        keep: new Set(),
        format: "keep",
      });
      const untouched = [...file.records.keys()].slice(changes).map((name) => file.rows.get(name) ?? "");
      assert.ok(plan.csvText.includes(untouched.join("")), plan.csvText);
      if (changes === 0) assert.ok(plan.csvText.startsWith(file.text));
    }),
    { numRuns: 200 },
  );
});

Deno.test("planTextFiles() leaves the models of `keep` unchanged", () => {
  fc.assert(
    fc.property(recordsArbitrary, files, formats, (primary, { text, records: held }, format) => {
      const names = new Set([...primary.keys(), ...held.keys()]);
      const keys = new Set(Array.from(names, (name, index) => index % 2 === 0 ? name : `aphrodite/${name}`));
      const plan = planTextFiles({ primary, current: NO_RECORDS, csvText: text, keep: keys, format });
      assert.ok(jsonEquals(plan.records, csvToRecords(text).records), plan.csvText);
      if (format === "keep") assert.equal(plan.csvText, text);
    }),
    { numRuns: 100 },
  );
});

Deno.test("planTextFiles() plans the same for records that it only compares as for records that it reads", () => {
  fc.assert(
    fc.property(recordsArbitrary, files, fc.nat({ max: 7 }), formats, (others, { text }, changes, format) => {
      const changed = [...others].slice(0, changes);
      const primary = renderInline(new Map([...csvToRecords(text).records, ...changed]));
      const read = parseJson(primary, "PRIMARY");
      const compared = readNodes(primary, "PRIMARY").value;
      assert.ok(isJsonObject(read) && isJsonObject(compared));
      const [wanted, got] = [read, compared].map((records) => {
        const plan = planTextFiles({
          primary: records,
          current: NO_RECORDS,
          csvText: text,
          keep: new Set(),
          format,
        });
        return { ...plan, records: renderJson(plan.records) };
      });
      assert.deepEqual(got, wanted);
    }),
    { numRuns: 200 },
  );
});

Deno.test("planTextFiles() plans the same, whatever db.json has", () => {
  fc.assert(
    fc.property(recordsArbitrary, recordsArbitrary, files, formats, (primary, others, { text }, format) => {
      const fromRows = renderJson(csvToRecords(text).records);
      const fromOthers = renderJson(new Map([...csvToRecords(text).records, ...others]));
      const plans = [fromRows, fromOthers, "{}"].map((db) => {
        const current = readNodes(db, "db.json").value;
        assert.ok(isJsonObject(current));
        const plan = planTextFiles({ primary, current, csvText: text, keep: new Set(), format });
        return { ...plan, records: renderJson(plan.records) };
      });
      for (const plan of plans) assert.deepEqual(plan, plans[0]);
    }),
    { numRuns: 100 },
  );
});
