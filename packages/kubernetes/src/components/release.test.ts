import * as pulumi from "@pulumi/pulumi";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { cutoverType, deploymentType, mockStack, type MockedStack, type Registered } from "./mocked-stack.fake.ts";
import { BasculeError, BlueGreenDeployment, DirectDeployment, http, type ReleaseArgs } from "../../dist/index.js";

const container = { image: "registry.example/web:1.5", port: 8080 };
let stack: MockedStack;

/** Declares a release and waits until all of its resources were registered. */
async function declare(args: ReleaseArgs): Promise<readonly Registered[]> {
  new BlueGreenDeployment("web", args);
  await pulumi.runtime.disconnect();
  return [...stack.registered];
}

const ofType = (resources: readonly Registered[], type: string) =>
  resources.filter((resource) => resource.type === type);

beforeEach(async () => {
  stack = await mockStack("dev");
});

// Registrations go on in the background; the next test must not see those of the one before.
afterEach(() => pulumi.runtime.disconnect());

describe("a release", () => {
  it("needs only an image and a port", async () => {
    const resources = await declare({ container });
    const [deployment] = ofType(resources, deploymentType);
    expect(deployment?.name).toMatch(/^web-[0-9a-f]{8}$/);
    expect(resources.map(({ type }) => type)).toEqual(
      expect.arrayContaining([
        "kubernetes:policy/v1:PodDisruptionBudget",
        "pulumi-nodejs:dynamic/bascule:Snapshot",
        cutoverType,
      ]),
    );
    expect(ofType(resources, cutoverType)[0]?.inputs).toMatchObject({
      candidate: deployment?.name,
      probes: [{ kind: "tcp" }],
      plan: { strategy: "blueGreen" },
      router: { name: "web", namespace: "default", type: "ClusterIP", ports: [{ port: 80, targetPort: 8080 }] },
    });
  });

  it("names a version by its content: the same for another order of keys and another number of replicas", async () => {
    const names = [];
    for (const args of [
      { container, config: { a: "1", b: "2" } },
      { config: { b: "2", a: "1" }, container: { port: 8080, image: container.image } },
      { container, config: { a: "1", b: "2" }, replicas: 5 },
    ]) {
      names.push(new BlueGreenDeployment("web", args).version);
    }
    expect(new Set(names).size).toBe(1);
  });

  it("is another version when anything that runs differs", () => {
    const names = [
      { container },
      { container: { ...container, image: "registry.example/web:1.6" } },
      { container: { ...container, env: [{ name: "A", value: "1" }] } },
      { container, config: { A: "1" } },
      { container, podTemplate: { spec: { priorityClassName: "high" } } },
    ].map((args) => new BlueGreenDeployment("web", args).version);
    expect(new Set(names).size).toBe(names.length);
  });

  it("makes Pods that the restricted Pod Security level accepts", async () => {
    const [deployment] = ofType(await declare({ container }), deploymentType);
    expect(deployment?.inputs).toMatchObject({
      spec: {
        template: {
          spec: {
            securityContext: { runAsNonRoot: true, seccompProfile: { type: "RuntimeDefault" } },
            containers: [
              {
                securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] } },
                resources: { requests: { cpu: "50m", memory: "64Mi" } },
              },
            ],
          },
        },
      },
    });
  });

  it("has no disruption budget and no spread for a single replica", async () => {
    const resources = await declare({ container, replicas: 1 });
    expect(ofType(resources, "kubernetes:policy/v1:PodDisruptionBudget")).toEqual([]);
    expect(JSON.stringify(ofType(resources, deploymentType))).not.toContain("topologySpreadConstraints");
  });

  it("keeps a standby declared beside the candidate", async () => {
    const former = { container: { ...container, image: "registry.example/web:1.4" } };
    const resources = await declare({ container, standby: former });
    expect(ofType(resources, deploymentType)).toHaveLength(2);
    expect(ofType(resources, cutoverType)).toHaveLength(1);
  });

  it("lets the whole Pod template be changed, and joins lists", async () => {
    const sidecar = { name: "proxy", image: "registry.example/proxy:2.0" };
    const [deployment] = ofType(
      await declare({ container, podTemplate: { spec: { containers: [sidecar] } } }),
      deploymentType,
    );
    expect(deployment?.inputs).toMatchObject({
      spec: { template: { spec: { containers: [{ name: "web" }, sidecar] } } },
    });
  });

  it("that is direct shifts at once and holds nothing", async () => {
    new DirectDeployment("web", { container });
    await pulumi.runtime.disconnect();
    const plans = ofType([...stack.registered], cutoverType).map(({ inputs }) => JSON.stringify(inputs["plan"]));
    expect(plans[0]).toContain('"strategy":"direct"');
    expect(plans[0]).not.toContain("hold");
  });

  it("keeps the text of a provider small, and loads only the package's own provider", async () => {
    const resources = await declare({ container });
    const texts = resources.map(({ inputs }) => inputs["__provider"]).filter((text) => text !== undefined);
    expect(texts).toHaveLength(2);
    for (const text of texts) {
      const plain = JSON.stringify(text);
      expect(plain.length).toBeLessThan(320);
      expect(plain).toContain("@bascule/kubernetes/provider");
    }
  });

  it("takes secret values for the headers of its probes", async () => {
    const resources = await declare({
      container,
      verify: [http("/", { headers: { authorization: pulumi.secret("token") } })],
    });
    expect(ofType(resources, cutoverType)).toHaveLength(1);
  });
});

describe("wrong arguments are refused before any resource is registered:", () => {
  const cases: readonly [string, object, RegExp][] = [
    ["an unknown field", { replica: 3 }, /replica is not a known field: remove it or correct its spelling/],
    ["negative replicas", { replicas: -1 }, /replicas = -1: /],
    [
      "a window without a time zone",
      { change: { id: "c-1", window: { start: "2026-11-24T22:00", end: "2026-11-25T04:00" } } },
      /change\.window\.timeZone is missing: .*IANA time zone such as Europe\/Paris/,
    ],
    [
      "an empty list of probes on prod",
      { environment: "prod", verify: [] },
      /verify = \[\]: must name at least one probe/,
    ],
    ["no list of probes on prod", { environment: "prod" }, /verify is missing: must name at least one probe/],
    [
      "an image without a tag",
      { container: { ...container, image: "web" } },
      /container\.image = "web": must have a tag/,
    ],
    [
      "an image of the tag latest",
      { container: { ...container, image: "web:latest" } },
      /container\.image = "web:latest": must have a tag/,
    ],
    ["a port that is none", { container: { ...container, port: 0 } }, /container\.port = 0: /],
    ["a change id that is no file name", { change: { id: "a/b" } }, /change\.id = "a\/b": must be/],
    [
      "an output where a version is named",
      { container: { ...container, image: pulumi.output("web:1") } },
      /container\.image is an output/,
    ],
  ];

  it.each(cases)("%s", async (_what, change, message) => {
    const attempt = () => new BlueGreenDeployment("web", { container, ...change });
    expect(attempt).toThrow(BasculeError);
    expect(attempt).toThrow(message);
    expect(attempt).toThrow(/Nothing was changed/);
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(stack.registered).toEqual([]);
  });

  it("a stack whose name says nothing counts as prod", async () => {
    stack = await mockStack("acme-main");
    expect(() => new BlueGreenDeployment("web", { container })).toThrow(/verify is missing/);
  });

  it("a name that Kubernetes would not take", () => {
    expect(() => new BlueGreenDeployment("Web_1", { container })).toThrow(/lower-case letters/);
  });
});
