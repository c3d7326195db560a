import { type Event, EVENT_ID, getScalarValue } from "js-yaml";

/** A collection whose end has not been read yet. */
interface OpenCollection {
  /** The path of the collection; `undefined` inside a key that is itself a collection. */
  readonly path: readonly string[] | undefined;
  readonly isMapping: boolean;
  /** Whether the next node of a mapping is a value. */
  hasKey: boolean;
  /** The key of a mapping whose value comes next; `undefined` if the key is a collection. */
  key: string | undefined;
  /** The index of a sequence's next element. */
  index: number;
}

/** The merge key of YAML 1.1. */
const MERGE_KEY = "<<";

/** The offsets of the keys of a YAML document. Elements of a list have their index as key. */
export class KeyPlaces {
  readonly #text: string;
  readonly #places = new Map<string, number>();
  /** The second offset of each key that a mapping contains twice. */
  readonly #duplicates = new Map<string, number>();
  readonly #open: OpenCollection[] = [];

  constructor(text: string, events: readonly Event[]) {
    this.#text = text;
    for (const event of events) this.#take(event);
  }

  /** Returns the offset of the key, or of the merge key that it comes from, or of the nearest key above it. */
  nearest(path: readonly string[]): number {
    for (let length = path.length; length > 0; length--) {
      const parent = path.slice(0, length - 1);
      const offset = this.#places.get(nameOf([...parent, path[length - 1] ?? ""])) ??
        this.#places.get(nameOf([...parent, MERGE_KEY]));
      if (offset !== undefined) return offset;
    }
    return 0;
  }

  /** Returns the offset of the first duplicate key of the section. A second section of the name is a duplicate, too. */
  duplicateIn(section: string): number | undefined {
    const found = [...this.#duplicates].find(([name]) =>
      name === section || name.startsWith(nameOf([section, ""]))
    );
    return found?.[1];
  }

  #take(event: Event): void {
    switch (event.type) {
      case EVENT_ID.DOCUMENT:
        return;
      case EVENT_ID.MAPPING:
      case EVENT_ID.SEQUENCE:
        this.#open.push({
          path: this.#childPath(),
          isMapping: event.type === EVENT_ID.MAPPING,
          hasKey: false,
          key: undefined,
          index: 0,
        });
        return;
      case EVENT_ID.SCALAR:
        return this.#end(getScalarValue(this.#text, event), event.valueStart);
      case EVENT_ID.ALIAS:
        return this.#end(undefined, 0);
      case EVENT_ID.POP:
        this.#open.pop();
        return this.#end(undefined, 0);
    }
  }

  /** Returns the path of the next node. */
  #childPath(): readonly string[] | undefined {
    const top = this.#open.at(-1);
    if (top === undefined) return [];
    if (top.path === undefined) return undefined;
    if (!top.isMapping) return [...top.path, String(top.index)];
    return top.hasKey && top.key !== undefined ? [...top.path, top.key] : undefined;
  }

  /** Notes the end of a node: of a key, a value or an element. */
  #end(scalar: string | undefined, offset: number): void {
    const top = this.#open.at(-1);
    if (top === undefined) return;
    if (!top.isMapping) {
      top.index++;
      return;
    }
    top.hasKey = !top.hasKey;
    if (!top.hasKey) return;
    top.key = scalar;
    const path = this.#childPath();
    if (path !== undefined) this.#note(nameOf(path), offset);
  }

  #note(name: string, offset: number): void {
    if (!this.#places.has(name)) this.#places.set(name, offset);
    else if (!this.#duplicates.has(name)) this.#duplicates.set(name, offset);
  }
}

/** Joins with NUL: keys that contain one are refused earlier. */
function nameOf(path: readonly string[]): string {
  return path.join("\0");
}
