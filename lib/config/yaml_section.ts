import { type Document, isMap, isNode, isScalar, LineCounter, parseDocument, type YAMLMap } from "yaml";

/** A place in a text file, counted from 1. */
export interface Place {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** A setting of the section: a value that is no mapping, or a mapping without entries. */
export interface SectionEntry {
  readonly path: readonly string[];
  readonly value: unknown;
  /** Where its key stands. */
  readonly place: Place;
}

/** What is wrong with a file before its settings are looked at. */
export class YamlProblem extends Error {
  readonly place: Place;

  constructor(message: string, place: Place) {
    super(message);
    this.name = "YamlProblem";
    this.place = place;
  }
}

/**
 * Reads one section of a YAML file with the place of each setting. Settings without a value are left out, and so is
 * every other section of the file.
 *
 * @throws {YamlProblem} when the file is not YAML, or the section is not a mapping
 */
export function readYamlSection(file: string, text: string, section: string): SectionEntry[] {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const placeAt = (offset: number): Place => {
    const { line, col } = lines.linePos(offset);
    return { file, line, column: col };
  };
  const [error] = document.errors;
  if (error !== undefined) throw new YamlProblem(error.message, placeAt(error.pos[0]));
  if (document.contents === null) return [];
  if (!isMap(document.contents)) throw new YamlProblem("the file is not a mapping of sections", placeAt(0));
  const node = document.get(section, true);
  if (node === undefined || (isScalar(node) && node.value === null)) return [];
  if (!isMap(node)) throw new YamlProblem(`${section} is not a mapping of settings`, placeAt(offsetOf(node)));
  return [...entries(document, node, [], placeAt)];
}

function* entries(
  document: Document.Parsed,
  map: YAMLMap,
  path: readonly string[],
  placeAt: (offset: number) => Place,
): Generator<SectionEntry> {
  for (const { key, value } of map.items) {
    const name = isScalar(key) ? String(key.value) : String(key);
    const child = [...path, name];
    if (isMap(value) && value.items.length > 0) yield* entries(document, value, child, placeAt);
    else if (isNode(value) && !(isScalar(value) && value.value === null)) {
      yield { path: child, value: value.toJS(document), place: placeAt(offsetOf(key)) };
    }
  }
}

function offsetOf(node: unknown): number {
  return isNode(node) ? node.range?.[0] ?? 0 : 0;
}
