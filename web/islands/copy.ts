/// <reference lib="dom" />
import { announce } from "./announce.ts";

/** How long a button says that it did its work. */
const SAID_MS = 2_000;

/** Shows the copy buttons of a page: without scripts they would do nothing. */
export function showCopyButtons(root: ParentNode): void {
  for (const button of root.querySelectorAll<HTMLElement>("[data-copy]")) button.hidden = false;
}

/** Copies a text when its button is pressed, also for buttons that come later. */
export function startCopying(): void {
  showCopyButtons(document);
  document.addEventListener("click", async (event) => {
    if (!(event.target instanceof Element)) return;
    const button = event.target.closest<HTMLElement>("[data-copy]");
    const text = button?.dataset["copy"];
    if (button === null || text === undefined) return;
    const said = await copyText(text) ? "Copied" : "Press Ctrl+C";
    const label = button.dataset["label"] ??= button.textContent;
    button.textContent = said;
    announce(said);
    setTimeout(() => button.textContent = label, SAID_MS);
  });
}

/** Whether a text is on the clipboard now. */
async function copyText(text: string): Promise<boolean> {
  try {
    // Missing on pages that came over plain HTTP from another machine.
    if ("clipboard" in navigator) {
      await navigator.clipboard.writeText(text);
      return true;
    }
  } catch {
    // Not allowed here: the older way may be.
  }
  return copySelected(text);
}

function copySelected(text: string): boolean {
  const field = document.createElement("textarea");
  field.className = "unseen";
  field.value = text;
  document.body.append(field);
  const focused = document.activeElement;
  field.select();
  const isCopied = document.execCommand("copy");
  field.remove();
  if (focused instanceof HTMLElement) focused.focus({ preventScroll: true });
  return isCopied;
}
