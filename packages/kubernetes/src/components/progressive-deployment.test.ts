import * as pulumi from "@pulumi/pulumi";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { cutoverType, deploymentType, mockStack, type MockedStack } from "./mocked-stack.fake.ts";
import {
  analysis,
  BasculeError,
  BlueGreenDeployment,
  httpRoute,
  mirror,
  pause,
  ProgressiveDeployment,
  replicaRatio,
  route,
  scale,
  setWeight,
  soak,
  stackSecret,
  virtualService,
  type ProgressiveDeploymentArgs,
} from "../../dist/index.js";

const container = { image: "registry.example/web:1.5", port: 8080 };
const former = { container: { ...container, image: "registry.example/web:1.4" } };
const gateway = httpRoute({ parentRefs: [{ name: "public", namespace: "gateways" }], hostnames: ["shop.example"] });
let stack: MockedStack;

beforeEach(async () => {
  stack = await mockStack("dev");
});
afterEach(() => pulumi.runtime.disconnect());

async function cutoverOf(args: Omit<ProgressiveDeploymentArgs, "container">) {
  new ProgressiveDeployment("web", { container, ...args });
  const [cutover] = await stack.ofType(cutoverType);
  return cutover?.inputs;
}

describe("a progressive release", () => {
  it("needs no more than an image and a port: 5, 25 and 50 per cent by the number of Pods", async () => {
    const inputs = await cutoverOf({});
    expect(inputs).toMatchObject({
      router: { kind: "replicas", replicas: 2, maxSurge: "25%", maxUnavailable: "25%" },
      sizes: { replicas: 2 },
      plan: { strategy: "progressive" },
    });
    expect(JSON.stringify(inputs?.["plan"])).toMatch(/"weightPercent":5\b.*:25\b.*:50\b.*:100\b/);
  });

  it("by the number of Pods begins with one Pod of the candidate, and leaves sizes to the cut-over", async () => {
    new ProgressiveDeployment("web", { container, stable: former, replicas: 6 });
    const deployments = await stack.ofType(deploymentType);
    const sizes = deployments.map(({ inputs }) => (inputs["spec"] as { replicas: number }).replicas);
    expect(sizes.toSorted()).toEqual([1, 6]);
  });

  it("by the number of Pods gives each shift the time that Pods take to be ready", async () => {
    expect(await cutoverOf({})).toMatchObject({ plan: { scaleLimitMs: 300_000 } });
  });

  it("by weights gives a shift no more time than a write takes", async () => {
    expect((await cutoverOf({ router: gateway }))?.["plan"]).not.toHaveProperty("scaleLimitMs");
  });

  it("gives each version a Service of its own where the router sends to it, and says where it is", async () => {
    const web = new ProgressiveDeployment("web", { container, router: gateway, namespace: "shop" });
    const services = await stack.ofType("kubernetes:core/v1:Service");
    expect(services.map(({ name }) => name)).toEqual([web.version]);
    expect(await new Promise((resolve) => web.previewAddress.apply(resolve))).toBe(`${web.version}.shop:80`);
  });

  it("names stable and candidate in one cut-over when both are declared", async () => {
    const inputs = await cutoverOf({ stable: former, steps: [setWeight(10), pause("office hours")] });
    expect(inputs?.["stable"]).toMatch(/^web-[0-9a-f]{8}$/);
    expect(inputs?.["stable"]).not.toBe(inputs?.["candidate"]);
  });

  it("hands the route's Gateway and hosts to the router", async () => {
    expect(await cutoverOf({ router: gateway })).toMatchObject({
      router: {
        kind: "httpRoute",
        name: "web",
        parentRefs: [{ name: "public", namespace: "gateways" }],
        hostnames: ["shop.example"],
        pathPrefix: "/",
        servicePort: 80,
      },
    });
  });
});

