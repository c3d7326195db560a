import { EVENT_TYPES, sourceOf } from "../../../lib/wire/event_names.ts";
import type { EventOf, ReportEvent } from "../../../lib/wire/schema.ts";
import type { RunRecord } from "../../../lib/store/history.ts";
import type { PublishedFiles } from "../../../lib/store/published_files.ts";

interface Identity {
  readonly name: string;
  readonly host: string;
  readonly modelsDir: string;
}

/**
 * The events of runs, as a node creates them (lib/reporting/make_events.ts). Cleaning the texts as a node does would
 * use most of a large fleet's time, and simulated texts are clean and short. A test compares both.
 */
export class RunEvents {
  readonly #source: string;
  readonly #host: string;
  readonly #modelsDir: string;

  constructor({ name, host, modelsDir }: Identity) {
    this.#source = sourceOf(name);
    this.#host = host;
    this.#modelsDir = modelsDir;
  }

  /** Returns the event for a run's start. */
  started({ runId, command, startedAt }: Pick<RunRecord, "runId" | "command" | "startedAt">): ReportEvent {
    return {
      ...this.#envelope(startedAt),
      id: `${runId}/started`,
      type: EVENT_TYPES.started,
      subject: runId,
      data: { runId, command, startedAt, host: this.#host, modelsDir: this.#modelsDir },
    };
  }

  /** Returns the events for a record. */
  ended(record: RunRecord, published: PublishedFiles | undefined): ReportEvent[] {
    const { runId, host, durationMs, pullRequests = [] } = record;
    const startedMs = Date.parse(record.startedAt);
    const head = this.#envelope(new Date(startedMs + durationMs).toISOString());
    const proposed = pullRequests.map((pullRequest): EventOf<"pullRequest"> => ({
      ...head,
      id: `${runId}/pull-request/${pullRequest.repository}`,
      type: EVENT_TYPES.pullRequest,
      subject: pullRequest.repository,
      data: { ...pullRequest, runId, host },
    }));
    const finished: EventOf<"finished"> = {
      ...head,
      id: `${runId}/finished`,
      type: EVENT_TYPES.finished,
      subject: runId,
      data: { ...record, startedAt: new Date(startedMs).toISOString(), modelsDir: this.#modelsDir },
    };
    const release = published === undefined ? [] : [this.#published(head, record, published)];
    return [...release, ...proposed, finished];
  }

  #published(
    head: Envelope,
    { runId, host, previous, sequence = 0, carrier, revision, signer }: RunRecord,
    { digest, filesTotal, bytes, files }: PublishedFiles,
  ): EventOf<"published"> {
    return {
      ...head,
      id: `${runId}/published`,
      type: EVENT_TYPES.published,
      subject: digest,
      data: {
        digest,
        ...(previous === undefined ? {} : { previous }),
        sequence,
        ...(carrier === undefined ? {} : { carrier }),
        ...(revision === undefined ? {} : { revision }),
        ...(signer === undefined ? {} : { signer }),
        runId,
        host,
        filesTotal,
        bytes,
        files,
        filesLeftOut: filesTotal - files.length,
      },
    };
  }

  #envelope(time: string): Envelope {
    return { specversion: "1.0", source: this.#source, time, datacontenttype: "application/json" };
  }
}

type Envelope = Pick<ReportEvent, "specversion" | "source" | "time" | "datacontenttype">;
