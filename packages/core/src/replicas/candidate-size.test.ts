import { expect, it } from "vitest";
import { podsOf } from "./candidate-size.ts";

it.each([
  [{ replicas: 3 }, 10, 3],
  [{ replicas: 0 }, 10, 0],
  [{ percent: 25 }, 10, 3],
  [{ percent: 1 }, 10, 1],
  [{ percent: 7 }, 100, 7],
  [{ percent: 0 }, 10, 0],
  [{ percent: 100 }, 23, 23],
  [{ percent: 50 }, 0, 0],
])("the size %j of %i replicas is %i Pods", (size, replicas, expected) => {
  expect(podsOf(size, replicas)).toBe(expected);
});
