import { hideSecrets } from "./known_secrets.ts";

/** Longer words are no secret of anybody's, and what prints no blank must not be kept back for ever. */
const WORD_CHARS_MAX = 4 * 1024;

/** What a program prints, on its way to somewhere else. */
export interface HiddenStream {
  write(bytes: Uint8Array): void;
  /** Passes on what was kept back. */
  end(): void;
}

/**
 * Passes on what a program prints, without the secrets that this process knows. Colours and progress bars stay. The
 * last word of each piece is kept back until the next: it may be the beginning of a secret.
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
