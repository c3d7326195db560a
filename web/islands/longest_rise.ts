/** Returns the places of a longest rising sequence among numbers: what may stay where it is while the rest moves. */
export function longestRise(numbers: readonly number[]): ReadonlySet<number> {
  // ends[n]: the place of the least number that a rise of n + 1 numbers may end with.
  const ends: number[] = [];
  const before: (number | undefined)[] = [];
  for (const [place, number] of numbers.entries()) {
    let [low, high] = [0, ends.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((numbers[ends[middle] ?? 0] ?? 0) < number) low = middle + 1;
      else high = middle;
    }
    before[place] = ends[low - 1];
    ends[low] = place;
  }
  const rise = new Set<number>();
  for (let place = ends.at(-1); place !== undefined; place = before[place]) rise.add(place);
  return rise;
}
