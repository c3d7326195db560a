/// <reference lib="dom" />

/** How {@link morph} matches and reports elements. */
export interface MorphRules {
  /** Returns a key that is equal for the same thing in both pages, unique among the children of one element. */
  readonly keyOf: (element: Element) => string | undefined;
  /** Called for each element that differs, before it is changed. */
  readonly onChange: (shown: Element, next: Element) => void;
}

/**
 * Changes an element and its content until it equals a newer one. Elements with the same key, or without a key and with
 * the same name in the same order, are kept and changed. As few elements as possible move, because moving loses the
 * focus and the selection. Values that the reader typed, chose or opened are kept.
 */
export function morph(shown: Element, next: Element, rules: MorphRules): void {
  if (shown.isEqualNode(next) || shown.matches("input, select, textarea")) return;
  rules.onChange(shown, next);
  syncAttributes(shown, next);
  morphChildren(shown, next, rules);
}

function syncAttributes(shown: Element, next: Element): void {
  const isKept = (name: string) => name === "open" && shown instanceof HTMLDetailsElement;
  for (const { name, value } of Array.from(next.attributes)) {
    if (!isKept(name) && shown.getAttribute(name) !== value) shown.setAttribute(name, value);
  }
  for (const { name } of Array.from(shown.attributes)) {
    if (!isKept(name) && !next.hasAttribute(name)) shown.removeAttribute(name);
  }
}

function morphChildren(shown: Element, next: Element, rules: MorphRules): void {
  const old = Array.from(shown.childNodes);
  const wanted = Array.from(next.childNodes);
  const matches = matchChildren(old, wanted, rules);
  const kept = new Set(matches);
  for (const node of old) {
    if (!kept.has(node)) node.remove();
  }
  const places = new Map(old.map((node, place) => [node, place]));
  const matched = matches.filter((match) => match !== undefined);
  const rise = longestRise(matched.map((match) => places.get(match) ?? 0));
  const staying = new Set(matched.filter((_, index) => rise.has(index)));
  // From the end, so that the next sibling is already in place.
  let behind: ChildNode | null = null;
  for (const [index, node] of Array.from(wanted.entries()).reverse()) {
    const match = matches[index];
    const child: ChildNode = match ?? document.importNode(node, true);
    if (match === undefined || !staying.has(match)) shown.insertBefore(child, behind);
    if (match instanceof Element && node instanceof Element) morph(match, node, rules);
    else if (match !== undefined && match.nodeValue !== node.nodeValue) match.nodeValue = node.nodeValue;
    behind = child;
  }
}

/** Returns for each wanted child the current child that becomes it; `undefined` for new ones. */
function matchChildren(
  old: readonly ChildNode[],
  wanted: readonly ChildNode[],
  { keyOf }: MorphRules,
): readonly (ChildNode | undefined)[] {
  const kindOf = (node: ChildNode) => {
    const key = node instanceof Element ? keyOf(node) : undefined;
    return key === undefined ? node.nodeName : `${node.nodeName} ${key}`;
  };
  const free = Map.groupBy(old, kindOf);
  return wanted.map((node) => free.get(kindOf(node))?.shift());
}

/** Returns the indexes of a longest increasing subsequence: these children stay while the others move. */
export function longestRise(numbers: readonly number[]): ReadonlySet<number> {
  // ends[n]: the index of the smallest number that ends an increasing sequence of n + 1 numbers.
  const ends: number[] = [];
  const before: (number | undefined)[] = [];
  for (const [place, number] of numbers.entries()) {
    let [low, high] = [0, ends.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((numbers[ends[middle] ?? 0] ?? 0) < number) low = middle + 1;
      else high = middle;
    }
    before[place] = ends[low - 1];
    ends[low] = place;
  }
  const rise = new Set<number>();
  for (let place = ends.at(-1); place !== undefined; place = before[place]) rise.add(place);
  return rise;
}
