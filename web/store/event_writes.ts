import { EVENT_TYPES, nodeOf } from "../../lib/wire/event_names.ts";
import type { EventOf, ReportEvent } from "../../lib/wire/schema.ts";
import { isActivation, isNews } from "./outcomes.ts";
import type { Write } from "./commit.ts";
import { keys } from "./keys.ts";
import { longValueWrites } from "./long_value.ts";
import type { Activation, NodeRow, Publication } from "./rows.ts";
import { endOf, hexName, runRow, utc, word } from "./row_values.ts";

/** Upper bound of a row with its key, for the longest names and texts. Usually it has a few hundred bytes. */
const ROW_BYTES = 6_000;

/** Returns the writes of an event that need no stored data. They fit into one atomic operation. */
export function eventWrites(event: ReportEvent): Write[] {
  switch (event.type) {
    case EVENT_TYPES.finished:
      return runWrites(event);
    case EVENT_TYPES.published:
      return publicationWrites(event);
    case EVENT_TYPES.heartbeat:
    case EVENT_TYPES.started:
    case EVENT_TYPES.pullRequest:
      return [];
  }
}

function runWrites({ source, data }: EventOf<"finished">): Write[] {
  const node = nodeOf(source);
  const run = runRow(node, data);
  const { runId, startedAt } = run;
  const endedAt = endOf(run);
  return [
    row(keys.run(node, startedAt, runId), run),
    row(keys.runPlace(runId, node), { startedAt }),
    ...longValueWrites(keys.runDetail(node, runId), data),
    ...(isNews(run.outcome) ? [row(keys.news(endedAt, node, runId), run)] : []),
    ...(isActivation(run) && run.release !== undefined
      ? [
        // An earlier heartbeat dated the activation by the start of the run.
        ...keysOfActivation(node, run.release, startedAt, FROM_HEARTBEAT).map((key) => row(key, undefined)),
        ...activationWrites({
          node,
          digest: run.release,
          at: endedAt,
          runId,
          outcome: run.outcome,
          ...(run.previous === undefined ? {} : { previous: run.previous }),
          ...(run.sequence === undefined ? {} : { sequence: run.sequence }),
        }),
      ]
      : []),
  ];
}

function activationWrites(activation: Activation): Write[] {
  const { node, digest, at, runId } = activation;
  return keysOfActivation(node, digest, at, runId).map((key) => row(key, activation));
}

function keysOfActivation(node: string, digest: string, at: string, runId: string): Deno.KvKey[] {
  return [keys.activation(node, at, runId), keys.activationOf(digest, at, node, runId)];
}

function publicationWrites({ source, time, data }: EventOf<"published">): Write[] {
  const node = nodeOf(source);
  const { digest, runId, carrier, revision, previous } = data;
  const publication: Publication = {
    node,
    at: utc(time),
    runId,
    ...(carrier === undefined ? {} : { carrier: word(carrier) }),
    ...(revision === undefined ? {} : { revision: hexName(revision) }),
    ...(previous === undefined ? {} : { previous }),
  };
  return [row(keys.publication(digest, node, publication.carrier ?? "", publication.at), publication)];
}

/** The run id of activations that only a heartbeat reports. */
const FROM_HEARTBEAT = "heartbeat";

/** Returns the writes of an activation that a heartbeat reports and no run has reported. */
export function reportedActivation(node: string, activation: NonNullable<NodeRow["activation"]>): Write[] {
  return activationWrites({ node, ...activation, runId: FROM_HEARTBEAT, outcome: "activated" });
}

function row(key: Deno.KvKey, value: unknown): Write {
  return { key, value, bytes: ROW_BYTES };
}
