import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import {
  ApiException,
  CustomObjectsApi,
  KubernetesObjectApi,
  loadAllYaml,
  PatchStrategy,
  type V1CustomResourceDefinition,
} from "@kubernetes/client-node";
import { execa } from "execa";
import { z } from "zod";
import type { Progress } from "../progress.ts";
import { findOnPath, goEnvironment } from "../tools/resolve.ts";
import { clientConfiguration } from "./client-configuration.ts";
import type { Cluster } from "./cluster.ts";
import { waitFor } from "./isolation.ts";

/** Custom resource definitions that belong together: where `go/definitions` finds them, and which of them are wanted. */
interface DefinitionFamily {
  readonly module: string;
  /** A manifest or a folder of them, inside the module. */
  readonly path: string;
  readonly names: readonly string[];
}

const families = {
  /** Of the standard channel what an implementation for HTTP watches. */
  gatewayApi: {
    module: "sigs.k8s.io/gateway-api",
    path: "config/crd/standard",
    names: [
      "backendtlspolicies",
      "gatewayclasses",
      "gateways",
      "grpcroutes",
      "httproutes",
      "referencegrants",
      "tlsroutes",
    ].map((plural) => `${plural}.gateway.networking.k8s.io`),
  },
  istio: {
    module: "istio.io/api",
    path: "kubernetes/customresourcedefinitions.gen.yaml",
    names: ["destinationrules", "gateways", "virtualservices"].map((plural) => `${plural}.networking.istio.io`),
  },
  /** As Open Service Mesh has them: of TrafficSplit it serves v1alpha2 alone, which knows weights and no matches. */
  smi: {
    module: "github.com/openservicemesh/osm",
    path: "cmd/osm-bootstrap/crds",
    names: ["trafficsplits.split.smi-spec.io", "httproutegroups.specs.smi-spec.io"],
  },
} as const satisfies Record<string, DefinitionFamily>;

/** Whose custom resources. */
export type DefinitionFamilyName = keyof typeof families;

const goModule = fileURLToPath(new URL("../../go/definitions", import.meta.url));
const downloadLimitMs = 300_000;
const establishLimitMs = 30_000;
const fieldManager = "bascule-rig";

/**
 * Gives the cluster these families' custom resource definitions, and waits until it serves them. In a user's own cluster nothing is
 * written: there they have to be already.
 *
 * @throws Error naming what a user's cluster lacks, or what was not served in time
 */
export async function installDefinitions(
  cluster: Cluster,
  familyNames: readonly DefinitionFamilyName[],
  progress: Progress,
): Promise<void> {
  for (const name of familyNames) {
    const family = families[name];
    const missing = await missingIn(cluster, family);
    if (missing.length === 0) continue;
    if (cluster.owner === "user") {
      throw new Error(
        `${cluster.description} lacks the custom resource definitions ${missing.join(", ")}. Install them (the Go module ${family.module} has them under ${family.path}), or run on the rig's own cluster.`,
      );
    }
    progress(`installing the custom resource definitions of ${family.module}`);
    await apply(cluster, await manifestsOf(family));
    await waitFor(
      `the API server to serve ${missing.join(", ")}`,
      establishLimitMs,
      async () => (await missingIn(cluster, family)).length === 0,
    );
  }
}

/** The definitions that are not established, or whose resources the API server does not list yet. */
async function missingIn(cluster: Cluster, { names }: DefinitionFamily): Promise<readonly string[]> {
  const configuration = clientConfiguration(cluster);
  const definitions = KubernetesObjectApi.makeApiClient(configuration);
  const discovery = configuration.makeApiClient(CustomObjectsApi);
  const isServed = async (name: string): Promise<boolean> => {
    try {
      const definition = await definitions.read<V1CustomResourceDefinition>({
        apiVersion: "apiextensions.k8s.io/v1",
        kind: "CustomResourceDefinition",
        metadata: { name },
      });
      const { group, names: kinds, versions } = definition.spec;
      const isEstablished = definition.status?.conditions?.some(
        ({ type, status }) => type === "Established" && status === "True",
      );
      if (!isEstablished) return false;
      for (const { name: version } of versions.filter(({ served }) => served)) {
        const { resources } = await discovery.getAPIResources({ group, version });
        if (!resources.some((resource) => resource.name === kinds.plural)) return false;
      }
      return true;
    } catch (thrown) {
      if (thrown instanceof ApiException && thrown.code === 404) return false;
      throw thrown;
    }
  };
  const served = await Promise.all(names.map(isServed));
  return names.filter((_, index) => !served[index]);
}

async function apply(cluster: Cluster, manifests: readonly Definition[]): Promise<void> {
  const api = KubernetesObjectApi.makeApiClient(clientConfiguration(cluster));
  for (const manifest of manifests) {
    await api.patch(manifest, undefined, undefined, fieldManager, true, PatchStrategy.ServerSideApply);
  }
}

const downloadSchema = z.looseObject({ Dir: z.string() });
const definitionSchema = z.looseObject({
  apiVersion: z.string(),
  kind: z.literal("CustomResourceDefinition"),
  metadata: z.looseObject({ name: z.string() }),
});
type Definition = z.infer<typeof definitionSchema>;

/** The wanted manifests of a family, from its module, which is downloaded and checked against go.sum when it is not there yet. */
async function manifestsOf({ module, path, names }: DefinitionFamily): Promise<readonly Definition[]> {
  const go = findOnPath("go");
  if (!go) throw new Error(`go is not on the PATH: install Go 1.26 or later to get the module ${module}.`);
  const { stdout } = await execa(go, ["mod", "download", "-json", module], {
    cwd: goModule,
    env: await goEnvironment(),
    timeout: downloadLimitMs,
  });
  const { Dir: directory } = downloadSchema.parse(JSON.parse(stdout));
  const texts = await Promise.all((await yamlFiles(join(directory, path))).map((file) => readFile(file, "utf8")));
  const found = texts.flatMap(definitionsIn).filter(({ metadata }) => names.includes(metadata.name));
  if (found.length !== names.length) {
    throw new Error(
      `Of the definitions ${names.join(", ")} the module ${module} has ${found.length} under ${path}: correct their names or their path to what go/definitions/go.mod requires.`,
    );
  }
  return found;
}

async function yamlFiles(path: string): Promise<readonly string[]> {
  if (!(await stat(path)).isDirectory()) return [path];
  return (await readdir(path)).filter((name) => name.endsWith(".yaml")).map((name) => join(path, name));
}

function definitionsIn(text: string): readonly Definition[] {
  return loadAllYaml(text).flatMap((object: unknown) => {
    const parsed = definitionSchema.safeParse(object);
    return parsed.success ? [parsed.data] : [];
  });
}
