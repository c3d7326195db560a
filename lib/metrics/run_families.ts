import { CARRIERS } from "../release/manifest.ts";
import { OUTCOMES } from "../store/history.ts";
import { DURATION_BOUNDS_SEC, type RunTotals } from "./run_totals.ts";
import { type Family, type Sample, valueText } from "./text_format.ts";

type CommandTotals = RunTotals["commands"][number];

/** Returns the totals of all runs as metrics. */
export function runFamilies(totals: RunTotals): Family[] {
  const { commands } = totals;
  return [
    {
      name: "model_sync_runs_total",
      type: "counter",
      help:
        "Runs by command and outcome. Counting restarts with the oldest run on record when the state is lost.",
      // All outcomes, also at 0: Prometheus cannot see the first increase of a counter that starts at 1.
      samples: commands.flatMap(({ command, outcomes }) =>
        OUTCOMES.map((outcome) => ({ labels: { command, outcome }, value: outcomes[outcome] ?? 0 }))
      ),
    },
    {
      name: "model_sync_run_duration_seconds",
      type: "histogram",
      help: "Durations of runs by command, without killed runs.",
      samples: commands.flatMap(durationSamples),
    },
    {
      name: "model_sync_last_run_timestamp_seconds",
      type: "gauge",
      help: "When the command last ended, in Unix time.",
      samples: timeSamples(commands, ({ lastRunMs }) => lastRunMs),
    },
    {
      name: "model_sync_last_success_timestamp_seconds",
      type: "gauge",
      help: "When the command last ended with success, in Unix time. A run without news is a success.",
      samples: timeSamples(commands, ({ lastSuccessMs }) => lastSuccessMs),
    },
    {
      name: "model_sync_last_outcome",
      type: "gauge",
      help: "1 for the outcome of the command's last run, 0 for every other outcome.",
      samples: commands.flatMap(({ command, lastOutcome }) =>
        OUTCOMES.map((outcome) => ({ labels: { command, outcome }, value: outcome === lastOutcome ? 1 : 0 }))
      ),
    },
    {
      name: "model_sync_transferred_bytes_total",
      type: "counter",
      help:
        "Bytes of releases that runs transferred, by carrier. What a machine already has is not transferred.",
      samples: CARRIERS.map((carrier) => ({ labels: { carrier }, value: totals.bytes[carrier] ?? 0 })),
    },
  ];
}

function durationSamples({ command, durations, durationSumMs }: CommandTotals): Sample[] {
  let count = 0;
  const buckets = [...DURATION_BOUNDS_SEC, Infinity].map((bound, index): Sample => {
    count += durations[index] ?? 0;
    return { suffix: "_bucket", labels: { command, le: valueText(bound) }, value: count };
  });
  return [
    ...buckets,
    { suffix: "_sum", labels: { command }, value: durationSumMs / 1000 },
    { suffix: "_count", labels: { command }, value: count },
  ];
}

function timeSamples(
  commands: readonly CommandTotals[],
  timeMs: (totals: CommandTotals) => number | null,
): Sample[] {
  return commands.flatMap((totals) => {
    const time = timeMs(totals);
    return time === null ? [] : [{ labels: { command: totals.command }, value: time / 1000 }];
  });
}
