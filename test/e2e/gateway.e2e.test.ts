import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import type { Marker, Traffic } from "@bascule/core";
import { kubernetesCutover } from "@bascule/kubernetes/provider";
import { createProgress, startCluster, startLoad, type Cluster } from "@bascule/rig";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ask, sharesOf } from "./harness/ask.ts";
import { makeVersions } from "./harness/hand-made-versions.ts";
import { openNamespace, type NamespaceView } from "./harness/namespace-view.ts";
import type { Entrance } from "./harness/scene.ts";
import { until } from "./harness/until.ts";

const release = "web";
const stable = "web-stable";
const candidate = "web-candidate";
const port = 80;

describe("an HTTPRoute on a real data plane of the Gateway API", () => {
  let cluster: Cluster;
  let namespace: NamespaceView;
  let entrance: Entrance;
  let journalDirectory = "";
  let router: Awaited<ReturnType<typeof kubernetesCutover.open>>["router"];

  const marker: Marker = {
    transaction: "t1",
    candidate,
    origin: null,
    step: 0,
    fencing: 1,
    owner: { host: "here", processId: process.pid, processStart: "now" },
    leaseUntilMs: Date.now() + 3_600_000,
  };
  const soon = () => AbortSignal.timeout(30_000);
  const versionFor = async (headers: Readonly<Record<string, string>> = {}) => (await ask(entrance, headers)).version;
  /** Writes the traffic, and waits until clients see it. */
  const shift = async (traffic: Traffic, isSeen: () => Promise<boolean>) => {
    await router.shift(traffic, marker, soon());
    await until("clients to see it", isSeen);
  };
  const versionsFor = async (headers?: Readonly<Record<string, string>>) =>
    new Set(await Promise.all(Array.from({ length: 10 }, () => versionFor(headers))));
  const someMeet = (version: string) => async () => (await versionsFor()).has(version);
  const allMeet = (version: string, headers?: Readonly<Record<string, string>>) => async () =>
    isDeepStrictEqual(await versionsFor(headers), new Set([version]));

  beforeAll(async () => {
    const progress = createProgress();
    cluster = await startCluster({ progress });
    const gateway = await cluster.gateway();
    journalDirectory = await mkdtemp(join(tmpdir(), "gateway-"));
    const name = journalDirectory.slice(-14).toLowerCase();
    namespace = openNamespace(cluster, name);
    const hostname = `${name}.example`;
    entrance = { host: gateway.host, port: gateway.port, hostHeader: hostname };
    await makeVersions(cluster, { namespace: name, release, port }, [{ name: stable }, { name: candidate }]);
    const session = await kubernetesCutover.open({
      protocol: 1,
      release,
      candidate,
      plan: {
        strategy: "progressive",
        steps: [{ kind: "shift", weightPercent: 100 }],
        deadlineMs: 60_000,
        propagationLimitMs: 10_000,
      },
      probes: [],
      change: { id: name },
      journalDirectory,
      cluster: { kubeconfig: cluster.kubeconfigPath, context: cluster.context },
      containerPort: 8080,
      router: {
        kind: "httpRoute",
        name: release,
        namespace: name,
        parentRefs: [{ name: gateway.name, namespace: gateway.namespace }],
        hostnames: [hostname],
        pathPrefix: "/",
        servicePort: port,
        labels: {},
        annotations: {},
      },
    });
    router = session.router;
    await router.claim(marker, { marker: null, weights: null }, soon());
    await shift({ weights: { [stable]: 100 } }, allMeet(stable));
  });
  afterAll(async () => {
    await namespace.remove();
    await cluster.stop();
    await rm(journalDirectory, { recursive: true, force: true });
  });

  it("splits requests as its weights say, within three percentage points of 5,000", async () => {
    await shift({ weights: { [stable]: 75, [candidate]: 25 } }, someMeet(candidate));
    const shares = await sharesOf(entrance, 5_000);
    expect(Object.keys(shares).sort()).toEqual([candidate, stable]);
    expect(Math.abs((shares[candidate] ?? 0) - 25)).toBeLessThanOrEqual(3);
  });

  it("sends requests by their headers, whole, by their beginning and by a pattern, and all others elsewhere", async () => {
    const matches = [
      { header: "x-group", exact: "staff" },
      { header: "x-group", prefix: "beta-" },
      { header: "x-group", regex: "[0-9]+" },
    ];
    await shift({ weights: { [stable]: 100 }, matches }, allMeet(candidate, { "x-group": "staff" }));
    for (const group of ["staff", "beta-7", "42"]) {
      expect(await versionFor({ "x-group": group }), group).toBe(candidate);
    }
    for (const group of ["staff-2", "alphabeta-7", "v42", "42nd", ""]) {
      expect(await versionFor({ "x-group": group }), group).toBe(stable);
    }
    expect(await sharesOf(entrance, 200)).toEqual({ [stable]: 100 });
  });

  it("sends requests by a cookie among others, and by none of a similar name or value", async () => {
    const matches = [
      { cookie: "group", exact: "staff" },
      { cookie: "group", regex: "a|b" },
    ];
    await shift({ weights: { [stable]: 100 }, matches }, allMeet(candidate, { cookie: "group=staff" }));
    for (const cookie of ["group=staff", "x=1; group=staff; y=2", "x=1;group=a", "group=b"]) {
      expect(await versionFor({ cookie }), cookie).toBe(candidate);
    }
    for (const cookie of ["group=staffer", "mygroup=staff", "x=group=staff", "group=ab", "x=b", "group=", "x=1"]) {
      expect(await versionFor({ cookie }), cookie).toBe(stable);
    }
  });

  it("keeps users at the candidate once they met it, and leaves the others to the weights", async () => {
    await shift({ weights: { [stable]: 50, [candidate]: 50 }, affinity: { cookieName: "met" } }, someMeet(candidate));
    const first = await Promise.all(Array.from({ length: 40 }, () => ask(entrance)));
    const met = first.filter(({ version }) => version === candidate);
    expect(met.length).toBeGreaterThan(10);
    for (const { version, cookies } of first) {
      expect(cookies).toEqual(version === candidate ? [`met=${candidate}`] : []);
    }
    const again = await Promise.all(Array.from({ length: 100 }, () => versionFor({ cookie: `met=${candidate}` })));
    expect(new Set(again)).toEqual(new Set([candidate]));
    expect(Math.abs(((await sharesOf(entrance, 400))[candidate] ?? 0) - 50)).toBeLessThanOrEqual(3);

    await shift({ weights: { [stable]: 100 } }, allMeet(stable, { cookie: `met=${candidate}` }));
    expect(await sharesOf(entrance, 200), "the cookie means nothing any more").toEqual({ [stable]: 100 });
  });

  it("refuses copies, which the implementation does not list, and goes on serving", async () => {
    const attempt = router.shift({ weights: { [stable]: 100 }, mirrorPercent: 10 }, marker, soon());
    await expect(attempt).rejects.toThrow(/HTTPRouteRequestMirror/);
    expect(await sharesOf(entrance, 200)).toEqual({ [stable]: 100 });
  });

  it("loses no request while weights change, on new connections and on kept ones", async () => {
    const target = { url: `http://${entrance.host}:${entrance.port}/`, headers: { host: entrance.hostHeader } };
    const loads = [
      startLoad({ ...target, ratePerSecond: 200, connections: "new" }),
      startLoad({ ...target, ratePerSecond: 50, connections: "keptAlive" }),
    ];
    const delaysMs: number[] = [];
    for (const weight of [10, 50, 90, 100]) {
      const weights = weight === 100 ? { [candidate]: 100 } : { [stable]: 100 - weight, [candidate]: weight };
      await router.shift({ weights }, marker, soon());
      const writtenAtMs = performance.now();
      await until("clients to see it", async () => {
        const { [candidate]: share = 0 } = await sharesOf(entrance, 40);
        return Math.abs(share - weight) <= 5;
      });
      delaysMs.push(Math.round(performance.now() - writtenAtMs));
    }
    console.log(`from a write to 40 requests that show it: ${delaysMs.join(", ")} ms`);
    const reports = await Promise.all(loads.map((load) => load.stop()));
    for (const report of reports) {
      expect(report.badRequests).toEqual([]);
      expect(report.ok).toBe(report.sent);
      expect(report.byVersion[candidate]).toBeGreaterThan(0);
    }
  });
});
