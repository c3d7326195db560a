import assert from "node:assert/strict";
import fc from "fast-check";
import { PathLookup } from "../../lib/core/path_lookup.ts";

Deno.test("PathLookup finds what a map finds, in any order of the list and of the questions", () => {
  const paths = fc.uniqueArray(fc.string({ unit: fc.constantFrom("a", "b", "/"), maxLength: 4 }), {
    maxLength: 40,
  });
  const order = fc.constantFrom("sorted", "as drawn");
  fc.assert(
    fc.property(paths, order, fc.array(fc.string({ unit: fc.constantFrom("a", "b", "/"), maxLength: 4 })), (
      list,
      order,
      others,
    ) => {
      const entries = (order === "sorted" ? list.toSorted() : list).map((path) => ({ path }));
      const map = new Map(entries.map((entry) => [entry.path, entry]));
      const lookup = new PathLookup(entries);
      for (
        const path of [
          ...entries.map(({ path }) => path).filter((path) => path !== "a"),
          ...others,
          ...list,
        ]
      ) {
        assert.equal(lookup.get(path), map.get(path));
      }
    }),
  );
});
