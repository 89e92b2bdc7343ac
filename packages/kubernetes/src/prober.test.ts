import { createServer, type Server } from "node:http";
import { difference, http, lag, type Probe, type VersionId } from "@bascule/core";
import { systemClock, type ProbeRequest } from "@bascule/engine";
import { KubeConfig } from "@kubernetes/client-node";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { startFakeKubernetesApi, type FakeKubernetesApi } from "./kubernetes-api.fake.ts";
import { versionSelector } from "./labels.ts";
import { kubernetesProber, type KubernetesProberOptions } from "./prober.ts";
import { kubernetesWorkload } from "./workload.ts";

const signal = AbortSignal.timeout(30_000);
const servers: Server[] = [];
let fake: FakeKubernetesApi;

beforeEach(async () => {
  fake = await startFakeKubernetesApi();
});
afterEach(() => {
  fake.close();
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

/** A Pod of a version that answers with this; gives its port and what it is asked. */
async function addPod(version: VersionId, address: string, answer: string, port = 0) {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(request.url ?? "");
    response.end(answer);
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(port, address, resolve));
  fake.seed(`/api/v1/namespaces/shop/pods/${version}-${address}`, {
    kind: "Pod",
    metadata: { labels: versionSelector("web", version) },
    status: { podIP: address, conditions: [{ type: "Ready", status: "True" }] },
  });
  return { asked, port: z.object({ port: z.number() }).parse(server.address()).port };
}

function proberFor(containerPort: number, options: Partial<KubernetesProberOptions> = {}) {
  return kubernetesProber({
    api: fake.api,
    configuration: new KubeConfig(),
    workload: kubernetesWorkload(fake.api, "web", "shop", undefined),
    entrance: { title: "the Service", address: () => Promise.resolve(undefined) },
    namespace: "shop",
    candidate: "new",
    containerPort,
    reach: "direct",
    clock: systemClock,
    tell: () => Promise.reject(new Error("nobody tells")),
    ...options,
  });
}

function requestOf(probe: Probe, change: Partial<ProbeRequest> = {}): ProbeRequest {
  return { probe, target: "service", expected: { old: 100 }, sequence: 0, ...change };
}

describe("the lag of the candidate's data", () => {
  it("is told by a command: by the last line that it prints", async () => {
    const asked: string[] = [];
    const tell = (hook: string) => {
      asked.push(hook);
      return Promise.resolve("0.25");
    };
    const probe = lag({ hook: "data-lag", maximumMs: 300, unit: "seconds" });
    const measurement = await proberFor(8080, { tell }).measure(requestOf(probe), signal);
    expect(asked).toEqual(["data-lag"]);
    expect(measurement).toMatchObject({
      probe: "lag",
      verdict: "pass",
      message: "the candidate's data is 250 ms behind, at most 300 ms may be",
    });
  });

  it("is not known when the command fails, which is an error and no pass", async () => {
    const probe = lag({ hook: "data-lag", maximumMs: 300 });
    expect(await proberFor(8080).measure(requestOf(probe), signal)).toMatchObject({
      verdict: "error",
      message: "nobody tells",
    });
  });

  it("is not known when the command takes longer than the probe's time-out", async () => {
    const tell = (_hook: string, limit: AbortSignal) =>
      new Promise<string>((_resolve, reject) => {
        limit.addEventListener("abort", () => {
          reject(new Error("given up"));
        });
      });
    const probe = lag({ hook: "data-lag", maximumMs: 300, timeoutMs: 50 });
    expect((await proberFor(8080, { tell }).measure(requestOf(probe), signal)).verdict).toBe("error");
  });

  it("is told by the candidate itself, by its Pods in turn, whoever has the traffic", async () => {
    const first = await addPod("new", "127.0.0.2", '{"lagMs":20}');
    const second = await addPod("new", "127.0.0.3", '{"lagMs":900}', first.port);
    await addPod("old", "127.0.0.4", '{"lagMs":0}', first.port);
    const probe = lag({ path: "/replication", field: "$.lagMs", maximumMs: 300 });
    const prober = proberFor(first.port);
    expect(await prober.measure(requestOf(probe), signal)).toMatchObject({ verdict: "pass" });
    expect(await prober.measure(requestOf(probe, { sequence: 1 }), signal)).toMatchObject({ verdict: "fail" });
    expect([...first.asked, ...second.asked]).toEqual(["/replication", "/replication"]);
  });

  it("is a failure of a candidate that has no Pod to tell it", async () => {
    const probe = lag({ path: "/replication", field: "$.lagMs", maximumMs: 300 });
    expect(await proberFor(8080).measure(requestOf(probe), signal)).toMatchObject({
      verdict: "fail",
      message: "no Pod of new is ready",
    });
  });
});

describe("the differences between answers", () => {
  it("are measured by whoever copies requests", async () => {
    const measured = { probe: "difference", verdict: "pass", message: "none", startedAtMs: 1, durationMs: 2 } as const;
    const prober = proberFor(8080, { measureDifference: () => Promise.resolve(measured) });
    expect(await prober.measure(requestOf(difference()), signal)).toEqual(measured);
  });

  it("are unknown where the router copies without comparing", async () => {
    expect(await proberFor(8080).measure(requestOf(difference()), signal)).toMatchObject({
      verdict: "error",
      message: "answers are compared only where a Service copies requests: use serviceSwitch()",
    });
  });
});

describe("a candidate", () => {
  it("is measured at each of its Pods in turn", async () => {
    const first = await addPod("new", "127.0.0.2", "ok");
    const second = await addPod("new", "127.0.0.3", "ok", first.port);
    const prober = proberFor(first.port);
    expect(await prober.places?.("candidate", signal)).toBe(2);
    for (const sequence of [0, 1, 2, 3]) {
      const request = requestOf(http("/health"), { target: "candidate", expected: { new: 100 }, sequence });
      expect((await prober.measure(request, signal)).verdict).toBe("pass");
    }
    expect([first.asked.length, second.asked.length]).toEqual([2, 2]);
  });
});
