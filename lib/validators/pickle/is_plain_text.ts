/**
 * Whether the beginning of a file is text that people read: UTF-8 without control characters other than white space. A
 * character may be cut off at its end.
 */
export function isPlainText(head: Uint8Array): boolean {
  try {
    return !CONTROL.test(new TextDecoder("utf-8", { fatal: true }).decode(head, { stream: true }));
  } catch (error) {
    if (error instanceof TypeError) return false;
    throw error;
  }
}

const CONTROL = /[^\P{Cc}\t\n\v\f\r]/u;
