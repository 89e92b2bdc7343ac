import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { startFakeApiServer, type FakeApiServer } from "./api-server.fake.ts";
import { installDefinitions } from "./definitions.ts";

const group = "networking.istio.io";
const plurals = ["destinationrules", "gateways", "virtualservices"];

describe("custom resource definitions in a user's cluster", () => {
  let api: FakeApiServer;
  const said: string[] = [];
  const install = () => installDefinitions(api.cluster, ["istio"], (message) => said.push(message));

  beforeEach(async () => {
    api = await startFakeApiServer();
    said.length = 0;
    api.objects.set("/apis/apiextensions.k8s.io/v1", {
      groupVersion: "apiextensions.k8s.io/v1",
      resources: [{ name: "customresourcedefinitions", kind: "CustomResourceDefinition", namespaced: false }],
    });
  });
  afterEach(() => api.close());

  const seed = (established: boolean) => {
    for (const plural of plurals) {
      api.objects.set(`/apis/apiextensions.k8s.io/v1/customresourcedefinitions/${plural}.${group}`, {
        apiVersion: "apiextensions.k8s.io/v1",
        kind: "CustomResourceDefinition",
        metadata: { name: `${plural}.${group}` },
        spec: { group, names: { plural }, versions: [{ name: "v1", served: true }] },
        status: { conditions: [{ type: "Established", status: established ? "True" : "False" }] },
      });
    }
  };
  const serve = (names: readonly string[]) =>
    api.objects.set(`/apis/${group}/v1`, { groupVersion: `${group}/v1`, resources: names.map((name) => ({ name })) });

  it("are used where they are, and nothing is installed", async () => {
    seed(true);
    serve(plurals);
    await install();
    expect(said).toEqual([]);
  });

  it("are never installed: what is missing is an error that names it", async () => {
    await expect(install()).rejects.toThrow(
      /^the context theirs lacks the custom resource definitions destinationrules\.networking\.istio\.io, gateways\..*, virtualservices\..*\. Install them/,
    );
  });

  it("are missing while they are not established, and while one is not served", async () => {
    seed(false);
    serve(plurals);
    await expect(install()).rejects.toThrow(/lacks/);
    seed(true);
    serve(plurals.slice(1));
    await expect(install()).rejects.toThrow(/definitions destinationrules\.networking\.istio\.io\. Install/);
  });
});
