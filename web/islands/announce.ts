/// <reference lib="dom" />

let region: HTMLElement | undefined;

/** Makes the place that screen readers watch: they miss the first text of one that comes together with it. */
export function startAnnouncing(): void {
  region = document.createElement("p");
  region.className = "unseen";
  region.setAttribute("role", "status");
  document.body.append(region);
}

/** Lets screen readers say a sentence when they are done with what they read. */
export function announce(sentence: string): void {
  if (region !== undefined) region.textContent = sentence;
}
