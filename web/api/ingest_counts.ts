/** Bounds of the durations of ingests, in seconds: a batch of a daemon takes milliseconds, a full one some tenths. */
export const INGEST_BUCKETS = [0.005, 0.02, 0.1, 0.5, 2, 10] as const;

/** What this process has taken in since it started, for `/metrics`. */
export class IngestCounts {
  accepted = 0;
  unknownTypes = 0;
  invalid = 0;
  /** Batches that the database did not take. */
  failed = 0;
  /** Durations of ingests, by {@link INGEST_BUCKETS}: how many were within each, and longer than all. */
  readonly durations: number[] = Array.from({ length: INGEST_BUCKETS.length + 1 }, () => 0);
  durationSeconds = 0;

  /** Notes a batch that was taken. */
  note(taken: { readonly accepted: number; readonly unknownTypes: number; readonly invalid: number }): void {
    this.accepted += taken.accepted;
    this.unknownTypes += taken.unknownTypes;
    this.invalid += taken.invalid;
  }

  /** Notes how long an ingest took. */
  time(seconds: number): void {
    const found = INGEST_BUCKETS.findIndex((bound) => seconds <= bound);
    const index = found === -1 ? INGEST_BUCKETS.length : found;
    this.durations[index] = (this.durations[index] ?? 0) + 1;
    this.durationSeconds += seconds;
  }
}
