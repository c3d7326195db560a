/// <reference lib="dom" />

let region: HTMLElement | undefined;

/**
 * Adds the live region. It is added before any text, because screen readers ignore the text that a region starts with.
 */
export function startAnnouncing(): void {
  region = document.createElement("p");
  region.className = "unseen";
  region.setAttribute("role", "status");
  document.body.append(region);
}

/** Makes screen readers read a sentence when they have finished the current one. */
export function announce(sentence: string): void {
  if (region !== undefined) region.textContent = sentence;
}
