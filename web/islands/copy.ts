/// <reference lib="dom" />
import { announce } from "./announce.ts";

/** How long a button shows the result. */
const SAID_MS = 2_000;

/** Shows the copy buttons of a page. They are hidden by default, because they need scripts. */
export function showCopyButtons(root: ParentNode): void {
  for (const button of root.querySelectorAll<HTMLElement>("[data-copy]")) button.hidden = false;
}

/** Copies the text of a pressed copy button. Also works for buttons that are added later. */
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

/** Copies a text. @returns whether it is on the clipboard */
async function copyText(text: string): Promise<boolean> {
  try {
    // Not available on pages served over plain HTTP by another machine.
    if ("clipboard" in navigator) {
      await navigator.clipboard.writeText(text);
      return true;
    }
  } catch {
    // Permission denied. The older way may still work.
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
