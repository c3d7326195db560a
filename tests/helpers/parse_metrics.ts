import assert from "node:assert/strict";

/** A metric family in the text format. */
interface ParsedFamily {
  readonly type: string;
  readonly help: string;
  readonly samples: readonly ParsedSample[];
}

interface ParsedSample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/**
 * Parses Prometheus' text format 0.0.4 strictly: it refuses comments, timestamps, split families and duplicate series, which
 * the format does not guarantee or node_exporter does not accept. Written from the format's description alone.
 */
export function parseMetrics(text: string): ReadonlyMap<string, ParsedFamily> {
  assert.match(text, /\n$/, "the last line ends");
  const families = new Map<string, { type: string; help: string; samples: ParsedSample[] }>();
  const series = new Set<string>();
  let current = "";
  for (const line of text.slice(0, -1).split("\n")) {
    const help = /^# HELP ([a-zA-Z_:][\w:]*) (.*)$/s.exec(line);
    const type = /^# TYPE ([a-zA-Z_:][\w:]*) (counter|gauge|histogram)$/.exec(line);
    if (help !== null) {
      const [, name = "", written = ""] = help;
      assert.ok(!families.has(name), `${name} begins twice`);
      assert.notEqual(families.get(current)?.samples.length, 0, `${current} is empty`);
      families.set(current = name, { type: "", help: unescape(written, /\\[\\n]/y), samples: [] });
    } else if (type !== null) {
      const family = families.get(type[1] ?? "");
      assert.ok(type[1] === current && family?.type === "" && family.samples.length === 0, line);
      family.type = type[2] ?? "";
    } else {
      const family = families.get(current);
      assert.ok(family !== undefined && family.type !== "", `a sample before its type: ${line}`);
      const sample = parseSample(line);
      const suffix = family.type === "histogram" ? /^(_bucket|_sum|_count)$/ : /^$/;
      assert.ok(sample.name.startsWith(current), `${sample.name} in ${current}`);
      assert.match(sample.name.slice(current.length), suffix, line);
      const key = JSON.stringify([sample.name, Object.entries(sample.labels).sort()]);
      assert.ok(!series.has(key), `twice: ${line}`);
      series.add(key);
      family.samples.push(sample);
    }
  }
  return families;
}

/** Returns a family, which has to exist. */
export function familyIn(families: ReadonlyMap<string, ParsedFamily>, name: string): ParsedFamily {
  const family = families.get(name);
  assert.ok(family !== undefined, `no ${name}`);
  return family;
}

/** Returns the value of the only series with these labels, possibly among others; `undefined` if there is none. */
export function valueOf(
  families: ReadonlyMap<string, ParsedFamily>,
  name: string,
  labels: Readonly<Record<string, string>> = {},
): number | undefined {
  const samples = [...families.values()].flatMap((family) => family.samples).filter((sample) =>
    sample.name === name && Object.entries(labels).every(([label, value]) => sample.labels[label] === value)
  );
  assert.ok(samples.length <= 1, `${name} has ${samples.length} such series`);
  return samples[0]?.value;
}

function parseSample(line: string): ParsedSample {
  const name = /^[a-zA-Z_:][\w:]*/.exec(line)?.[0];
  assert.ok(name !== undefined, line);
  const labels: Record<string, string> = {};
  let rest = line.slice(name.length);
  if (rest.startsWith("{")) {
    do {
      const label = /^[{,]([a-zA-Z_]\w*)="((?:[^"\\]|\\[\\"n])*)"/.exec(rest);
      assert.ok(label !== null, line);
      const [all, key = "", value = ""] = label;
      assert.ok(!Object.hasOwn(labels, key), line);
      labels[key] = unescape(value, /\\[\\"n]/y);
      rest = rest.slice(all.length);
    } while (rest.startsWith(","));
    assert.ok(rest.startsWith("}"), line);
    rest = rest.slice(1);
  }
  const value = /^ (\+Inf|-Inf|NaN|-?\d+(?:\.\d+)?(?:e[+-]\d+)?)$/.exec(rest)?.[1];
  assert.ok(value !== undefined, line);
  return { name, labels, value: Number(value.replace("Inf", "Infinity")) };
}

/** @param escape what may follow a backslash */
function unescape(text: string, escape: RegExp): string {
  let result = "";
  for (let index = 0; index < text.length;) {
    escape.lastIndex = index;
    const found = escape.exec(text)?.[0];
    assert.ok(found !== undefined || text[index] !== "\\", text);
    result += found === undefined ? text[index] : found === "\\n" ? "\n" : found[1];
    index += found?.length ?? 1;
  }
  return result;
}
