/**
 * The source code that scipy makes methods of a distribution of, and executes when one is loaded. Source:
 * `parse_arg_template` in `scipy/stats/_distn_infrastructure.py`. Nothing in it but the names of parameters may vary, and
 * each is the same throughout.
 */
const TEMPLATE = new RegExp(
  [
    "^",
    "def _parse_args\\(self, ((?:[A-Za-z_]\\w*, )*) (loc=0(?:, scale=1)?)\\):",
    "    return \\(\\1\\), (loc, (?:scale|1))",
    "",
    "def _parse_args_rvs\\(self, \\1 \\2, size=None\\):",
    "    return self\\._argcheck_rvs\\(\\1 \\3, size=size\\)",
    "",
    "def _parse_args_stats\\(self, \\1 \\2, moments='mv'\\):",
    "    return \\(\\1\\), \\3, moments",
    "$",
  ].join("\n"),
);

/** Longer than those of all distributions, which have up to six parameters. */
export const TEMPLATE_BYTES_MAX = 1024;

/** Whether bytes of text are such a template. */
export function isTemplate(bytes: Uint8Array): boolean {
  return bytes[0] === NEWLINE && TEMPLATE.test(new TextDecoder("latin1").decode(bytes));
}

const NEWLINE = 0x0a;
