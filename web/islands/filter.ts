/// <reference lib="dom" />
import type { Refresher } from "./refresher.ts";

/** Wait for a pause in typing, instead of a request for each letter. */
const PAUSE_MS = 200;

/** Applies filters while the reader types or chooses. The address becomes the one that submitting the form leads to. */
export function startFiltering(refresher: Refresher): void {
  let pause: ReturnType<typeof setTimeout> | undefined;
  const apply = (form: HTMLFormElement) => {
    clearTimeout(pause);
    const address = filterAddress(form.action, new FormData(form));
    if (address === location.href) return;
    history.replaceState(history.state, "", address);
    refresher.demand();
  };
  document.addEventListener("input", (event) => {
    const form = filterOf(event.target);
    if (form === undefined || (event instanceof InputEvent && event.isComposing)) return;
    clearTimeout(pause);
    pause = setTimeout(() => apply(form), event.target instanceof HTMLSelectElement ? 0 : PAUSE_MS);
  });
  document.addEventListener("compositionend", (event) => {
    const form = filterOf(event.target);
    if (form !== undefined) apply(form);
  });
  document.addEventListener("submit", (event) => {
    const form = filterOf(event.target);
    if (form === undefined) return;
    event.preventDefault();
    apply(form);
  });
}

function filterOf(target: EventTarget | null): HTMLFormElement | undefined {
  return target instanceof Element
    ? target.closest<HTMLFormElement>("form[data-filter]") ?? undefined
    : undefined;
}

/** Returns the address that a GET form leads to, without empty parameters. */
export function filterAddress(action: string, entries: Iterable<readonly [string, unknown]>): string {
  const address = new URL(action);
  address.search = "";
  for (const [name, value] of entries) {
    if (typeof value === "string" && value.trim() !== "") address.searchParams.append(name, value);
  }
  return address.href;
}
