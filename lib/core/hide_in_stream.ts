import { hideSecrets } from "./known_secrets.ts";

/** No secret is longer. The bound matters for output without spaces, which would otherwise be withheld forever. */
const WORD_CHARS_MAX = 4 * 1024;

/** A program's output on its way to the terminal or a log. */
export interface HiddenStream {
  write(bytes: Uint8Array): void;
  /** Writes the withheld rest. */
  end(): void;
}

/**
 * Returns a stream that writes a program's output with this process's secrets redacted. Colours and progress bars stay.
 * The last word of each piece is withheld until the next one, because it may be the beginning of a secret.
 */
export function hideInStream(output: (bytes: Uint8Array) => void): HiddenStream {
  const decoder = new TextDecoder();
  const encoder = new TextEncoder();
  let kept = "";
  const pass = (text: string) => {
    if (text !== "") output(encoder.encode(hideSecrets(text)));
  };
  return {
    write(bytes) {
      kept += decoder.decode(bytes, { stream: true });
      const word = /\S*$/.exec(kept.slice(-WORD_CHARS_MAX))?.[0] ?? "";
      const end = kept.length - (word.length < WORD_CHARS_MAX ? word.length : 0);
      pass(kept.slice(0, end));
      kept = kept.slice(end);
    },
    end() {
      pass(kept + decoder.decode());
      kept = "";
    },
  };
}
