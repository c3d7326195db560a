import type { GlobalRule } from "./allow_rules.ts";
import names from "./library_imports.json" with { type: "json" };

/** What `configs/pickle_imports.py` found: a class is made without its constructor, a function only stored. */
const FOUND = [
  { packages: new Map(Object.entries(names.classes)), rule: { use: "make" } },
  { packages: new Map(Object.entries(names.functions)), rule: { use: "value" } },
] as const satisfies readonly { packages: ReadonlyMap<string, string>; rule: GlobalRule }[];

/** The names of a package, made into a set when they are first looked up. */
const sets = new Map<string, ReadonlySet<string>>();

/** What a pickle may do with a class or a function of a known library; `undefined` for what the list does not have. */
export function findLibraryRule(module: string, name: string): GlobalRule | undefined {
  const key = module.split(".", 2).join(".");
  return FOUND.find(({ packages }) => {
    const text = packages.get(key);
    return text !== undefined && namesOf(text).has(name);
  })?.rule;
}

function namesOf(text: string): ReadonlySet<string> {
  const known = sets.get(text);
  if (known !== undefined) return known;
  const made = new Set(text.split(" "));
  sets.set(text, made);
  return made;
}
