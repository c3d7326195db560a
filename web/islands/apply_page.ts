/// <reference lib="dom" />
// @ts-types="./morphdom_types.ts"
import morphdom from "morphdom";
import { announce } from "./announce.ts";

/** Parts of a page that may change while it is open: marked regions, and forms that filter, for their counts. */
const REGIONS = "[data-live], form[data-filter]";

/** The stylesheet lets the colour fade in less. */
const CHANGED_MS = 2_000;

/**
 * Changes the open page to what a newer copy of it says, in its marked regions alone. Elements that stay are kept, and
 * with them focus, scrolling, selected text and what the reader opened or typed.
 */
export function applyPage(next: Document): void {
  const focused = document.activeElement;
  const sentence = shownSentence();
  const current = topRegions(document);
  const wanted = topRegions(next);
  for (const [key, region] of current) {
    if (!wanted.has(key)) region.remove();
  }
  for (const [key, region] of wanted) {
    const shown = current.get(key);
    if (shown === undefined) insert(region, current);
    else morphdom(shown, region, { getNodeKey: keyOf, onBeforeElUpdated: prepareUpdate });
  }
  keepFocus(focused);
  const said = shownSentence();
  if (said !== sentence && said !== "") announce(said);
}

/** The regions of a page that are in no other region, by key and in their order. */
function topRegions(page: Document): Map<string, Element> {
  const regions = new Map<string, Element>();
  for (const region of page.querySelectorAll(REGIONS)) {
    const key = keyOf(region);
    if (key !== undefined && region.parentElement?.closest(REGIONS) === null) regions.set(key, region);
  }
  return regions;
}

function keyOf(node: Node): string | undefined {
  if (!(node instanceof Element)) return undefined;
  const live = node.getAttribute("data-live");
  if (live !== null) return `live ${live}`;
  if (node.hasAttribute("data-filter")) return `filter ${node.getAttribute("action") ?? ""}`;
  return node.id === "" ? undefined : `id ${node.id}`;
}

/** Adds a region that is new, behind the element before it, or first in its parent, if the page has one of them. */
function insert(region: Element, current: ReadonlyMap<string, Element>): void {
  const shownAs = (element: Element | null) => {
    const key = element === null ? undefined : keyOf(element);
    if (key === undefined) return null;
    return key.startsWith("id ") ? document.getElementById(key.slice(3)) : current.get(key) ?? null;
  };
  for (let before = region.previousElementSibling; before !== null; before = before.previousElementSibling) {
    const shown = shownAs(before);
    if (shown !== null) return shown.after(document.importNode(region, true));
  }
  shownAs(region.parentElement)?.prepend(document.importNode(region, true));
}

/** What the page keeps of its own, and what is shown as changed. Returns whether the element has to be updated at all. */
function prepareUpdate(shown: HTMLElement, next: HTMLElement): boolean {
  if (shown.isEqualNode(next)) return false;
  // What the reader typed or chose.
  if (shown.matches("input, select, textarea")) return false;
  if (shown instanceof HTMLDetailsElement) next.toggleAttribute("open", shown.open);
  if (shown.dataset["node"] !== undefined && substance(shown) !== substance(next)) showChanged(next, shown);
  return true;
}

/** The text of an element as its times, not as their words, which change by themselves. */
function substance(element: Element): string {
  const copy = document.importNode(element, true);
  for (const time of copy.querySelectorAll("time")) time.textContent = time.dateTime;
  return copy.textContent;
}

/** Marks an element as changed for a moment. @param next what the shown element is about to become */
function showChanged(next: Element, shown: Element): void {
  next.classList.add("changed");
  setTimeout(() => shown.classList.remove("changed"), CHANGED_MS);
}

/** Elements that move lose the focus, and where the element is gone the keyboard should not start over at the top. */
function keepFocus(focused: Element | null): void {
  if (focused === null || focused === document.activeElement || focused === document.body) return;
  const target = focused.isConnected ? focused : document.querySelector("main");
  if (target instanceof HTMLElement || target instanceof SVGElement) target.focus({ preventScroll: true });
}

/** What the open page says in one sentence, as it is seen: with a space between the name of a node and its state. */
function shownSentence(): string {
  return document.querySelector<HTMLElement>("[data-sentence]")?.innerText.replace(/\s+/g, " ").trim() ?? "";
}
