/** The series of one metric name. */
export interface Family {
  readonly name: string;
  readonly type: "counter" | "gauge" | "histogram";
  readonly help: string;
  readonly samples: readonly Sample[];
}

/** One series with its value. No two of a family have equal suffixes and labels. */
export interface Sample {
  /** The end of the name of a histogram's series. */
  readonly suffix?: "_bucket" | "_sum" | "_count";
  readonly labels?: Labels;
  readonly value: number;
}

export type Labels = Readonly<Record<string, string>>;

/** The media type of {@link textFormat}. */
export const TEXT_FORMAT_TYPE = "text/plain; version=0.0.4; charset=utf-8";

/**
 * Returns families in Prometheus' text format 0.0.4, without times: node_exporter refuses files with times. Families
 * without samples are left out.
 *
 * @param constant labels that every series gets
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { textFormat } from "./text_format.ts";
 * const family = { name: "up", type: "gauge", help: "Whether it runs.", samples: [{ value: 1 }] } as const;
 * assert.equal(
 *   textFormat([family], { host: 'the "first"' }),
 *   '# HELP up Whether it runs.\n# TYPE up gauge\nup{host="the \\"first\\""} 1\n',
 * );
 * ```
 */
export function textFormat(families: readonly Family[], constant: Labels): string {
  return families.filter(({ samples }) => samples.length > 0).map((family) => familyText(family, constant))
    .join("");
}

function familyText({ name, type, help, samples }: Family, constant: Labels): string {
  const lines = samples.map(({ suffix = "", labels, value }) =>
    `${name}${suffix}${labelText({ ...constant, ...labels })} ${valueText(value)}\n`
  );
  return `# HELP ${name} ${escapeHelp(help)}\n# TYPE ${name} ${type}\n${lines.join("")}`;
}

function labelText(labels: Labels): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escapeValue(value)}"`);
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}

/** Returns a number in the text format, also for a bound (`le`). */
export function valueText(value: number): string {
  if (value === Infinity) return "+Inf";
  return value === -Infinity ? "-Inf" : String(value);
}

function escapeHelp(text: string): string {
  return text.toWellFormed().replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
}

function escapeValue(text: string): string {
  return escapeHelp(text).replaceAll('"', '\\"');
}
