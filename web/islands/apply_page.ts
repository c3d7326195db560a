/// <reference lib="dom" />
import { announce } from "./announce.ts";
import { morph } from "./morph.ts";

/** What may change while a page is open: its main part, and around it what is marked, the title and the icon. */
const REGIONS = "main, [data-live]:not(main *)";

/** The stylesheet lets the colour fade in less. */
const CHANGED_MS = 2_000;

/** Changes the open page to what a newer copy of it says; see {@link morph} for what stays. */
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

/** Marks an element that shows a node for a moment, if more than the words of its times changes. */
function markChanged(shown: Element, next: Element): void {
  if (!shown.hasAttribute("data-node") || substance(shown) === substance(next)) return;
  // Into the newer one, whose attributes the shown one is about to get.
  next.classList.add("changed");
  setTimeout(() => shown.classList.remove("changed"), CHANGED_MS);
}

/** The text of an element with its times as they are, whose words change by themselves. */
function substance(element: Element): string {
  const copy = document.importNode(element, true);
  for (const time of copy.querySelectorAll("time")) time.textContent = time.dateTime;
  return copy.textContent;
}

/** What moves loses the focus, and where an element is gone the keyboard should not start over at the top. */
function keepFocus(focused: Element | null): void {
  if (focused === null || focused === document.activeElement || focused === document.body) return;
  const target = focused.isConnected ? focused : document.querySelector("main");
  if (target instanceof HTMLElement || target instanceof SVGElement) target.focus({ preventScroll: true });
}

/** Returns what selects again what is selected now, as far as it is still there: what moves loses the selection, too. */
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

/** What the open page says in one sentence, as it is seen: with a space between the name of a node and its state. */
function shownSentence(): string {
  return document.querySelector<HTMLElement>("[data-sentence]")?.innerText.replace(/\s+/g, " ").trim() ?? "";
}
