import {
  constructFromEvents,
  CORE_SCHEMA,
  defineMappingTag,
  defineScalarTag,
  defineSequenceTag,
  type Event,
  mergeTag,
  parseEvents,
  YAMLException,
} from "js-yaml";
import { KeyPlaces } from "./key_places.ts";
import { valueProblem } from "./value_problem.ts";

/** A place in a text file, counted from 1. */
export interface Place {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** A setting of the section: a value that is not a mapping, or an empty mapping. */
export interface SectionEntry {
  readonly path: readonly string[];
  readonly value: unknown;
  /** The place of its key. */
  readonly place: Place;
}

/** A fault of the file itself, found before its settings are checked. */
export class YamlProblem extends Error {
  readonly place: Place;

  constructor(message: string, place: Place) {
    super(message);
    this.name = "YamlProblem";
    this.place = place;
  }
}

/**
 * Returns the settings of one section of a YAML file with their places. Settings without a value are left out. Tags and
 * duplicate keys in other sections do not matter. Merge keys (`<<`) follow YAML 1.1: a key of the mapping itself wins
 * over a merged one.
 *
 * @throws {YamlProblem} when the file is not YAML, or the section is not a mapping or contains a key twice
 */
export function readYamlSection(file: string, text: string, section: string): SectionEntry[] {
  const placeAt = placesIn(file, text);
  const { events, documents } = parse(text, placeAt);
  if (documents.length === 0 || documents[0] === null) return [];
  if (documents.length > 1) throw new YamlProblem("the file contains more than one document", placeAt(0));
  const [root] = documents;
  if (!isMapping(root)) throw new YamlProblem("the file is not a mapping of sections", placeAt(0));
  const node = root[section];
  if (node === undefined || node === null) return [];
  const places = new KeyPlaces(text, events);
  const at = (path: readonly string[]) => placeAt(places.nearest(path));
  if (!isMapping(node)) throw new YamlProblem(`${section} is not a mapping of settings`, at([section]));
  const problem = valueProblem(node);
  if (problem !== undefined) {
    const path = [section, ...problem.path];
    throw new YamlProblem(`${path.join(".")} ${problem.reason}`, at(path));
  }
  const duplicate = places.duplicateIn(section);
  if (duplicate !== undefined) throw new YamlProblem("duplicated mapping key", placeAt(duplicate));
  return [...entries(node, [], (path) => at([section, ...path]))];
}

/** Returns a function that turns an offset into a place. It searches by bisection: a file may have thousands of settings. */
function placesIn(file: string, text: string): (offset: number) => Place {
  const starts = [0, ...Array.from(text.matchAll(/\n/g), ({ index }) => index + 1)];
  return (offset) => {
    let [first, last] = [0, starts.length - 1];
    while (first < last) {
      const middle = Math.ceil((first + last) / 2);
      if ((starts[middle] ?? 0) <= offset) first = middle;
      else last = middle - 1;
    }
    return { file, line: first + 1, column: offset - (starts[first] ?? 0) + 1 };
  };
}

function parse(text: string, placeAt: (offset: number) => Place): { events: Event[]; documents: unknown[] } {
  try {
    const events = parseEvents(text, {});
    return {
      events,
      // Other sections may contain a key twice; the last one counts, as for the bot. In our section, KeyPlaces finds
      // duplicates. Aliases share one value; valueProblem limits how large they expand in our section.
      documents: constructFromEvents(events, { source: text, schema: SCHEMA, json: true }),
    };
  } catch (error) {
    if (!(error instanceof YAMLException)) throw error;
    throw new YamlProblem(error.reason, placeAt(error.mark?.position ?? 0));
  }
}

/** Accepts every tag, such as `!!python/…` in other sections of a bot, and reads its value as a plain one. */
const SCHEMA = CORE_SCHEMA.withTags(
  mergeTag,
  ...["!", "tag:"].flatMap((prefix) => [
    defineScalarTag(prefix, { matchByTagPrefix: true, resolve: (source) => source, identify: () => false }),
    defineSequenceTag<unknown[]>(prefix, {
      matchByTagPrefix: true,
      create: () => [],
      addItem: (items, item) => void items.push(item),
      identify: () => false,
    }),
    defineMappingTag<Record<string, unknown>>(prefix, {
      matchByTagPrefix: true,
      // Without a prototype, __proto__ is an ordinary key.
      create: () => Object.create(null),
      addPair: (map, key, value) => {
        map[String(key)] = value;
        return "";
      },
      has: (map, key) => Object.hasOwn(map, String(key)),
      keys: (map) => Object.keys(map),
      get: (map, key) => map[String(key)],
      identify: () => false,
    }),
  ]),
);

function isMapping(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function* entries(
  map: Record<string, unknown>,
  path: readonly string[],
  placeOf: (path: readonly string[]) => Place,
): Generator<SectionEntry> {
  for (const [name, value] of Object.entries(map)) {
    const child = [...path, name];
    if (isMapping(value) && Object.keys(value).length > 0) yield* entries(value, child, placeOf);
    else if (value !== null) yield { path: child, value, place: placeOf(child) };
  }
}
