/**
 * Patterns of text that a terminal interprets instead of showing it: ECMA-48 control sequences, in their 7-bit (`ESC
 * [`) and 8-bit (U+009B) forms.
 */

/** Colours, cursor moves, screen clearing (CSI). */
const CONTROL_SEQUENCE = "(?:\\u001b\\[|\\u009b)[0-?]*[ -/]*[@-~]";
/** Window titles, links, clipboard writes (OSC and its kin). An unterminated one is not a sequence: its text stays. */
const CONTROL_STRING =
  "(?:\\u001b[\\]PX^_]|[\\u0090\\u0098\\u009d-\\u009f])[^\\u0007\\u001b\\u009c\\n]*(?:\\u0007|\\u001b\\\\|\\u009c)";
/** Character set selections. `tput sgr0` writes one. */
const CHARSET_CHOICE = "\\u001b[()*+./-][0-9A-Za-z]";

/** Characters that end a line or move along it. */
const BREAKS = "\\u0009-\\u000d\\u0085\\u2028\\u2029";
/** C0, DEL and C1, without {@link BREAKS}. */
const CONTROLS = "\\u0000-\\u0008\\u000e-\\u001f\\u007f-\\u0084\\u0086-\\u009f";
/** Zero-width characters and direction overrides. With them, a name can look like another. */
const INVISIBLE =
  "\\u00ad\\u034f\\u061c\\u180e\\u200b-\\u200f\\u202a-\\u202e\\u2060-\\u206f\\ufeff\\ufff9-\\ufffb\\ufffe\\uffff\\u{e0000}-\\u{e007f}";

const SEQUENCES = `${CONTROL_STRING}|${CONTROL_SEQUENCE}|${CHARSET_CHOICE}`;

/** Escape sequences and invisible characters, without line ends and tabs. */
export const UNSEEN = new RegExp(`${SEQUENCES}|[${CONTROLS}${INVISIBLE}]`, "gu");

/** {@link UNSEEN}, line ends and tabs. */
export const UNSEEN_OR_BREAK = new RegExp(`${SEQUENCES}|[${CONTROLS}${INVISIBLE}${BREAKS}]`, "gu");

/**
 * {@link UNSEEN_OR_BREAK}, and their escaped forms in JSON or a program's output: `
 * `, `\u001b[0m`, `\x1b`.
 */
export const UNSEEN_OR_SPELLED = new RegExp(
  `${SEQUENCES}|[${CONTROLS}${INVISIBLE}${BREAKS}]|` +
    "\\\\(?:u001b|x1b|033|e)(?:\\[[0-?]*[ -/]*[@-~])?|" +
    "\\\\(?:u00(?:[0189][0-9a-f]|7f)|u20(?:0[b-f]|2[8-e]|6[0-9a-f])|ufeff|x[0189][0-9a-f]|x7f|[abfnrtv0])",
  "giu",
);

/** Each control character, invisible character and line end, for functions that escape them. */
export const UNSHOWN = new RegExp(`[${CONTROLS}${BREAKS}${INVISIBLE}]`, "gu");

/** {@link UNSHOWN} without the characters that JSON escapes itself. */
export const UNSHOWN_IN_JSON = new RegExp(`[\\u007f-\\u009f\\u2028\\u2029${INVISIBLE}]`, "gu");

/**
 * Line ends and tabs with the spaces around them. The lookbehind keeps a long run of spaces from taking quadratic time.
 */
export const BREAK = new RegExp(`(?<!\\s)\\s*[${BREAKS}]\\s*`, "gu");