describe("what a version is configured by is part of it:", () => {
  it.each([
    ["a file", { files: { "/etc/web": { "web.conf": "a" } } }, { files: { "/etc/web": { "web.conf": "b" } } }],
    ["a setting", { config: { MODE: "a" } }, { config: { MODE: "b" } }],
    ["which secret", { secrets: { TOKEN: stackSecret("first") } }, { secrets: { TOKEN: stackSecret("second") } }],
  ])("%s makes another version", async (_what, one, other) => {
    pulumi.runtime.setAllConfig({ "project:first": "1", "project:second": "2" }, []);
    const versions = [one, other].map((change) => new BlueGreenDeployment("web", { container, ...change }).version);
    expect(new Set(versions).size).toBe(2);
  });

  it("a changed value of a secret makes another version, and the value stands in no name and no other input", async () => {
    const versions = ["canary-41f7", "canary-92be"].map((value) => {
      pulumi.runtime.setAllConfig({ "project:token": value }, ["project:token"]);
      return new BlueGreenDeployment("web", { container, secrets: { TOKEN: stackSecret("token") } }).version;
    });
    expect(new Set(versions).size).toBe(2);
    const secrets = await stack.ofType("kubernetes:core/v1:Secret");
    expect(secrets).toHaveLength(2);
    expect(secrets[0]?.inputs).toMatchObject({ immutable: true });
    const others = stack.registered.filter(({ type }) => type !== "kubernetes:core/v1:Secret");
    expect(JSON.stringify(others)).not.toContain("canary-");
    expect(JSON.stringify(stack.registered.map(({ name }) => name))).not.toContain("canary-");
  });

  it("its files are mounted read-only from ConfigMaps named after it", async () => {
    const web = new BlueGreenDeployment("web", { container, files: { "/etc/web": { "web.conf": "a" } } });
    const [map] = await stack.ofType("kubernetes:core/v1:ConfigMap");
    const [deployment] = await stack.ofType(deploymentType);
    expect(map).toMatchObject({
      name: `${web.version}-files-0`,
      inputs: { data: { "web.conf": "a" }, immutable: true },
    });
    expect(deployment?.inputs).toMatchObject({
      spec: {
        template: {
          spec: {
            containers: [{ volumeMounts: [{ name: `${web.version}-files-0`, mountPath: "/etc/web", readOnly: true }] }],
            volumes: [{ name: `${web.version}-files-0`, configMap: { name: `${web.version}-files-0` } }],
          },
        },
      },
    });
  });
});

describe("an autoscaled release", () => {
  it("hands the autoscaler to the cut-over, and grows the candidate before its promotion", async () => {
    new BlueGreenDeployment("web", { container, autoscale: { minReplicas: 3, maxReplicas: 9 } });
    const [cutover] = await stack.ofType(cutoverType);
    expect(cutover?.inputs["sizes"]).toMatchObject({
      autoscaler: { minReplicas: 3, maxReplicas: 9, metrics: [{ resource: { target: { averageUtilization: 80 } } }] },
    });
    expect(cutover?.inputs["plan"]).toMatchObject({
      steps: [
        { kind: "scale", size: { replicas: 3 } },
        { kind: "verify" },
        { kind: "scale", size: { percent: 100 } },
        { kind: "shift", weightPercent: 100 },
        { kind: "verify" },
        { kind: "hold" },
      ],
    });
  });
});

describe("wrong arguments are refused before any resource is registered:", () => {
  const cases: readonly [string, object, RegExp][] = [
    ["steps that go back", { steps: [setWeight(50), setWeight(20)] }, /steps move from 50 % back to 20 %/],
    ["soaks of hours", { steps: [setWeight(5), soak(7_200_000)] }, /more than runBudgetMs = 3600000: put a pause/],
    ["approvals without a version", { approved: ["later"] }, /approved = \["later"\]/],
    ["a weight that is none", { steps: [setWeight(101)] }, /steps\.?\[0\]\.weightPercent = 101/],
    ["a router that is none", { router: { kind: "dns" } }, /router.*must be a router: use serviceSwitch\(\)/],
    ["a standby beside a ratio of Pods", { standby: former }, /standby does not go with replicaRatio\(\)/],
    [
      "an autoscaler beside a ratio of Pods",
      { autoscale: { maxReplicas: 5 } },
      /autoscale does not go with replicaRatio\(\)/,
    ],
    ["sizes beside a ratio of Pods", { steps: [scale({ replicas: 3 })] }, /sizing does not go with replicaRatio\(\)/],
    ["a surge that is none", { router: replicaRatio({ maxSurge: "lots" }) }, /maxSurge/],
    [
      "rules for requests without a router for them",
      { steps: [route([{ header: "x-beta", exact: "1" }])] },
      /the router cannot follow the plan/,
    ],
    ["copies of requests without a router for them", { steps: [mirror(10)] }, /the router cannot follow the plan/],
    [
      "an analysis by a probe that is not declared",
      { steps: [analysis({ probes: ["http /slow"] })] },
      /names the probe "http \/slow", which is not declared/,
    ],
    [
      "a mesh without a way in for the probes",
      { router: virtualService({ hosts: ["shop.example"] }) },
      /entrance is missing: only you know where clients of the mesh come in/,
    ],
    ["a secret that the stack lacks", { secrets: { A: stackSecret("none") } }, /has no project:none\. Set it with/],
    ["fewer Pods than none", { autoscale: { minReplicas: 4, maxReplicas: 2 } }, /minReplicas = 4: must not be more/],
  ];

  it.each(cases)("%s", async (_what, change, message) => {
    const attempt = () => new ProgressiveDeployment("web", { container, ...change });
    expect(attempt).toThrow(BasculeError);
    expect(attempt).toThrow(message);
    expect(attempt).toThrow(/Nothing was changed/);
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(stack.registered).toEqual([]);
  });
});
