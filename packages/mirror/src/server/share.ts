const partsPerPercent = 10_000;
const whole = 100 * partsPerPercent;

/** Says of each request in turn whether it belongs to the share: evenly spread, and exact over any number of requests. */
export function shareOf(percent: number): () => boolean {
  const step = Math.round(percent * partsPerPercent);
  let owed = 0;
  return () => {
    owed += step;
    if (owed < whole) return false;
    owed -= whole;
    return true;
  };
}
