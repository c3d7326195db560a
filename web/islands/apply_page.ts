/// <reference lib="dom" />
import { announce } from "./announce.ts";
import { morph } from "./morph.ts";

/**
 * The parts of an open page that are updated: the main part and, outside of it, marked elements such as the title and
 * the icon.
 */
const REGIONS = "main, [data-live]:not(main *)";

/** Longer than the fade in the stylesheet. */
const CHANGED_MS = 2_000;

/** Updates the open page to a newer copy of it. See {@link morph} for what is kept. */
export function applyPage(next: Document): void {
  const focused = document.activeElement;
  const restoreSelection = selection();
  const sentence = shownSentence();
  const wanted = new Map(Array.from(next.querySelectorAll(REGIONS), (region) => [keyOf(region), region]));
  for (const region of document.querySelectorAll(REGIONS)) {
    const newer = wanted.get(keyOf(region));
    if (newer !== undefined) morph(region, newer, { keyOf, onChange: markChanged });
  }
  keepFocus(focused);
  restoreSelection();
  const said = shownSentence();
  if (said !== sentence && said !== "") announce(said);
}

function keyOf(element: Element): string | undefined {
  return element.getAttribute("data-live") ?? (element.id === "" ? undefined : element.id);
}

/** Highlights an element of a node briefly if more than its relative times has changed. */
function markChanged(shown: Element, next: Element): void {
  if (!shown.hasAttribute("data-node") || substance(shown) === substance(next)) return;
  // On the newer element: the shown one is about to get its attributes.
  next.classList.add("changed");
  setTimeout(() => shown.classList.remove("changed"), CHANGED_MS);
}

/** Returns the text of an element with absolute times, because relative times change by themselves. */
function substance(element: Element): string {
  const copy = document.importNode(element, true);
  for (const time of copy.querySelectorAll("time")) time.textContent = time.dateTime;
  return copy.textContent;
}

/**
 * Restores the focus. An element that moves loses it; if it is gone, the main part gets the focus, so that the keyboard
 * does not start over at the top.
 */
function keepFocus(focused: Element | null): void {
  if (focused === null || focused === document.activeElement || focused === document.body) return;
  const target = focused.isConnected ? focused : document.querySelector("main");
  if (target instanceof HTMLElement || target instanceof SVGElement) target.focus({ preventScroll: true });
}

/** Returns a function that restores the current selection, which moved elements lose. */
function selection(): () => void {
  const current = getSelection();
  if (current === null || current.isCollapsed) return () => {};
  const { anchorNode, anchorOffset, focusNode, focusOffset } = current;
  const isThere = (node: Node, offset: number) =>
    node.isConnected && offset <= (node.nodeValue ?? node.childNodes).length;
  return () => {
    if (current.anchorNode === anchorNode && current.focusNode === focusNode) return;
    if (anchorNode === null || focusNode === null) return;
    if (!isThere(anchorNode, anchorOffset) || !isThere(focusNode, focusOffset)) return;
    current.setBaseAndExtent(anchorNode, anchorOffset, focusNode, focusOffset);
  };
}

/** Returns the sentence of the page as displayed, with a space between a node's name and its state. */
function shownSentence(): string {
  return document.querySelector<HTMLElement>("[data-sentence]")?.innerText.replace(/\s+/g, " ").trim() ?? "";
}
