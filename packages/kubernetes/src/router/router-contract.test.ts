import { describe } from "vitest";
import { routerContract, subjects, trafficContract } from "./router-contract.ts";
import { openFakeWorld } from "./router-world.fake.ts";

describe.each(subjects)("$kind", (subject) => {
  routerContract(subject, openFakeWorld);
  trafficContract(subject, openFakeWorld);
});
