import * as z from "zod";
import type { CanaryMetric } from "../config/sections/canary.ts";
import type { Context } from "../core/context.ts";
import { parseJson } from "../core/json.ts";
import { noData, type Reading, readNumber } from "./reading.ts";
import { fetchText } from "./sample_http.ts";

/** Seconds since 1970, and the number as text, because JSON has neither `NaN` nor `+Inf`. */
const Sample = z.tuple([z.number(), z.string()]);

const Answer = z.object({
  status: z.literal("success"),
  data: z.discriminatedUnion("resultType", [
    z.object({ resultType: z.literal("scalar"), result: Sample }),
    z.object({ resultType: z.literal("vector"), result: z.array(z.object({ value: Sample.optional() })) }),
    z.object({ resultType: z.literal("matrix") }),
    z.object({ resultType: z.literal("string") }),
  ]),
});

/**
 * Returns the one number of an instant query (https://prometheus.io/docs/prometheus/latest/querying/api/). Several
 * series are no data: the query has to select one. Needs the net permission.
 *
 * @throws what {@link fetchText} throws
 */
export async function samplePrometheus(
  context: Context,
  metric: CanaryMetric & { readonly type: "prometheus" },
  timeoutMs: number,
): Promise<Reading> {
  const answer = Answer.safeParse(parseJson(await fetchText(context, metric, queryUrl(metric), timeoutMs)));
  if (!answer.success) return noData("the response is not Prometheus'");
  const { data } = answer.data;
  if (data.resultType === "scalar") return readNumber(data.result[1]);
  if (data.resultType !== "vector") return noData(`the query returns a ${data.resultType}, not a number`);
  const [series, ...others] = data.result;
  if (series === undefined) return noData("the query returns nothing");
  if (others.length > 0) return noData(`the query returns ${data.result.length} numbers instead of one`);
  return series.value === undefined ? noData("the query returns a histogram") : readNumber(series.value[1]);
}

function queryUrl({ url, query }: CanaryMetric & { readonly type: "prometheus" }): string {
  const address = new URL(url);
  address.pathname = `${address.pathname.replace(/\/+$/, "")}/api/v1/query`;
  address.searchParams.set("query", query);
  return address.href;
}
