import { shownText } from "../shown_text.ts";

/** Renders a command to type, with a button that copies it where scripts run. */
export function Command({ command }: { readonly command: string }) {
  return (
    <span class="command">
      <code>{shownText(command)}</code>
      <button type="button" class="copy" data-copy={command} hidden>Copy</button>
    </span>
  );
}
