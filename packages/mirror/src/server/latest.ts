/** Keeps the latest values, so many at most, oldest first. */
export interface Latest<Value> {
  add(value: Value): void;
  list(): Value[];
}

export function latest<Value>(maximum: number): Latest<Value> {
  const ring: Value[] = [];
  let next = 0;
  return {
    add: (value) => {
      ring[next] = value;
      next = (next + 1) % maximum;
    },
    list: () => [...ring.slice(next), ...ring.slice(0, next)],
  };
}
