import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { startFakeApiServer, type FakeApiServer } from "./api-server.fake.ts";
import { useNamedGateway } from "./gateway.ts";

describe("a Gateway that the user names", () => {
  let api: FakeApiServer;

  beforeEach(async () => {
    api = await startFakeApiServer();
    vi.stubEnv("BASCULE_GATEWAY", "ingress/public");
  });
  afterEach(() => {
    vi.unstubAllEnvs();
    api.close();
  });

  /** The fake answers for the data plane too. */
  const seed = (listener: object = {}) =>
    api.objects.set("/apis/gateway.networking.k8s.io/v1/namespaces/ingress/gateways/public", {
      spec: {
        listeners: [
          { name: "tls", port: 443, protocol: "HTTPS", allowedRoutes: { namespaces: { from: "All" } } },
          {
            name: "web",
            port: api.port,
            protocol: "HTTP",
            allowedRoutes: { namespaces: { from: "All" } },
            ...listener,
          },
        ],
      },
      status: { addresses: [{ value: "127.0.0.1" }], conditions: [{ type: "Programmed", status: "True" }] },
    });

  it("is used where it answers, by its address and its listener for HTTP", async () => {
    seed();
    expect(await useNamedGateway(api.cluster)).toEqual({
      namespace: "ingress",
      name: "public",
      host: "127.0.0.1",
      port: api.port,
    });
  });

  it.each(["", "public", "a/b/c", "/public", "ingress/"])(
    "has to be named: %j is refused with the remedy",
    async (name) => {
      vi.stubEnv("BASCULE_GATEWAY", name);
      await expect(useNamedGateway(api.cluster)).rejects.toThrow(
        /this is the context theirs\. Name a Gateway of it as BASCULE_GATEWAY=<namespace>\/<name>/,
      );
    },
  );

  it("has to be there", async () => {
    await expect(useNamedGateway(api.cluster)).rejects.toThrow("There is no Gateway ingress/public.");
  });

  it.each([{ protocol: "TCP" }, { allowedRoutes: { namespaces: { from: "Same" } } }, { allowedRoutes: undefined }])(
    "has to let in the routes of the tests: with %o it is refused",
    async (listener) => {
      seed(listener);
      await expect(useNamedGateway(api.cluster)).rejects.toThrow(/None of the listeners .* "All".*: add one/);
    },
  );
});
