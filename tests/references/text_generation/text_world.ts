import fc from "fast-check";
import type { JsonObject, JsonValue } from "../../../lib/references/json/json_value.ts";
import { renderInline } from "../../../lib/references/json/render_json.ts";
import { COLUMNS } from "../../../lib/references/text_generation/models_csv.ts";
import { compareCodePoints } from "../../../lib/references/text_generation/python_text.ts";

/** Records by name, as PRIMARY and `db.json` hold them. */
export type Records = Map<string, JsonObject>;

const text = fc.oneof(
  fc.constant(""),
  fc.string({ unit: fc.constantFrom(..."ab ,\"\n\r'é😀-_;"), maxLength: 8 }),
);
const name = fc.constantFrom(
  ...'a/x|a/y|b/x|c/z-1|gpt2|d/e/f|é/😀|q"uo,te|1|0|a/|l m/n_o|B/x'.split("|"),
);
const parameters = fc.oneof(
  fc.constantFrom(500n, 1500n, 2500n, 4500n, 7500n, 7000n, 560n, 2030n).map((millions) =>
    millions * 1_000_000n
  ),
  fc.bigInt({ min: 1n, max: 500_000_000_000n }),
);
const settings: fc.Arbitrary<JsonObject> = fc.uniqueArray(
  fc.tuple(
    fc.constantFrom("temperature", "top_p", "top_k", "singleline", "stop_sequence"),
    fc.constantFrom<JsonValue[]>(0.7, 3, 3n, true, 'é,"', ["a", 1n], [], -0, 12345678901234567890n),
  ),
  { selector: ([key]) => key, maxLength: 3 },
).map((entries) => new Map<string, JsonValue>(entries));

/** A record that rows can say, as the rules of the target repository make it. */
const record = fc.record({
  parameters,
  displayName: text,
  url: text,
  baseline: text,
  description: text,
  style: fc.constantFrom("", "generalist", "chat"),
  tags: fc.array(fc.constantFrom("roleplay", "7B", "chat", "😀", "\uffff", "a b", ""), { maxLength: 3 }),
  instructFormat: fc.constantFrom("", "Alpaca", 'Llama 3, "new"'),
  settings,
}, { noNullPrototype: true });

/** Records of up to eight models, and how often one half of the world changes. */
export const recordsArbitrary: fc.Arbitrary<Records> = fc.uniqueArray(fc.tuple(name, record), {
  selector: ([name]) => name,
  maxLength: 8,
}).map((entries) =>
  new Map(entries.map(([name, said]) => {
    const short = name.split("/")[1] ?? name;
    const automatic = short.replace(/[-_]/g, " ").replace(/ +/g, " ").trim();
    const halves = Number(said.parameters) / 1e9;
    const size = Number.isInteger(halves - 0.5) ? 2 * Math.round(halves / 2) : Math.round(halves);
    const tags = new Set([...said.tags, ...said.style === "" ? [] : [said.style], `${size}B`]);
    const fields: [string, JsonValue][] = [
      ["display_name", said.displayName || automatic],
      ["url", said.url],
      ["tags", [...tags].sort(compareCodePoints)],
      ["instruct_format", said.instructFormat],
      ["settings", said.settings],
    ];
    return [
      name,
      new Map<string, JsonValue>([
        ["name", name],
        ["model_name", short],
        ["baseline", said.baseline],
        ["parameters", said.parameters],
        ["description", said.description],
        ["version", "1"],
        ["style", said.style || "generalist"],
        ["nsfw", false],
        ...fields.filter(([, value]) => value !== "" && !(value instanceof Map && value.size === 0)),
      ]),
    ] as const;
  }))
);

/** Returns a row for a record as people write it; the numbers of `odd` select variants. */
export function handWrittenRow(
  record: JsonObject,
  columns: readonly string[],
  odd: readonly number[],
): string {
  const choose = <T>(index: number, ...ways: readonly [T, ...T[]]): T =>
    ways[(odd[index] ?? 0) % ways.length] ?? ways[0];
  const string = (field: string) => {
    const value = record.get(field) ?? "";
    return typeof value === "string" ? value : "";
  };
  const tags = record.get("tags");
  const list = Array.isArray(tags) ? tags.map(String) : [];
  const style = string("style");
  const size = spelled(BigInt(String(record.get("parameters"))));
  const settings = record.get("settings");
  const inline = settings === undefined ? "" : renderInline(settings);
  const values: Record<string, string> = {
    name: string("name"),
    parameters_bn: choose(0, size, ` ${size}`, `+${size}`, `${size} `),
    display_name: string("display_name"),
    url: string("url"),
    baseline: string("baseline"),
    description: string("description"),
    style: style === "generalist" && !list.includes(style) ? "" : style,
    tags: choose(1, list.join(","), list.toReversed().join(" , "), list.join(", ")),
    instruct_format: string("instruct_format"),
    settings: choose(2, inline, inline.replaceAll(": ", ":  "), inline && ` ${inline}`),
    extra: choose(3, "", "kept, too"),
  };
  return columns.map((column) => cell(values[column] ?? "", choose(4, false, true))).join(",");
}

/** A header as the file might have it. */
export const columnsArbitrary: fc.Arbitrary<readonly string[]> = fc.constantFrom<(readonly string[])[]>(
  [...COLUMNS],
  [...COLUMNS, "extra"],
  ["extra", ...COLUMNS.toReversed()],
);

function cell(value: string, quoted: boolean): string {
  return quoted || /[,"\r\n]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value;
}

/** Returns billions that Python reads as exactly this number. */
function spelled(parameters: bigint): string {
  const exact = `${parameters / 1_000_000_000n}.${String(parameters % 1_000_000_000n).padStart(9, "0")}`;
  return BigInt(Math.trunc(Number(exact) * 1e9)) === parameters ? exact : `${exact}3`;
}
