/// <reference lib="dom" />

/** What this project uses of morphdom: its own types describe a module of another kind than the one that it is. */
declare const morphdom: (
  shown: Element,
  next: Element,
  options: {
    readonly getNodeKey: (node: Node) => string | undefined;
    /** Returns whether the element has to be updated at all. */
    readonly onBeforeElUpdated: (shown: HTMLElement, next: HTMLElement) => boolean;
  },
) => Node;

export default morphdom;
