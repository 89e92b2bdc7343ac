import { mirrorOptionsSchema } from "@bascule/mirror";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import {
  adminPortOf,
  mirrorBudget,
  mirrorDeployment,
  mirrorName,
  mirrorProgram,
  mirrorServices,
  type MirroredRelease,
} from "./mirror-objects.ts";
import { mirrorSpecSchema } from "./mirror-spec.ts";

const mirrored: MirroredRelease = { release: "web", namespace: "shop", containerPort: 8080 };
const pair = { stable: "web-11111111", candidate: "web-22222222" };
const addresses = { primary: "http://10.96.0.7:8080", shadow: "http://[fd00::8]:8080" };
const program = mirrorProgram(mirrored, pair, "// the program");

const shown = z.object({
  spec: z.object({
    replicas: z.number(),
    selector: z.unknown(),
    template: z.object({
      metadata: z.object({ labels: z.record(z.string(), z.string()) }),
      spec: z.looseObject({
        securityContext: z.unknown(),
        containers: z.tuple([
          z.looseObject({
            env: z.tuple([z.object({ name: z.string(), value: z.string() })]),
            securityContext: z.unknown(),
          }),
        ]),
      }),
    }),
  }),
});

function deploymentOf(change: z.input<typeof mirrorSpecSchema> = {}, release = mirrored) {
  const manifest = mirrorDeployment(release, pair, mirrorSpecSchema.parse(change), 25, addresses, program);
  const { spec } = shown.parse(manifest);
  const [container] = spec.template.spec.containers;
  const options = mirrorOptionsSchema.parse(JSON.parse(container.env[0].value));
  return { metadata: manifest.metadata, spec, container, options };
}

describe("the mirror of a pair of versions", () => {
  it("is told both versions' addresses, the share, and what to compare", () => {
    const { options } = deploymentOf({ unsafeMethods: ["POST"], ignore: ["$.host"], compareHeaders: ["Location"] });
    expect(options).toMatchObject({
      ...addresses,
      sharePercent: 25,
      unsafeMethods: ["POST"],
      ignore: ["$.host"],
      compareHeaders: ["location"],
    });
  });

  it("listens where the versions listen, because the Service leads clients to that port", () => {
    expect(deploymentOf().options).toMatchObject({ port: 8080, adminPort: 8081 });
    expect(deploymentOf({}, { ...mirrored, containerPort: 8081 }).options).toMatchObject({
      port: 8081,
      adminPort: 8082,
    });
    expect(adminPortOf({ containerPort: 8081 })).toBe(8082);
  });

  it("may listen on a port that else only root may have, where the versions do", () => {
    const { spec } = deploymentOf({}, { ...mirrored, containerPort: 80 });
    const sysctls = [{ name: "net.ipv4.ip_unprivileged_port_start", value: "0" }];
    expect(spec.template.spec.securityContext).toMatchObject({ sysctls });
    expect(deploymentOf().spec.template.spec.securityContext).not.toHaveProperty("sysctls");
  });

  it("is accepted by the restricted Pod Security level, whatever user its image has, and writes nothing to its own disk", () => {
    const { spec, container } = deploymentOf();
    expect(spec.template.spec).toMatchObject({
      automountServiceAccountToken: false,
      securityContext: { runAsNonRoot: true, runAsUser: 65_532, seccompProfile: { type: "RuntimeDefault" } },
    });
    expect(container.securityContext).toEqual({
      allowPrivilegeEscalation: false,
      capabilities: { drop: ["ALL"] },
      readOnlyRootFilesystem: true,
    });
  });

  it("is no part of a version: no selector of one picks its Pods", () => {
    const { spec } = deploymentOf();
    expect(spec.selector).toEqual({
      matchLabels: {
        "bascule.dev/release": "web",
        "bascule.dev/mirror-of": pair.stable,
        "bascule.dev/mirror-to": pair.candidate,
      },
    });
    expect(spec.template.metadata.labels).not.toHaveProperty("bascule.dev/version");
  });

  it("has the limit of memory that its program asks for", () => {
    expect(deploymentOf().container).toMatchObject({ resources: { limits: { memory: "640Mi" } } });
  });

  it("has a name of its own, so that the mirrors of two pairs stand beside each other", () => {
    expect(mirrorName("web", pair)).toMatch(/^web-mirror-[0-9a-f]{8}$/);
    expect(mirrorName("web", { ...pair, candidate: "web-33333333" })).not.toBe(mirrorName("web", pair));
    expect(mirrorName("web", { stable: pair.candidate, candidate: pair.stable })).not.toBe(mirrorName("web", pair));
  });

  it("has names that Kubernetes takes, also for the longest release", () => {
    const release = { ...mirrored, release: "x".repeat(40) };
    const services = Object.values(mirrorServices(release, pair));
    for (const { metadata } of [...services, mirrorBudget(release, pair)])
      expect(metadata.name.length).toBeLessThan(64);
  });

  it("reaches each version by a Service that picks that version alone", () => {
    const { primary, shadow } = mirrorServices(mirrored, pair);
    const ports = [{ name: "main", port: 8080, targetPort: 8080, protocol: "TCP" }];
    const selector = (version: string) => ({ "bascule.dev/release": "web", "bascule.dev/version": version });
    expect(primary).toMatchObject({ spec: { selector: selector(pair.stable), ports } });
    expect(shadow).toMatchObject({ spec: { selector: selector(pair.candidate), ports } });
  });

  it("finds its program under a name that changes with the program", () => {
    expect(mirrorProgram(mirrored, pair, "// the program").metadata.name).toBe(program.metadata.name);
    expect(mirrorProgram(mirrored, pair, "// another program").metadata.name).not.toBe(program.metadata.name);
    expect(program).toMatchObject({ immutable: true, data: { "mirror-server.js": "// the program" } });
    expect(deploymentOf().spec.template.spec).toMatchObject({
      volumes: [{ name: "program", configMap: { name: program.metadata.name } }],
    });
  });
});
