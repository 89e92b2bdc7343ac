import type {
  CheckResult,
  CreateResult,
  DiffResult,
  Provider,
  ReadResult,
  UpdateResult,
} from "@pulumi/pulumi/provider/index.js";
import { connect, NotReady } from "./cluster-objects.ts";
import { diffOf, projectOnto } from "./diff.ts";
import { idOf, manifestSchema, withIdentity, type Manifest } from "./manifest.ts";
import { isRecord, unwrapSecrets, wrapSecrets, type Path } from "./secrets.ts";

const defaultAwaitSeconds = 600;

/** The part of the official Kubernetes provider that the rig's stacks need, for machines that cannot download it. */
export function standIn(version: string): Provider {
  const objects = connect();

  return {
    version,

    check: async (urn: string, olds: unknown, news: unknown): Promise<CheckResult> => {
      const { value, secrets } = unwrapSecrets(news);
      if (hasUnknown(value)) return { inputs: news };
      const parsed = manifestSchema.safeParse(value);
      if (!parsed.success) {
        return {
          inputs: news,
          failures: parsed.error.issues.map((issue) => ({ property: issue.path.join("."), reason: issue.message })),
        };
      }
      const old = manifestSchema.safeParse(unwrapSecrets(olds).value);
      const identified = withIdentity(
        parsed.data,
        urn.split("::").at(-1) ?? "unnamed",
        old.success ? old.data.metadata.name : undefined,
      );
      return { inputs: wrapSecrets(identified, secrets) };
    },

    diff: async (_id: string, _urn: string, olds: unknown, news: unknown): Promise<DiffResult> => {
      const { declared } = stored(olds);
      const { replaces, changes } = diffOf(declared, declaredIn(news).manifest);
      return { changes, replaces, deleteBeforeReplace: replaces.length > 0 && !replaces.includes("metadata.name") };
    },

    create: async (_urn: string, news: unknown): Promise<CreateResult> => {
      const { manifest, secrets } = declaredIn(news);
      return { id: idOf(manifest), outs: await applyAndAwait(manifest, secrets) };
    },

    update: async (_id: string, _urn: string, _olds: unknown, news: unknown): Promise<UpdateResult> => {
      const { manifest, secrets } = declaredIn(news);
      return { outs: await applyAndAwait(manifest, secrets) };
    },

    read: async (id: string, _urn: string, props: unknown): Promise<ReadResult> => {
      const { declared, secrets } = stored(props);
      const live = await objects.read(declared);
      if (!live) return { id: "", props: {} };
      const seen = manifestSchema.parse({ ...declared, ...asRecord(projectOnto(withoutWriteOnly(declared), live)) });
      return { id, props: outputsOf(seen, live, secrets), inputs: wrapSecrets(seen, secretPaths(seen, secrets)) };
    },

    delete: async (_id: string, _urn: string, props: unknown): Promise<void> => {
      await objects.remove(stored(props).declared);
    },
  };

  async function applyAndAwait(manifest: Manifest, secrets: readonly Path[]): Promise<unknown> {
    const applied = await objects.apply(manifest);
    const annotations = manifest.metadata.annotations ?? {};
    if (annotations["pulumi.com/skipAwait"] === "true") return outputsOf(manifest, applied, secrets);
    try {
      const seconds = Number(annotations["pulumi.com/timeoutSeconds"] ?? defaultAwaitSeconds);
      return outputsOf(manifest, await objects.untilReady(manifest, seconds * 1000), secrets);
    } catch (thrown) {
      if (!(thrown instanceof NotReady)) throw thrown;
      // The object is in the cluster, so the state has to know it although it does not work.
      throw Object.assign(thrown, {
        id: idOf(manifest),
        reasons: [thrown.message],
        properties: outputsOf(manifest, thrown.live, secrets),
      });
    }
  }
}

/** What the state keeps: the live object, and under `__inputs` what was declared, to compare with later. */
function outputsOf(declared: Manifest, live: Manifest, secrets: readonly Path[]): unknown {
  const places = secretPaths(live, secrets);
  const inputs = wrapSecrets(declared, secretPaths(declared, secrets));
  const { managedFields: _noise, ...metadata } = live.metadata;
  return { ...asRecord(wrapSecrets({ ...live, metadata }, places)), __inputs: inputs };
}

function stored(props: unknown): { readonly declared: Manifest; readonly secrets: readonly Path[] } {
  const inputs = isRecord(props) ? props["__inputs"] : undefined;
  const { value, secrets } = unwrapSecrets(inputs ?? props);
  return { declared: manifestSchema.parse(value), secrets };
}

function declaredIn(news: unknown): { readonly manifest: Manifest; readonly secrets: readonly Path[] } {
  const { value, secrets } = unwrapSecrets(news);
  return { manifest: manifestSchema.parse(value), secrets };
}

/** The contents of a Secret are secret whoever declared them. */
function secretPaths({ kind }: Manifest, secrets: readonly Path[]): readonly Path[] {
  return kind === "Secret" ? [...secrets, ["data"], ["stringData"]] : secrets;
}

/** `stringData` is never given back, so it cannot have drifted. */
function withoutWriteOnly(declared: Manifest): Record<string, unknown> {
  return Object.fromEntries(Object.entries(declared).filter(([key]) => key !== "stringData"));
}

function asRecord(value: unknown): Record<string, unknown> {
  return isRecord(value) ? value : {};
}

/** How the engine writes a value that a preview does not know yet. */
const unknownValue = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";

function hasUnknown(value: unknown): boolean {
  if (Array.isArray(value)) return value.some(hasUnknown);
  return isRecord(value) ? Object.values(value).some(hasUnknown) : value === unknownValue;
}
