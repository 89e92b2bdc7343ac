import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { ApiError } from "./api.ts";
import { startFakeKubernetesApi, type FakeKubernetesApi } from "./kubernetes-api.fake.ts";

const pods = "/api/v1/namespaces/shop/pods";
const named = z.looseObject({ metadata: z.looseObject({ name: z.string() }) });
const soon = () => AbortSignal.timeout(20_000);

describe("the client of the Kubernetes API", { timeout: 60_000 }, () => {
  let fake: FakeKubernetesApi;

  beforeEach(async () => {
    fake = await startFakeKubernetesApi();
  });
  afterEach(() => fake.close());

  const addPods = (count: number) => {
    for (let index = 0; index < count; index++) {
      fake.seed(`${pods}/pod-${index}`, { kind: "Pod", metadata: { labels: { parity: index % 2 ? "odd" : "even" } } });
    }
  };
  const names = async (query: Readonly<Record<string, string>>) =>
    (await fake.api.list(pods, query, named, soon())).map(({ metadata }) => metadata.name);

  it("gets all pages of a list", async () => {
    addPods(7);
    fake.pageSize = 3;
    let pages = 0;
    fake.intercept = () => {
      pages++;
      return undefined;
    };
    expect(await names({})).toEqual(Array.from({ length: 7 }, (_, index) => `pod-${index}`));
    expect(pages).toBe(3);
    expect(await names({ labelSelector: "parity=odd" })).toEqual(["pod-1", "pod-3", "pod-5"]);
  });

  it("asks again while a fault passes", async () => {
    addPods(1);
    let faults = 2;
    fake.intercept = () => (faults-- > 0 ? "serverError" : undefined);
    expect(await names({})).toEqual(["pod-0"]);
  });

  it("passes on what the server refuses, in its words", async () => {
    const missing = fake.api.send({ method: "GET", path: `${pods}/none` }, named, soon());
    await expect(missing).rejects.toThrow(ApiError);
    await expect(missing).rejects.toMatchObject({ status: 404 });
    await expect(missing).rejects.toThrow(/pods\/none not found/);
  });

  it("takes an answer of another form for none", async () => {
    addPods(1);
    const path = `${pods}/pod-0`;
    const other = fake.api.send({ method: "GET", path }, z.looseObject({ items: z.array(named) }), soon());
    await expect(other).rejects.toThrow(/answered with something else than expected/);
  });

  it("gives up when its time is over, and says what does not answer", async () => {
    fake.intercept = () => "hang";
    await expect(fake.api.list(pods, {}, named, AbortSignal.timeout(200))).rejects.toThrow(
      /The Kubernetes API at http:.* did not answer in time.* Check that it runs/,
    );
  });
});
